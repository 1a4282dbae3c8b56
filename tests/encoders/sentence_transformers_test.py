import sys
from pathlib import Path
from typing import Any, Callable, Dict

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from safetensors.torch import load_file, save_file

from attribution.encoders import SentenceTransformersEncoder
from tests.conftest import _tokenizer, build_model
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


def _transformer(folder: str) -> Any:
    library = pytest.importorskip("sentence_transformers")
    models = pytest.importorskip("sentence_transformers.models")
    word = models.Transformer(folder)
    word.max_seq_length = 6
    return library, models, word


def _as_the_library(model: Any, folder: Path, **settings: Any) -> SentenceTransformersEncoder:
    """The model, saved and read, is asked for the same texts as the library."""
    model.save(str(folder))
    model = type(model)(str(folder), device="cpu")
    encoder = SentenceTransformersEncoder(str(folder), max_tokens=40, **settings)
    texts = [f"{TEXTS[number % 4]} {'cat ' * (number % 7)}" for number in range(25)]
    for found, expected in (
        (encoder.encode(texts), model.encode_document(texts)),
        (encoder.encode_queries(texts), model.encode_query(texts)),
    ):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5)
    return encoder


@pytest.mark.parametrize(
    "prompts, default, include_prompt, differ",
    [
        ({"query": "question : ", "document": "the "}, None, True, True),
        ({"query": "question : ", "document": "the "}, None, False, True),
        ({"query": "question : ", "passage": "the "}, None, True, True),
        ({"query": "question : ", "other": "answer : "}, "other", True, True),
        ({"document": "review : "}, None, True, True),
        ({"other": "answer : "}, "other", True, False),
        ({}, None, True, False),
    ],
)
def test_stored_prompts(
    prompts: Dict[str, str], default: Any, include_prompt: bool, differ: bool, tiny_model: Any, tmp_path: Path
) -> None:
    library, models, word = _transformer(tiny_model("bert"))
    pooling = models.Pooling(16, pooling_mode="mean", include_prompt=include_prompt)
    settings = {"prompts": prompts, "default_prompt_name": default, "device": "cpu"}
    model = library.SentenceTransformer(modules=[word, pooling], **settings)
    encoder = _as_the_library(model, tmp_path / "model")
    assert (abs(encoder.encode(TEXTS) - encoder.encode_queries(TEXTS)).max() > 0.01) == differ
    # One of our own takes their place.
    plain = SentenceTransformersEncoder(str(tmp_path / "model"), prompt="")
    np.testing.assert_allclose(plain.encode(TEXTS), model.encode(TEXTS, prompt=""), atol=1e-5)
    np.testing.assert_array_equal(plain.encode(TEXTS), plain.encode_queries(TEXTS))
    assert plain.identity != encoder.identity


def test_a_prompt_that_the_library_leaves_out(
    tiny_model: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    library, models, word = _transformer(tiny_model("bert"))
    settings = {"prompts": {"passage": "the "}, "device": "cpu"}
    library.SentenceTransformer(modules=[word, models.Pooling(16)], **settings).save(str(tmp_path))
    model = library.SentenceTransformer(str(tmp_path), device="cpu")
    used = abs(model.encode_document(TEXTS) - model.encode(TEXTS, prompt="the ")).max() < 1e-5
    SentenceTransformersEncoder(str(tmp_path)).encode(TEXTS)
    assert ("its prompt 'passage' is for rows of the pool" in caplog.text) != used


def test_texts_are_cut_with_their_prompt(tiny_model: Any, tmp_path: Path) -> None:
    library, models, word = _transformer(tiny_model("bert"))
    prompts = {"query": "question : ", "document": ""}
    library.SentenceTransformer(modules=[word, models.Pooling(16)], prompts=prompts, device="cpu").save(str(tmp_path))
    encoder = SentenceTransformersEncoder(str(tmp_path))
    encoder.encode(["the cat sat on", "the cat sat on the"])
    assert encoder.texts_cut == 1
    encoder.encode_queries(["the cat", "the cat sat"])
    assert encoder.texts_cut == 2


@pytest.mark.parametrize("query", ["transformer", "static"])
def test_a_part_for_queries_alone(query: str, tiny_model: Any, tmp_path: Path) -> None:
    library, models, word = _transformer(tiny_model("bert"))
    if query == "static":
        torch.manual_seed(3)
        tokenizer = word.tokenizer.backend_tokenizer
        parts = [models.StaticEmbedding(tokenizer, embedding_dim=16)]
    else:
        other = _transformer(str(build_model("bert", tmp_path / "other")))[2]
        with torch.no_grad():
            for weight in other.parameters():
                weight.mul_(0.7)
        other.max_seq_length = 4
        parts = [other, models.Pooling(16, pooling_mode="max")]
    router = models.Router.for_query_document(parts, [word, models.Pooling(16, pooling_mode="mean")])
    model = library.SentenceTransformer(modules=[router, models.Normalize()], device="cpu")
    encoder = _as_the_library(model, tmp_path / "model")
    assert abs(encoder.encode(TEXTS) - encoder.encode_queries(TEXTS)).max() > 0.1
    assert encoder.texts_cut


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


def test_missing_weights_of_the_part_for_queries_are_refused(tiny_model: Any, tmp_path: Path) -> None:
    library, models, word = _transformer(tiny_model("bert"))
    other = models.Transformer(tiny_model("bert"))
    router = models.Router.for_query_document([other, models.Pooling(16)], [word, models.Pooling(16)])
    library.SentenceTransformer(modules=[router], device="cpu").save(str(tmp_path))
    [path] = tmp_path.glob("query_0_*/model.safetensors")
    save_file(
        {name: weight for name, weight in load_file(path).items() if "layer.1." not in name}, path, {"format": "pt"}
    )
    with pytest.raises(ConfigurationError, match="query_0_.*weights of BertModel are missing"):
        SentenceTransformersEncoder(str(tmp_path)).encode(TEXTS)
