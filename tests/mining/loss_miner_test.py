from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple

import numpy as np
import pytest
from allennlp.common import Lazy, Params
from allennlp.models import Model

from attribution.common.engines import InProcessEngine, RayEngine
from attribution.mining import LossMiner, MinedTuple
from attribution.mining.loss_miner import LOSSES
from attribution.mining.tuned_copy import TunedCopy
from attribution.modules.delta import FullFineTuning
from attribution.rerankers import Reranker
from attribution.retrievers import Bm25Retriever, Pool, RandomRetriever
from tests.mining.conftest import mixture


class Mining(NamedTuple):
    miner: LossMiner
    tuples: List[MinedTuple]
    works: List[Any]
    """What a worker got of each query set."""


class LongestReranker(Reranker):
    """Long texts first."""

    def score(self, queries: Any, texts: Any, engine: Any = None, scratch: Any = None) -> np.ndarray:
        return np.array([[len(text) for text in texts]] * len(queries), dtype=np.float32)


def _miner(folder: str, **settings: Any) -> LossMiner:
    small = {"size": 2, "queries": 2, "held_out": 3, "candidates": 5, "group_size": 2, "rounds": 1}
    tuples = {"positives": 1, "negatives": 1, "retriever": Bm25Retriever()}
    model = Lazy(Model, Params({"type": "seq2seq", "model_name": folder}))
    return LossMiner(model, **{**small, **tuples, **settings})


@pytest.fixture
def mine(
    tiny_model: Any, mixture_path: str, write_jsonl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Mining]:
    real = LossMiner.losses

    def run(rows: Any = None, **settings: Any) -> Mining:
        works: List[Any] = []
        monkeypatch.setattr(LossMiner, "losses", lambda miner, work: works.append(work) or real(miner, work))
        (tmp_path / LOSSES).unlink(missing_ok=True)
        path = mixture_path if rows is None else write_jsonl("rows.jsonl", rows)
        miner = _miner(tiny_model("t5"), **settings)
        return Mining(miner, list(miner.mine(Pool(path), tmp_path, InProcessEngine())), works)

    return run


def test_candidates_are_of_other_tasks_and_of_all_queries_in_turn(mine: Any) -> None:
    """In the reference nearly all are neighbours of the first query (A-4)."""
    own = [{"input": text, "target": "yes", "task": "queries"} for text in ("red ?", "mat ?", "cat", "dog")]
    others = [{"input": f"{word} {n}", "target": word, "task": word} for word in ("red", "mat") for n in range(9)]
    mining = mine(own + others, size=6, query_tasks=["queries"], candidates=6)
    assert len(mining.works) == 6
    for work, mined in zip(mining.works, mining.tuples):
        words = [text.split()[0] for text, _ in work.candidates]
        asked = {own[number]["input"].split()[0] for number in mined.queries} & {"red", "mat"}
        assert len(work.held_out) == 2 and len(words) == (6 if asked else 0)
        if len(asked) == 2:
            assert (words.count("red"), words.count("mat")) == (3, 3)


def test_the_lowest_losses_are_positive_and_full_copies_are_possible(mine: Any, tmp_path: Path) -> None:
    import json

    mining = mine(size=1, delta=FullFineTuning(), positives=2)
    assert mining.miner.learning_rate == 3e-5 and _miner("x").learning_rate == 1e-3
    line = json.loads((tmp_path / LOSSES).read_text())
    order = [line["candidates"][place] for place in np.argsort(line["losses"], kind="stable")]
    [mined] = mining.tuples
    assert mined.positives == order[:2] and mined.negatives == order[-1:]
    assert line["untuned"] > 0 and not (tmp_path / "candidates.json").exists()


def test_small_tasks_empty_answers_and_few_candidates_are_counted(mine: Any) -> None:
    rows = [*mixture(1), {"input": "lonely", "target": "yes", "task": "lonely"}]
    rows[3] = {**rows[3], "target": " "}
    mining = mine(rows, neighbours=2, held_out=9)
    assert mining.miner.about() == {
        "tasks_with_too_few_rows_for_queries": ["lonely"],
        "query_sets_with_fewer_held_out_rows_than_asked": 2,
        "rows_without_an_answer": 1,
        "query_sets_with_too_few_candidates": 0,
        "query_sets_with_fewer_candidates_than_asked": 2,
    }
    assert len(mining.tuples) == 2
    assert all(answer.strip() for work in mining.works for _, answer in work.candidates + work.held_out)


def test_groups_draw_a_group_first(mine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TunedCopy, "tune", lambda *_: None)
    groups = {"one": ["queries"], "many": ["useful", "numbers", "colours"]}
    mining = mine(size=12, groups=groups, held_out=1)
    assert 3 <= sum(mined.task == "queries" for mined in mining.tuples) <= 9


def test_a_reranker_chooses_the_candidates(mine: Any) -> None:
    """What the second iteration of the bootstrap does."""
    plain = mine(size=1, neighbours=12, candidates=15, retriever=RandomRetriever())
    chosen = mine(size=1, neighbours=12, reranker=LongestReranker(5, 3.0), retriever=RandomRetriever())
    longest = sorted((len(text) for text, _ in plain.works[0].candidates), reverse=True)[:5]
    assert [len(text) for text, _ in chosen.works[0].candidates] == longest


@pytest.mark.parametrize("group_size, sizes", [(2, [2, 2, 1]), (3, [3, 2]), (4, [3, 2])])
def test_an_odd_group_size(group_size: int, sizes: List[int], mine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five candidates: groups differ by one row at most, and none is left out."""
    found = []
    monkeypatch.setattr(TunedCopy, "tune", lambda copy, examples, generator: found.append(len(examples)))
    mine(size=1, group_size=group_size)
    assert found == sizes


def test_workers_do_not_change_a_byte(
    tiny_model: Any, mixture_path: str, ray_engines: Dict[int, RayEngine], tmp_path: Path
) -> None:
    products = []
    for workers in (1, 2):
        (tmp_path / str(workers)).mkdir()
        list(_miner(tiny_model("t5")).mine(Pool(mixture_path), tmp_path / str(workers), ray_engines[workers]))
        products.append((tmp_path / str(workers) / LOSSES).read_bytes())
    assert products[0] == products[1] and products[0].count(b"\n") == 2
