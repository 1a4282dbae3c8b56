"""Indexes of DEFT's own code, which a retrieval then searches."""

import json
from pathlib import Path
from typing import Any, Callable, List

import faiss
import numpy as np
import pytest

from attribution.encoders.transformer import TransformerEncoder
from attribution.importers import DeftIndex
from attribution.retrievers.faiss_index import PRESETS
from tests.conftest import WORDS
from tests.robustness.tiny_commands import READER

ROWS, NAME = 300, "p3_tiny_OPQ8_8-HNSW16-PQ8"


@pytest.fixture(scope="module")
def texts() -> List[str]:
    draw = np.random.default_rng(3)
    return [" ".join(draw.choice(WORDS, 6)) for _ in range(ROWS)]


@pytest.fixture
def pool(texts: List[str], write_jsonl: Callable[..., str]) -> str:
    return write_jsonl("pool.jsonl", [{"input": text, "target": "x", "task": "t"} for text in texts])


def _trained(factory: str, construction: int, search: int, vectors: np.ndarray) -> Any:
    """As DEFT's script makes it, but for one long step that changes the order of the codes alone."""
    index = faiss.index_factory(16, factory)
    inner = faiss.downcast_index(index.index)
    inner.hnsw.efConstruction, inner.hnsw.efSearch = construction, search
    faiss.downcast_index(inner.storage).do_polysemous_training = False
    index.train(vectors)
    return index


@pytest.fixture
def published(texts: List[str], tiny_model: Any, tmp_path: Path) -> Path:
    """Of the encoder's mean states, with other sizes than the published ones."""
    vectors = TransformerEncoder(tiny_model("t5")).encode(texts)
    index = _trained("OPQ8_8,HNSW16,PQ8", 50, 40, vectors)
    for start in range(0, ROWS, 100):
        index.add(vectors[start : start + 100])
    folder = tmp_path / "published"
    folder.mkdir()
    faiss.write_index(index, str(folder / f"{NAME}.index"))
    about = {"neighbors_per_node": 16, "construction_depth": 50, "search_depth": 40, "encoding_dim": 8}
    (folder / f"{NAME}_hyperparameters.json").write_text(json.dumps({**about, "sq_train_size": 250}))
    return folder


def test_a_retrieval_searches_it(
    published: Path, pool: str, texts: List[str], tiny_model: Any, allennlp: Any, write_jsonl: Any, tmp_path: Path
) -> None:
    base, index = tiny_model("t5"), tmp_path / "index"
    command = ["import-artefact", "deft_index", published, "--pool", pool, "--model-name", base, "-s", index]
    result = allennlp(*command)
    settings = "factory 'OPQ8_8,HNSW16,PQ8', train_rows 250, parameters 'efConstruction=50,efSearch=40'"
    assert result.status == 0 and f"an index of 300 rows, of a retriever faiss with metric 'l2', {settings}" in (
        result.stdout
    ), result.stderr
    before = (index / "manifest.json").read_bytes()
    queries = write_jsonl("queries.jsonl", [{"input": text} for text in texts[:5]])
    retriever = {
        "type": "faiss",
        "encoder": {"type": "transformer", "model_name": base},
        "metric": "l2",
        "factory": "OPQ8_8,HNSW16,PQ8",
        "parameters": "efConstruction=50,efSearch=40",
        "train_rows": 250,
        "index": str(index),
    }
    config = tmp_path / "retrieve.json"
    pool_and_queries = {"pool": {"path": pool}, "queries": {"path": queries, "reader": READER}, "neighbours": 7}
    config.write_text(json.dumps({**pool_and_queries, "retriever": retriever}))
    result = allennlp("retrieve", config, "-s", tmp_path / "rows")
    assert result.status == 0, result.stderr
    assert (index / "manifest.json").read_bytes() == before  # Nothing was encoded or built anew.
    rows = [json.loads(line) for line in (tmp_path / "rows" / "retrieved.jsonl").read_text().splitlines()]
    own = faiss.read_index(str(published / f"{NAME}.index"))
    found = own.search(TransformerEncoder(base).encode(texts[:5]), 7)[1]
    assert [row["index_id"] for row in rows] == sorted(set(found.flatten().tolist()))


def test_the_published_settings_are_those_of_the_preset(
    texts: List[str], pool: str, tiny_model: Any, tmp_path: Path
) -> None:
    """But for the size of the vectors, which are too short here."""
    index = _trained("OPQ8_16,HNSW512,PQ8", 200, 128, TransformerEncoder(tiny_model("t5")).encode(texts))
    faiss.write_index(index, str(tmp_path / "a.index"))
    identity = DeftIndex(str(tmp_path / "a.index"), pool, tiny_model("t5")).identity({})
    factory, parameters = PRESETS["deft"](ROWS, 16)
    assert (identity["factory"], identity["parameters"], identity["train_rows"]) == (factory, parameters, 1_000_000)


def test_what_is_none(
    published: Path, pool: str, texts: List[str], tiny_model: Any, allennlp: Any, tmp_path: Path
) -> None:
    def refused(path: Path, message: str, rows: str = pool, model: str = tiny_model("t5")) -> None:
        command = ["import-artefact", "deft_index", path, "--pool", rows, "--model-name", model]
        result = allennlp(*command, "-s", tmp_path / "index")
        assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr
        assert not (tmp_path / "index").exists()

    turned = tmp_path / "turned.jsonl"
    turned.write_text("".join(json.dumps({"input": text, "target": "x"}) + "\n" for text in reversed(texts)))
    refused(published, "it is of another pool or order of rows, or not of", str(turned))
    turned.write_text("".join(turned.read_text().splitlines(keepends=True)[1:]))
    refused(published, f"{NAME}.index: an index of 300 rows; {turned} has 299", str(turned))
    flat = faiss.IndexFlatL2(16)
    flat.add(np.ones((ROWS, 16), dtype=np.float32))
    faiss.write_index(flat, str(tmp_path / "flat.index"))
    refused(tmp_path / "flat.index", "not an index of DEFT's, such as OPQ8_512,HNSW512,PQ8, but a IndexFlatL2")
    (tmp_path / "text.index").write_text("neither" * 100)
    refused(tmp_path / "text.index", "text.index: not an index of DEFT's, such as OPQ8_512,HNSW512,PQ8: ")
    (published / f"{NAME}_hyperparameters.json").write_text("[]")
    refused(published, "has no number under `sq_train_size`")
    (published / "b.index").write_text("x")
    refused(published, f"one index, *.index, is expected; there is b.index, {NAME}.index")
