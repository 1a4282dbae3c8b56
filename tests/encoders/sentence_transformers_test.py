import sys
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.encoders import SentenceTransformersEncoder

TEXTS = ["the cat sat on the mat", "good", "a bad film , was it ?", "red green blue"]


def test_equals_the_library(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    models = pytest.importorskip("sentence_transformers.models")
    word = models.Transformer(tiny_model("bert"))
    word.max_seq_length = 6
    pooling = models.Pooling(16, pooling_mode="max")
    model = library.SentenceTransformer(modules=[word, pooling, models.Normalize()], device="cpu")
    model.save(str(tmp_path / "model"))
    encoder = SentenceTransformersEncoder(str(tmp_path / "model"))
    np.testing.assert_allclose(encoder.encode(TEXTS), model.encode(TEXTS), atol=1e-5)
    prompted = SentenceTransformersEncoder(str(tmp_path / "model"), prompt="question : ", max_length=5)
    model.max_seq_length = 5
    np.testing.assert_allclose(
        prompted.encode(TEXTS), model.encode(["question : " + text for text in TEXTS]), atol=1e-5
    )


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ConfigurationError, match=r"cross-task-attribution\[sentence-transformers\]"):
        SentenceTransformersEncoder("any").encode(["good"])


def test_mistakes() -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(ConfigurationError, match="encoder /nowhere: cannot be loaded"):
        SentenceTransformersEncoder("/nowhere").encode(["good"])
