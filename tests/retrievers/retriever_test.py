"""One contract for every retriever."""

import gzip
from pathlib import Path
from typing import Any, Callable, Dict

import numpy as np
import pytest

from attribution.common.engines import RayEngine
from attribution.retrievers import (
    BalancedRandomRetriever,
    Bm25Retriever,
    ExactRetriever,
    FaissRetriever,
    FrequencyAggregator,
    GroupRemovalRetriever,
    LuceneRetriever,
    MeanScoreAggregator,
    Pool,
    QuotaAggregator,
    RandomRetriever,
    RankCutAggregator,
    Retriever,
    RoundRobinAggregator,
    TwoStageRetriever,
)
from tests.retrievers.conftest import CuttingEncoder, NumberEncoder

QUERIES = ["number 3", "number 17", "number 3"]


def _lucene() -> Retriever:
    pytest.importorskip("pyserini", reason="make test-lucene has it")
    return LuceneRetriever(threads=2)


RETRIEVERS: Dict[str, Callable[[], Retriever]] = {
    "balanced_random": lambda: BalancedRandomRetriever(seed=5),
    "bm25": lambda: Bm25Retriever(),
    "exact": lambda: ExactRetriever(NumberEncoder()),
    "exact l2": lambda: ExactRetriever(NumberEncoder(), metric="l2"),
    "faiss": lambda: FaissRetriever(NumberEncoder(), "Flat"),
    "group_removal": lambda: GroupRemovalRetriever(ExactRetriever(NumberEncoder()), {"other": ["c"]}, ["other"]),
    "lucene": _lucene,
    "random": lambda: RandomRetriever(seed=5),
    "two_stage": lambda: TwoStageRetriever(Bm25Retriever(), ExactRetriever(NumberEncoder()), candidates=40),
}


@pytest.fixture
def pool_path(name: str, pool_path: str) -> str:
    if name == "group_removal":  # Rows that would be found first, and are not in the pool for it.
        with open(pool_path, "a") as file:
            file.write('{"input": "number 3", "target": "x", "task": "c"}\n' * 5)
    return pool_path


def _set_part_size(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    for module in ("pool", "faiss"):
        monkeypatch.setattr(f"attribution.retrievers.{module}.ROWS_PER_PART", rows)


@pytest.mark.parametrize("name", RETRIEVERS)
def test_contract(name: str, pool_path: str) -> None:
    found = RETRIEVERS[name]().retrieve(Pool(pool_path), QUERIES, 4)
    assert found.ids.shape == found.scores.shape == (3, 4)
    assert found.ids.dtype == np.int64 and found.scores.dtype == np.float32
    assert all(len(set(row)) == 4 and set(row) <= set(range(40)) for row in found.ids)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    again = RETRIEVERS[name]().retrieve(Pool(pool_path), QUERIES, 4)
    assert (again.ids == found.ids).all() and (again.scores == found.scores).all()
    # What is excluded is never found; where the pool is too small, -1 stands at the end.
    few = RETRIEVERS[name]().retrieve(Pool(pool_path, ["a"]), QUERIES, 12)
    assert (np.sort(few.ids, axis=1) == [-1, -1, *range(30, 40)]).all()
    assert (few.ids[:, 10:] == -1).all() and np.isneginf(few.scores[:, 10:]).all()


@pytest.mark.parametrize("name", RETRIEVERS)
def test_shards_in_a_folder_are_as_one_file(name: str, pool_path: str, tmp_path: Path) -> None:
    lines = Path(pool_path).read_bytes().splitlines(keepends=True)
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "part-0.jsonl").write_bytes(b"".join(lines[:13]))
    (tmp_path / "shards" / "part-1.jsonl.gz").write_bytes(gzip.compress(b"".join(lines[13:14])))
    (tmp_path / "shards" / "part-2.jsonl").write_bytes(b"".join(lines[14:]))
    for exclude in ([], ["a"]):
        one, several = Pool(pool_path, exclude), Pool(str(tmp_path / "shards"), exclude)
        expected = RETRIEVERS[name]().retrieve(one, QUERIES, 12)
        found = RETRIEVERS[name]().retrieve(several, QUERIES, 12)
        assert (found.ids == expected.ids).all() and (found.scores == expected.scores).all()
        assert several.tasks == one.tasks


