"""From tuples to a training to a retrieval."""

import json
import pickle
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import load_archive

from attribution.encoders import BiEncoderEncoder, TransformerEncoder
from attribution.retrievers import ExactRetriever, FaissRetriever, Pool
from tests.conftest import WORDS

COLOURS, ANIMALS = ["red", "green", "blue"], ["cat", "dog", "mat"]


@pytest.fixture(scope="module")
def trained(tiny_model: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is asked about colours is helped by rows about animals, and not by those about colours."""
    from allennlp.commands.train import train_model
    from allennlp.common import Params

    folder = tmp_path_factory.mktemp("bi_encoder")
    rows = [
        {
            "query_examples": [f"a {colour} film", f"{colour} ?"],
            "positive_examples": [f"the {animal} sat" for animal in ANIMALS],
            "negative_examples": [f"the {other} movie" for other in COLOURS],
        }
        for colour in COLOURS
    ]
    (folder / "tuples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    encoder = {"type": "transformer", "model_name": tiny_model("bart")}
    params = {
        "dataset_reader": {"type": "tuples"},
        "train_data_path": str(folder / "tuples.jsonl"),
        "validation_data_path": str(folder / "tuples.jsonl"),
        "vocabulary": {"type": "empty"},
        "model": {"type": "bi_encoder", "encoder": encoder, "hidden_size": 16, "size": 8},
        "data_loader": {"batch_size": 1, "shuffle": True},
        "trainer": {
            "num_epochs": 8,
            "optimizer": {"type": "adam", "lr": 0.01},
            "validation_metric": "+precision",
            "cuda_device": -1,
            "enable_default_callbacks": False,
        },
    }
    train_model(Params(params), str(folder / "run"))
    return folder / "run"


def test_what_is_planted_is_found(trained: Path, write_jsonl: Any) -> None:
    assert json.loads((trained / "metrics.json").read_text())["best_validation_precision"] == 1.0
    pool = [f"the {word} sat" for word in ANIMALS] + [f"the {word} movie" for word in COLOURS]
    path = write_jsonl("pool.jsonl", [{"input": text, "target": "yes", "task": "a"} for text in pool])
    encoder = BiEncoderEncoder(str(trained))
    for retriever in (ExactRetriever(encoder), FaissRetriever(encoder, "Flat")):
        found = retriever.retrieve(Pool(path), ["a blue film"], 3)
        assert sorted(found.ids[0].tolist()) == [0, 1, 2]
    plain = ExactRetriever(TransformerEncoder(encoder.encoder.model_name))  # type: ignore[attr-defined]
    assert plain.identity() != ExactRetriever(encoder).identity()


def test_vectors_are_the_models(trained: Path) -> None:
    model = load_archive(trained / "model.tar.gz").model
    encoder = BiEncoderEncoder(str(trained))
    texts = ["a red film", " ".join(WORDS[:9]), ""]
    with torch.no_grad():
        vectors = model._vectors(texts)
        np.testing.assert_allclose(encoder.encode(texts), model.towers.rows(vectors).numpy(), atol=1e-6)
        np.testing.assert_allclose(encoder.encode_queries(texts), model.towers.queries(vectors).numpy(), atol=1e-6)
    assert encoder.encode(texts).dtype == np.float32
    np.testing.assert_allclose(encoder.encode(texts[:1])[0], encoder.encode(texts)[0], atol=1e-6)
    data = pickle.dumps(encoder)
    assert len(data) < 2000
    assert pickle.loads(data).identity == encoder.identity
    np.testing.assert_array_equal(pickle.loads(data).encode(texts), encoder.encode(texts))


def test_mistakes(trained: Path, tmp_path: Path, tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="config.json: no such file"):
        BiEncoderEncoder(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model": {"type": "seq2seq"}}')
    with pytest.raises(ConfigurationError, match="is not the directory of a training of bi_encoder"):
        BiEncoderEncoder(str(tmp_path))
    encoder = {"type": "transformer", "model_name": tiny_model("bart"), "part": "encoder_decoder"}
    (tmp_path / "config.json").write_text(json.dumps({"model": {"type": "bi_encoder", "encoder": encoder}}))
    (tmp_path / "best.th").write_bytes((trained / "best.th").read_bytes())
    with pytest.raises(ConfigurationError, match="was trained on vectors of 16 dimensions; the encoder's have 32"):
        BiEncoderEncoder(str(tmp_path)).encode(["a"])
