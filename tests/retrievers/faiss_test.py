import json
import logging
import time
from pathlib import Path
from typing import Any, Callable, Dict, Sequence

import faiss
import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.commands.embed import Embedding
from attribution.common.artefacts import new_artefact
from attribution.common.engines import InProcessEngine
from attribution.encoders import Encoder
from attribution.retrievers import ExactRetriever, FaissRetriever, Pool
from tests.retrievers.conftest import NumberEncoder

QUERIES = ["0", "1", "2"]


class PlainEncoder(Encoder):
    """The text n is the n-th of 700 vectors; `cut` stands for a truncation."""

    def __init__(self, cut: int = 16) -> None:
        self.cut = cut
        self.encoded = 0

    @property
    def identity(self) -> Dict[str, Any]:
        return {"type": "tests_plain", "cut": self.cut}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.encoded += len(texts)
        every = np.random.default_rng(0).standard_normal((700, 16)).astype(np.float32)
        return every[[int(text) for text in texts], : self.cut]


@pytest.fixture
def pool(write_jsonl: Callable[..., str]) -> Pool:
    rows = [{"input": str(n), "target": "x", "task": "ab"[n % 2]} for n in range(700)]
    return Pool(write_jsonl("pool.jsonl", rows))


def _vectors(pool: Pool, folder: Path) -> str:
    job = Embedding(pool, PlainEncoder(), "float32", 100)
    with new_artefact(folder, "embed", job.inputs(), {}, job.identity({})) as scratch:
        job.run(scratch, InProcessEngine())
    return str(folder)


@pytest.mark.parametrize("metric", ["inner_product", "l2"])
@pytest.mark.parametrize("is_stored", [False, True])
def test_flat_equals_exact(metric: str, is_stored: bool, pool: Pool, tmp_path: Path) -> None:
    vectors = _vectors(pool, tmp_path / "vectors") if is_stored else None
    for among in (pool, Pool(pool.path, ["a"]), pool.among([5, 3, 699])):
        exact = ExactRetriever(PlainEncoder(), metric).retrieve(among, QUERIES, 20)
        found = FaissRetriever(PlainEncoder(), "flat", metric, vectors).retrieve(among, QUERIES, 20)
        assert np.array_equal(found.ids, exact.ids)
        np.testing.assert_allclose(found.scores, exact.scores, rtol=1e-4, atol=1e-4)


def test_more_neighbours_than_rows(pool: Pool) -> None:
    found = FaissRetriever(PlainEncoder(), "HNSW8").retrieve(pool, QUERIES, 800)
    assert (np.sort(found.ids, axis=1) == [-1] * 100 + list(range(700))).all()


def test_recall_by_hand(pool: Pool, tmp_path: Path) -> None:
    index = tmp_path / "index"
    FaissRetriever(PlainEncoder(), "PQ4x4", "l2", index=str(index), recall_queries=700).retrieve(pool, QUERIES, 1)
    about = json.loads((index / "index.json").read_text())
    vectors = PlainEncoder().encode([str(n) for n in range(700)])
    approximate = faiss.read_index(str(index / "index.faiss")).search(vectors, 700)[1]
    distances = ((vectors[:, None] - vectors[None]) ** 2).sum(-1)
    for k in (10, 100, 500):
        shares = []
        for number in range(700):
            exact = [row for row in np.argsort(distances[number], kind="stable") if row != number][:k]
            found = [row for row in approximate[number] if row != number][:k]
            shares.append(len(set(exact) & set(found)) / k)
        assert about["recall"][str(k)] == pytest.approx(np.mean(shares), abs=2e-3)  # Equal codes in another order.
    assert (about["factory"], about["rows"], about["dimension"]) == ("PQ4x4", 700, 16)
    assert about["bytes_per_vector"] == (index / "index.faiss").stat().st_size / 700


def test_recall_counts_copies_alike(write_jsonl: Callable[..., str], tmp_path: Path) -> None:
    pool = Pool(write_jsonl("copies.jsonl", [{"input": f"number {n % 3}", "target": "x"} for n in range(60)]))
    FaissRetriever(NumberEncoder(), "IVF3,Flat", index=str(tmp_path / "index")).retrieve(pool, ["number 1"], 1)
    assert json.loads((tmp_path / "index" / "index.json").read_text())["recall"] == {"10": 1.0}


def test_an_index_is_made_once(pool: Pool, tmp_path: Path) -> None:
    encoder = PlainEncoder()
    one, other = (
        FaissRetriever(encoder, "IVF8,Flat", index=str(tmp_path / "index"), parameters="nprobe=3").retrieve(
            pool, QUERIES, 9
        )
        for _ in range(2)
    )
    assert encoder.encoded == 700 + 2 * len(QUERIES)
    assert np.array_equal(one.ids, other.ids) and np.array_equal(one.scores, other.scores)
    assert faiss.read_index(str(tmp_path / "index" / "index.faiss")).nprobe == 3
    names = {path.name for path in (tmp_path / "index").iterdir()}
    assert names == {"index.faiss", "index.json", "manifest.json"}