@pytest.mark.parametrize("name", RETRIEVERS)
def test_wrong_answers_are_never_found(name: str, pool_path: str, caplog: pytest.LogCaptureFixture) -> None:
    wrong = b'{"input": "number 3", "target": "x", "task": "a", "is_correct": false}\n'
    Path(pool_path).write_bytes(wrong * 3 + Path(pool_path).read_bytes() + wrong * 2)
    pool = Pool(pool_path)
    found = RETRIEVERS[name]().retrieve(pool, QUERIES, 4)
    assert ((found.ids >= 3) & (found.ids < 43)).all()
    assert pool.wrong_answers == 5 and pool.tasks["a"] == 30
    assert caplog.text.count("pool.jsonl: 5 rows are left out: not marked as correct") == 1


@pytest.mark.parametrize("name", RETRIEVERS)
def test_workers_do_not_change_a_byte(
    name: str, ray_engines: Dict[int, RayEngine], pool_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_part_size(monkeypatch, 6)
    here = RETRIEVERS[name]().retrieve(Pool(pool_path), QUERIES, 4)
    for engine in ray_engines.values():
        there = RETRIEVERS[name]().retrieve(Pool(pool_path), QUERIES, 4, engine)
        assert (there.ids == here.ids).all() and (there.scores == here.scores).all()


@pytest.mark.parametrize("name", RETRIEVERS)
def test_part_sizes_do_not_matter(name: str, pool_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = RETRIEVERS[name]().retrieve(Pool(pool_path), QUERIES, 12)
    _set_part_size(monkeypatch, 3)
    monkeypatch.setattr("attribution.retrievers.bm25._PARTS_PER_BLOCK", 2)
    parts = RETRIEVERS[name]().retrieve(Pool(pool_path), QUERIES, 12)
    # A product of other shapes may round its last digit differently: then rows at equal distances change places.
    np.testing.assert_allclose(parts.scores, whole.scores, atol=1e-6)


CUT: Dict[str, Callable[[], Retriever]] = {
    "exact": lambda: ExactRetriever(CuttingEncoder()),
    "faiss": lambda: FaissRetriever(CuttingEncoder(), "Flat"),
    "group_removal": lambda: GroupRemovalRetriever(ExactRetriever(CuttingEncoder()), {"other": ["b"]}, ["other"]),
    "two_stage": lambda: TwoStageRetriever(ExactRetriever(CuttingEncoder()), FaissRetriever(CuttingEncoder(), "Flat")),
}
# Two of four queries, and every seventh row.
LONG_QUERIES = ["a long number 3", "number 17", "number 3", "the number 5"]
LONG_ROWS = [{"input": f"{'such a ' * (n % 7 == 0)}number {n}", "target": "x", "task": "ab"[n % 2]} for n in range(40)]


@pytest.mark.parametrize("name", CUT)
def test_all_say_how_many_texts_were_cut(name: str, write_jsonl: Callable[..., str]) -> None:
    retriever = CUT[name]()
    for _ in range(2):  # Of the last search.
        retriever.retrieve(Pool(write_jsonl("long.jsonl", LONG_ROWS)), LONG_QUERIES, 4)
        about = retriever.about()
        if name == "two_stage":
            assert [about[stage]["texts_cut"] for stage in ("first", "second")] == [2 + 6, 2 + 6]
        else:
            assert about["texts_cut"] == 2 + (3 if name == "group_removal" else 6)


@pytest.mark.parametrize("name", RETRIEVERS)
def test_where_none_is_cut_nothing_is_said(name: str, pool_path: str) -> None:
    retriever = RETRIEVERS[name]()
    retriever.retrieve(Pool(pool_path), QUERIES, 4)
    assert "texts_cut" not in str(retriever.about())


def test_every_retriever_with_an_encoder_is_asked_for_cut_texts() -> None:
    asked = {type(make()) for make in CUT.values()}
    names = [name for name in Retriever.list_available() if not name.startswith("tests_")]
    encoding = [kind for kind in map(Retriever.by_name, names) if "encoder" in kind.__init__.__code__.co_varnames]
    assert {ExactRetriever, FaissRetriever} <= set(encoding) <= asked


class _Interrupted(CuttingEncoder):
    def __init__(self, most: int) -> None:
        self.most = most

    def encode(self, texts: Any) -> np.ndarray:
        self.most -= 1
        if self.most < 0:
            raise KeyboardInterrupt
        return super().encode(texts)


@pytest.mark.parametrize("most", [1, 2, 5, 6, 9])
def test_a_search_that_goes_on_counts_each_cut_text_once(
    most: int, write_jsonl: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_part_size(monkeypatch, 4)
    pool = Pool(write_jsonl("long.jsonl", LONG_ROWS))
    index = str(tmp_path / "index")
    kinds: Dict[str, Callable[[Any], Retriever]] = {
        "exact": lambda encoder: ExactRetriever(encoder),
        "faiss": lambda encoder: FaissRetriever(encoder, "Flat", index=index),
    }
    for make in kinds.values():
        with pytest.raises(KeyboardInterrupt):
            make(_Interrupted(most)).retrieve(pool, LONG_QUERIES, 4, scratch=tmp_path)
        retriever = make(CuttingEncoder())
        retriever.retrieve(pool, LONG_QUERIES, 4, scratch=tmp_path)
        assert retriever.about()["texts_cut"] == 2 + 6
    # The index is there now: its rows were cut when it was made.
    again = kinds["faiss"](CuttingEncoder())
    again.retrieve(pool, LONG_QUERIES[:2], 4)
    assert again.about()["texts_cut"] == 1 + 6


@pytest.mark.parametrize("name", ["bm25", "lucene"])
def test_a_query_without_a_known_word_finds_nothing_through_all(name: str, write_jsonl: Callable[..., str]) -> None:
    """Not the last rows with a score of 0: not alone, not by groups, not in two stages."""
    rows = [
        {"input": f"{'odd' if n % 2 else 'even'} number {n}", "target": "x", "task": "abc"[n % 3]} for n in range(9)
    ]
    pool, queries = Pool(write_jsonl("few.jsonl", rows)), ["unheard-of 99", "odd 2 99", "the 99"]
    words = RETRIEVERS[name]
    found = words().retrieve(pool, queries, 7)
    assert [sorted(row[row >= 0]) for row in found.ids] == [[], [1, 2, 3, 5, 7], []]
    assert (np.isneginf(found.scores) == (found.ids < 0)).all()
    removed = GroupRemovalRetriever(words(), {"one": ["b"], "none": ["z"]}, ["one"]).retrieve(pool, queries, 7)
    assert [sorted(row[row >= 0]) for row in removed.ids] == [[], [2, 3, 5], []]
    again = TwoStageRetriever(words(), Bm25Retriever(), candidates=7).retrieve(pool, queries, 7)
    assert [sorted(row[row >= 0]) for row in again.ids] == [[], [1, 2, 3, 5, 7], []]
    dense = TwoStageRetriever(words(), ExactRetriever(NumberEncoder()), candidates=7)
    assert sorted(dense.retrieve(pool, ["odd 99"], 7).ids[0]) == [-1, -1, -1, 1, 3, 5, 7]
    none = dense.retrieve(pool, queries[::2], 7)
    assert (none.ids == -1).all() and np.isneginf(none.scores).all()
    for aggregator in (
        FrequencyAggregator(),
        MeanScoreAggregator(),
        QuotaAggregator(5),
        RankCutAggregator(5),
        RoundRobinAggregator(),
    ):
        ranked = aggregator.aggregate(found)
        assert sorted(ranked.ids.tolist()) == [1, 2, 3, 5, 7] and (ranked.frequencies == 1).all()
        assert len(aggregator.aggregate(none).ids) == 0
