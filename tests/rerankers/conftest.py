from pathlib import Path
from typing import Optional, Sequence

import numpy as np

from attribution.common.engines import Engine
from attribution.rerankers import Reranker


@Reranker.register("tests_nearness")
class NearnessReranker(Reranker):
    """Of two texts that end in numbers: minus their distance."""

    def score(
        self,
        queries: Sequence[str],
        texts: Sequence[str],
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> np.ndarray:
        numbers = [np.array([float(text.split()[-1]) for text in some]) for some in (queries, texts)]
        return -np.abs(numbers[0][:, None] - numbers[1]).astype(np.float32)
