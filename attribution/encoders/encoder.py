"""Texts to vectors."""

from abc import abstractmethod
from typing import Any, Dict, Iterable, Iterator, Sequence

import numpy as np
from allennlp.common import Registrable


class Encoder(Registrable):
    """
    Base of what turns texts into vectors. A text's vector does not depend on its neighbours or on the batch size, up to
    rounding.
    """

    @property
    @abstractmethod
    def identity(self) -> Dict[str, Any]:
        """What a text's vector depends on, as plain JSON: stored vectors are used with an equal encoder only."""

    @abstractmethod
    def encode_blocks(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        """
        The vectors of all texts, in their order, a block at a time: peak memory does not grow with their number.
        Each block is float32 with shape (rows, dimension).
        """

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Shape: (texts, dimension), float32."""
        return np.concatenate(list(self.encode_blocks(texts)))
