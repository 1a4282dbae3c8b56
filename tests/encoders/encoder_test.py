"""One contract for every encoder."""

import pickle
from typing import Callable, Dict

import numpy as np
import pytest

from attribution.encoders import Encoder, TransformerEncoder
from attribution.encoders.sentence_transformers import SentenceTransformersEncoder


def _sentence_transformers(folder: str) -> Encoder:
    pytest.importorskip("sentence_transformers")
    return SentenceTransformersEncoder(folder, max_length=6)


ENCODERS: Dict[str, Callable[[str], Encoder]] = {
    "transformer": lambda folder: TransformerEncoder(folder, max_length=6),
    "transformer weighted": lambda folder: TransformerEncoder(folder, max_length=6, pooling="weighted_mean", layer=1),
    "sentence_transformers": _sentence_transformers,
}


@pytest.mark.parametrize("name", ENCODERS)
def test_contract(name: str, tiny_model: Callable[[str], str]) -> None:
    encoder = ENCODERS[name](tiny_model("bert"))
    texts = ["good movie", "the cat sat on the mat", "red", "", "good movie"]
    vectors = encoder.encode(texts)
    assert vectors.dtype == np.float32 and len(vectors) == 5
    for text, vector in zip(texts, vectors):  # The order is kept, and neighbours do not matter.
        np.testing.assert_allclose(encoder.encode([text])[0], vector, atol=1e-5)
    data = pickle.dumps(encoder)
    assert len(data) < 2000  # Its settings, not its weights.
    np.testing.assert_array_equal(pickle.loads(data).encode(texts), vectors)
    assert pickle.loads(data).identity == encoder.identity and encoder.identity["max_length"] == 6