def test_a_killed_build_encodes_no_row_twice(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = PlainEncoder()
    retriever = FaissRetriever(encoder, "HNSW8", index=str(tmp_path / "index"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(FaissRetriever, "_recall", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        retriever.retrieve(pool, QUERIES, 9)
    assert not (tmp_path / "index").exists()
    found = retriever.retrieve(pool, QUERIES, 9)
    assert encoder.encoded == 700 + 2 * len(QUERIES)
    assert np.array_equal(found.ids, FaissRetriever(encoder, "HNSW8").retrieve(pool, QUERIES, 9).ids)


def test_a_build_that_is_killed_as_it_removes_its_vectors(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(folder: Path, **_: Any) -> None:
        (folder / "manifest.json").unlink()
        raise KeyboardInterrupt

    encoder = PlainEncoder()
    retriever = FaissRetriever(encoder, "SQ8", index=str(tmp_path / "index"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("attribution.retrievers.faiss.shutil.rmtree", begin)
        retriever.retrieve(pool, QUERIES, 9)
    found = retriever.retrieve(pool, QUERIES, 9)
    assert encoder.encoded == 700 + 2 * len(QUERIES)
    assert np.array_equal(found.ids, FaissRetriever(encoder, "SQ8").retrieve(pool, QUERIES, 9).ids)


@pytest.mark.parametrize("number", [0, 2])
def test_a_damaged_shard_of_a_killed_build(
    number: int, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attribution.retrievers.pool.ROWS_PER_PART", 200)
    monkeypatch.setattr("attribution.retrievers.faiss.ROWS_PER_PART", 200)
    whole = FaissRetriever(PlainEncoder(), "SQ8").retrieve(pool, QUERIES, 9)
    retriever = FaissRetriever(PlainEncoder(), "SQ8", index=str(tmp_path / "index"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("attribution.retrievers.faiss.check_widths", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        retriever.retrieve(pool, QUERIES, 9)
    files = sorted(tmp_path.rglob("vectors_*.npy"))
    assert len(files) == 4
    files[number].write_bytes(b"")
    found = retriever.retrieve(pool, QUERIES, 9)
    assert np.array_equal(found.ids, whole.ids) and np.array_equal(found.scores, whole.scores)


def test_auto_says_what_it_takes(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    retriever = FaissRetriever(PlainEncoder())
    with caplog.at_level(logging.INFO):
        retriever.retrieve(pool, QUERIES, 1)
    assert "auto takes flat for 700 rows" in caplog.text
    about = retriever.about()
    assert about["factory"] == "Flat" and about["recall"] == {"10": 1.0, "100": 1.0, "500": 1.0}


def test_an_index_of_something_else_is_refused(pool: Pool, write_jsonl: Callable[..., str], tmp_path: Path) -> None:
    index = str(tmp_path / "index")
    FaissRetriever(PlainEncoder(), "SQ8", index=index).retrieve(pool, QUERIES, 1)
    other_pool = Pool(write_jsonl("other.jsonl", [{"input": "1", "target": "x"}] * 700))
    for retriever, rows, message in (
        (FaissRetriever(PlainEncoder(8), "SQ8", index=index), pool, "encoder.cut is 16 there and 8 here"),
        (FaissRetriever(PlainEncoder(), "SQ8", index=index), other_pool, "pool.bytes is"),
        (FaissRetriever(PlainEncoder(), "SQ4", index=index), pool, "factory is 'SQ8' there and 'SQ4' here"),
        (FaissRetriever(PlainEncoder(), "SQ8", "l2", index=index), pool, "metric is 'inner_product' there"),
        (FaissRetriever(PlainEncoder(), "SQ8", index=index, seed=3), pool, "seed is 0 there and 3 here"),
    ):
        with pytest.raises(ConfigurationError, match=f"made from something else: {message}.*another directory"):
            retriever.retrieve(rows, QUERIES, 1)


def test_a_damaged_index_is_made_again(pool: Pool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    retriever = FaissRetriever(PlainEncoder(), "SQ8", index=str(tmp_path / "index"))
    retriever.retrieve(pool, QUERIES, 1)
    file = tmp_path / "index" / "index.faiss"
    whole = file.read_bytes()
    for damage, message in (
        (whole[:-100], f"has {len(whole) - 100} bytes, {len(whole)} were written"),
        (whole[:-100] + b"x" * 100, "has other content than was written"),
    ):
        time.sleep(0.01)  # A second write in the same tick of the disk's clock would look like the first.
        file.write_bytes(damage)
        retriever.retrieve(pool, QUERIES, 1)
        assert file.read_bytes() == whole and f"index.faiss {message}; it is made again" in caplog.text
    file.unlink()
    retriever.retrieve(pool, QUERIES, 1)
    assert file.read_bytes() == whole and "index.faiss is missing; it is made again" in caplog.text


def test_wrong_settings() -> None:
    with pytest.raises(ConfigurationError, match="'cosine' is none of inner_product, l2"):
        FaissRetriever(PlainEncoder(), metric="cosine")
    with pytest.raises(ConfigurationError, match="train_rows is 0"):
        FaissRetriever(PlainEncoder(), train_rows=0)
