"""Texts to vectors."""

from abc import abstractmethod
from typing import Any, Dict, Sequence

import numpy as np
from allennlp.common import Registrable


class Encoder(Registrable):
    """
    Base of what turns texts into vectors. A text's vector does not depend on its neighbours or on the batch size, up to
    rounding. An encoder can be pickled, and is then its settings: what it loads, it loads where it is used.
    """

    texts_cut = 0
    """Of the texts that this object has encoded, how many were longer than the encoder reads."""

    @property
    @abstractmethod
    def identity(self) -> Dict[str, Any]:
        """What a text's vector depends on, as plain JSON: stored vectors are used with an equal encoder only."""

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Shape: (texts, dimension), float32, in the texts' order."""

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        """The same for what is searched for, which some encoders tell from what is found."""
        return self.encode(texts)
