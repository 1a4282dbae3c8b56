"""One contract for every encoder."""

from typing import Callable, Dict

import numpy as np
import pytest

from attribution.encoders import Encoder, MaskedMeanEncoder

ENCODERS: Dict[str, Callable[[str], Encoder]] = {"masked_mean": lambda folder: MaskedMeanEncoder(folder, max_length=6)}


@pytest.mark.parametrize("name", ENCODERS)
def test_contract(name: str, tiny_model: Callable[[str], str]) -> None:
    encoder = ENCODERS[name](tiny_model("bert"))
    texts = ["good movie", "the cat sat on the mat", "red", "good movie"]
    vectors = encoder.encode(texts)
    assert vectors.dtype == np.float32 and len(vectors) == 4
    for text, vector in zip(texts, vectors):  # The order is kept, and neighbours do not matter.
        np.testing.assert_allclose(encoder.encode([text])[0], vector, atol=1e-5)
    np.testing.assert_array_equal(np.concatenate(list(encoder.encode_blocks(iter(texts)))), vectors)
