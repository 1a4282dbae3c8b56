from typing import Any, Callable, Dict, Iterable, Iterator, List

import numpy as np
import pytest

from attribution.encoders import Encoder


@Encoder.register("tests_number")
class NumberEncoder(Encoder):
    """The text "number n" is the point n on a circle of 40: nearest neighbours are known."""

    @property
    def identity(self) -> Dict[str, Any]:
        return {"type": "tests_number"}

    def encode_blocks(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        block: List[float] = []
        for text in texts:
            block.append(float(text.split()[-1]) * 2 * np.pi / 40)
            if len(block) == 7:
                yield self._points(block)
                block = []
        if block:
            yield self._points(block)

    @staticmethod
    def _points(angles: List[float]) -> np.ndarray:
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@pytest.fixture
def pool_path(write_jsonl: Callable[..., str]) -> str:
    # Rows 30 to 39 repeat the numbers 0 to 9, as another task.
    rows = [{"input": f"number {n % 30}", "target": "x", "task": "a" if n < 30 else "b"} for n in range(40)]
    return write_jsonl("pool.jsonl", rows)
