import json
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import faiss
import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.artefacts import new_artefact
from attribution.common.engines import Engine, InProcessEngine, RayEngine
from attribution.encoders import Vectors
from attribution.encoders.vectors import shards, write_shard
from attribution.retrievers import faiss_index
from attribution.retrievers.faiss_index import PRESETS, IndexSearch, Recipe, build, load_faiss, preset_for, read_index

MERGED = ["Flat", "SQ8", "PCA16,SQ8", "IVF8,Flat", "PCA16,IVF8,SQ8", "PQ4x4", "OPQ4,IVF8,PQ4x4"]
GROWN = ["HNSW8", "PCA16,HNSW8,SQ8"]


@pytest.fixture(autouse=True)
def small_blocks_in_one_thread(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(faiss_index, "ROWS_PER_BLOCK", 150)
    monkeypatch.setattr(faiss_index, "BLOCKS_PER_SAVE", 2)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(threads)


def stored(folder: Path, vectors: np.ndarray) -> Vectors:
    identity = {"encoder": {}, "pool": {}, "rows": len(vectors), "shard_rows": 400}
    with new_artefact(folder / "vectors", "embed", [], {}, identity) as scratch:
        for shard in shards(len(vectors), 400):
            write_shard(scratch, shard, vectors[shard.first : shard.end])
    return Vectors(folder / "vectors")


@pytest.fixture
def vectors(tmp_path: Path) -> Vectors:
    return stored(tmp_path, np.random.default_rng(0).standard_normal((1000, 32)).astype(np.float32))


def recipe(factory: str, metric: str = "l2", parameters: str = "") -> Recipe:
    return Recipe(factory, metric, parameters, 1000, 0)


def made(factory: str, vectors: Vectors, folder: Path, engine: Engine) -> Any:
    folder.mkdir(exist_ok=True)
    return build(recipe(factory), vectors, folder, engine)


def same(one: Any, other: Any) -> bool:
    return np.array_equal(faiss.serialize_index(one), faiss.serialize_index(other))


@pytest.mark.parametrize("factory", MERGED)
def test_merged_blocks_equal_one_build(
    factory: str, vectors: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged = made(factory, vectors, tmp_path / "merged", InProcessEngine())
    monkeypatch.setattr(faiss_index, "_can_merge", lambda *_: False)
    single = made(factory, vectors, tmp_path / "single", InProcessEngine())
    assert merged.ntotal == 1000 and same(merged, single)
    # All rows at once: a product of another shape may round its last digit differently, and so a code.
    monkeypatch.setattr(faiss_index, "ROWS_PER_BLOCK", 1000)
    at_once = made(factory, vectors, tmp_path / "at_once", InProcessEngine())
    queries = vectors.take(np.arange(50))
    found, wanted = (IndexSearch(index).nearest(queries, 10) for index in (merged, at_once))
    assert (found.ids == wanted.ids).mean() > 0.99
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-3, atol=1e-3)


def test_ray_equals_one_process(vectors: Vectors, tmp_path: Path, ray_engines: Dict[int, RayEngine]) -> None:
    there = made("PCA16,IVF8,SQ8", vectors, tmp_path / "there", ray_engines[2])
    assert same(there, made("PCA16,IVF8,SQ8", vectors, tmp_path / "here", InProcessEngine()))


@pytest.mark.parametrize("factory", ["PCA16,IVF8,SQ8", *GROWN])
def test_a_build_goes_on_where_it_was_stopped(
    factory: str, vectors: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "stopped"
    take, taken = Vectors.take, []

    def stop(self: Vectors, numbers: np.ndarray) -> np.ndarray:
        taken.append(numbers[0])
        if numbers[0] == 450:
            raise KeyboardInterrupt
        return take(self, numbers)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Vectors, "take", stop)
        made(factory, vectors, folder, InProcessEngine())
    assert taken == [0, 0, 150, 300, 450]  # The first time to train.
    assert [path.name for path in folder.iterdir()] == ["partial.faiss"]
    assert faiss.read_index(str(folder / "partial.faiss")).ntotal == 300
    stopped = made(factory, vectors, folder, InProcessEngine())
    assert same(stopped, made(factory, vectors, tmp_path / "whole", InProcessEngine()))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("metric", ["l2", "inner_product"])
@pytest.mark.parametrize("factory", ["Flat", "IVF8,Flat", "HNSW8", "PQ4x4", "HNSW8,SQ8", "PCA16,IVF8,SQ8", "SQ8,RFlat"])
def test_only_allowed_rows_are_found_and_all_of_them(
    factory: str, metric: str, vectors: Vectors, tmp_path: Path
) -> None:
    index = build(recipe(factory, metric), vectors, tmp_path, InProcessEngine())
    queries = vectors.take(np.arange(5))
    for allowed in (np.arange(0, 1000, 7), np.array([3, 500])):
        for k in (1, 20, 2000):
            found = IndexSearch(index, allowed).nearest(queries, k)
            assert found.ids.shape == found.scores.shape == (5, k)
            rows = min(k, len(allowed))
            assert all(set(row[:rows]) <= set(allowed) and len(set(row[:rows])) == rows for row in found.ids.tolist())
            assert (found.ids[:, rows:] == -1).all() and np.isneginf(found.scores[:, rows:]).all()
            assert (np.diff(found.scores[:, :rows]) <= 0).all()


@pytest.mark.parametrize("factory", [*MERGED, *GROWN])
def test_memory_mapped_reading_finds_the_same(factory: str, vectors: Vectors, tmp_path: Path) -> None:
    index = build(recipe(factory), vectors, tmp_path, InProcessEngine())
    faiss_index.write_index(index, tmp_path / "index.faiss")
    queries = vectors.take(np.arange(9))
    one, other = (
        IndexSearch(any_index).nearest(queries, 9)
        for any_index in (index, read_index(tmp_path / "index.faiss", factory))
    )
    assert np.array_equal(one.ids, other.ids) and np.array_equal(one.scores, other.scores)


def test_of_equal_scores_the_first_row_first(tmp_path: Path) -> None:
    vectors = stored(tmp_path, np.tile(np.eye(4, dtype=np.float32), (100, 1)))
    index = build(recipe("IVF4,Flat"), vectors, tmp_path, InProcessEngine())
    assert IndexSearch(index).nearest(np.eye(4, dtype=np.float32), 100).ids[1].tolist() == list(range(1, 400, 4))


def test_deft_as_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    factory, parameters = PRESETS["deft"](10**8, 2048)
    assert (factory, parameters) == ("OPQ8_512,HNSW512,PQ8", "efConstruction=200,efSearch=128")
    assert PRESETS["deft"](10**8, 384)[0] == "OPQ8_384,HNSW512,PQ8"
    monkeypatch.setattr(faiss_index, "ROWS_PER_BLOCK", 1000)
    # A rotation learnt in full takes a minute here: the same index with one that was drawn.
    vectors = stored(tmp_path, np.random.default_rng(0).standard_normal((2000, 600)).astype(np.float32))
    index = build(recipe(factory.replace("OPQ8_512", "RR512"), "l2", parameters), vectors, tmp_path, InProcessEngine())
    graph = faiss.downcast_index(index.index)
    assert (graph.hnsw.efConstruction, graph.hnsw.efSearch, graph.hnsw.nb_neighbors(1)) == (200, 128, 512)
    assert isinstance(faiss.downcast_index(graph.storage), faiss.IndexPQ) and graph.d == 512 and index.d == 600
    queries = vectors.take(np.arange(20))
    exact = faiss.knn(queries, vectors.take(np.arange(2000)), 1)[1][:, 0]
    assert (IndexSearch(index).nearest(queries, 50).ids == exact[:, None]).any(axis=1).mean() > 0.9


def test_every_preset(tmp_path: Path) -> None:
    assert [preset_for(rows) for rows in (100, 10**9)] == ["flat", "ivf"]
    vectors = stored(tmp_path, np.random.default_rng(0).standard_normal((500, 16)).astype(np.float32))
    for name in sorted(set(PRESETS) - {"deft"}):
        factory, parameters = PRESETS[name](500, 16)
        index = build(recipe(factory, "inner_product", parameters), vectors, tmp_path, InProcessEngine())
        assert index.ntotal == 500


WRONG: List[Any] = [
    (recipe("Flatt"), r"faiss Flatt: .*could not parse index string Flatt"),
    (recipe("Flat", parameters="nprobe=2"), r"faiss Flat nprobe=2: .*could not set parameter nprobe"),
    (recipe("IVF2000,Flat"), r"faiss IVF2000,Flat: .*should be at least as large"),
    (recipe("HNSW8,PQ4x4", "inner_product"), r"HNSW8,PQ4x4 for one metric only: say metric: 'l2'"),
]


@pytest.mark.parametrize("wrong, message", WRONG)
def test_wrong_settings(wrong: Recipe, message: str, vectors: Vectors, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=message) as error:
        build(wrong, vectors, tmp_path, InProcessEngine())
    assert "\n" not in str(error.value), json.dumps(str(error.value))


def test_without_faiss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ConfigurationError, match="pip install faiss-cpu"):
        load_faiss()


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_what_an_interrupted_build_left_is_not_used_if_it_is_damaged(
    content: Optional[bytes], vectors: Vectors, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    partial = tmp_path / "partial.faiss"
    if content is None:
        faiss.write_index(faiss.IndexFlatL2(3), str(partial))
    else:
        partial.write_bytes(content)
    index = made("SQ8", vectors, tmp_path, InProcessEngine())
    assert same(index, made("SQ8", vectors, tmp_path, InProcessEngine()))
    assert str(partial) in caplog.text
