import time
from typing import Any, Callable, Dict, Sequence

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.encoders import Encoder


@Encoder.register("tests_number")
class NumberEncoder(Encoder):
    """The text "number n" is the point n on a circle of 40: nearest neighbours are known."""

    @property
    def identity(self) -> Dict[str, Any]:
        return {"type": "tests_number"}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        try:
            angles = np.array([float(text.split()[-1]) * 2 * np.pi / 40 for text in texts])
        except (ValueError, IndexError) as error:
            raise ConfigurationError(f"the encoder tests_number: a text is no number: {error}") from error
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


class CuttingEncoder(NumberEncoder):
    """Reads the last two words only."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.texts_cut += sum(len(text.split()) > 2 for text in texts)
        return super().encode(texts)


@Encoder.register("tests_slow_number")
class SlowNumberEncoder(NumberEncoder):
    """Takes half a second a call: a process can be killed in the middle."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        time.sleep(0.5)
        return super().encode(texts)


@pytest.fixture
def pool_path(write_jsonl: Callable[..., str]) -> str:
    # Rows 30 to 39 repeat the numbers 0 to 9, as another task.
    rows = [{"input": f"number {n % 30}", "target": "x", "task": "a" if n < 30 else "b"} for n in range(40)]
    return write_jsonl("pool.jsonl", rows)
