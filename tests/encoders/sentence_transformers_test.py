import sys
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError
from safetensors.torch import load_file, save_file

from attribution.encoders import SentenceTransformersEncoder
from tests.conftest import _tokenizer
from tests.encoders.architectures import build

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


def _saved(kind: str, folder: Path) -> Path:
    """A tiny model of the library on one of transformers."""
    library = pytest.importorskip("sentence_transformers")
    models = pytest.importorskip("sentence_transformers.models")
    build(kind, folder / "plain")
    _tokenizer(["<s>"], ["</s>"]).save_pretrained(folder / "plain")
    (folder / "plain" / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    word = models.Transformer(str(folder / "plain"))
    model = library.SentenceTransformer(modules=[word, models.Pooling(32, pooling_mode="mean")], device="cpu")
    model.save(str(folder / "model"))
    return folder / "model"


def test_no_vector_depends_on_padding(tmp_path: Path) -> None:
    """FNet mixes all places of a batch's text."""
    encoder = SentenceTransformersEncoder(str(_saved("fnet", tmp_path)))
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(encoder.encode(TEXTS), alone, atol=1e-5)


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    folder = _saved("bert", tmp_path)
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if "layer.1." not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigurationError, match="weights of BertModel are missing, the first: encoder.layer.1."):
        SentenceTransformersEncoder(str(folder)).encode(TEXTS)
