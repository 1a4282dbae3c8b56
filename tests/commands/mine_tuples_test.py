import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
from transformers import AutoConfig, AutoModelForSeq2SeqLM

from attribution.mining import LossMiner
from attribution.rerankers import CrossEncoderReranker
from tests.mining.conftest import mixture, mixture_path  # noqa: F401
from tests.rerankers import conftest as rerankers  # noqa: F401  registers the reranker "tests_nearness"

RECROSS = Path(__file__).parents[2] / "training_config" / "recross"


@pytest.fixture
def config(mixture_path: str, tiny_model: Any, tmp_path: Path) -> Callable[..., str]:  # noqa: F811
    settings: Dict[str, Any] = {
        "type": "loss",
        "model": {"type": "seq2seq", "model_name": tiny_model("t5")},
        "retriever": {"type": "random"},
        "query_tasks": ["queries"],
        "size": 4,
        "queries": 3,
        "held_out": 8,
        "neighbours": 20,
        "candidates": 24,
        "group_size": 3,
        "rounds": 8,
        "positives": 3,
        "negatives": 5,
        "learning_rate": 0.03,
        "max_norm": 1.0,
    }

    def make(dev_share: float = 0.25, pool: Any = None, **changes: Any) -> str:
        path = tmp_path / "mine.jsonnet"
        miner = changes if "groups" in changes and changes.get("type") == "groups" else {**settings, **changes}
        path.write_text(
            json.dumps({"pool": {"path": mixture_path, **(pool or {})}, "miner": miner, "dev_share": dev_share})
        )
        return str(path)

    return make


def _lines(path: Path) -> List[Dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _products(folder: Path) -> Dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}


def _task(triple: List[Any]) -> str:
    return triple[2].split("|")[0]


def test_the_useful_task_is_found_and_the_reranker_learns_it(
    config: Any,
    tiny_classifier: Any,
    write_jsonl: Any,
    monkeypatch: pytest.MonkeyPatch,
    allennlp: Any,
    tmp_path: Path,
) -> None:
    result = allennlp("mine-tuples", config(), "-s", tmp_path / "tuples")
    assert result.status == 0, result.stderr
    tuples = _lines(tmp_path / "tuples" / "train.jsonl")
    positives = [_task(triple) == "useful" for one in tuples for triple in one["positive_examples"]]
    negatives = [_task(triple) == "useful" for one in tuples for triple in one["negative_examples"]]
    assert np.mean(positives) >= 0.8 and np.mean(negatives) <= 0.1
    for name, value in {
        "TRAIN_DATA_PATH": str(tmp_path / "tuples" / "train.jsonl"),
        "VALIDATION_DATA_PATH": str(tmp_path / "tuples" / "dev.jsonl"),
        "MODEL_NAME": tiny_classifier(),
        "LEARNING_RATE": "0.003",
        "WARMUP_STEPS": "2",
        "BATCH_SIZE": "16",
        "MAX_LENGTH": "40",
    }.items():
        monkeypatch.setenv(name, value)
    trained = allennlp("train", RECROSS / "reranker.jsonnet", "-s", tmp_path / "reranker")
    assert trained.status == 0, trained.stderr
    from sklearn.metrics import roc_auc_score

    new = mixture(5)[len(mixture()) :]
    others = [row for row in new if row["task"] != "queries"]
    queries = [row["input"] for row in new if row["task"] == "queries"]
    reranker = CrossEncoderReranker(str(tmp_path / "reranker"), len(others))
    scores = reranker.score(queries[:4], [row["input"] for row in others]).mean(0)
    auc = roc_auc_score([row["task"] == "useful" for row in others], scores)
    assert auc >= 0.9


def test_groups(config: Any, allennlp: Any, tmp_path: Path) -> None:
    groups = {"yes": ["queries", "useful", "absent"], "no": ["numbers", "colours"], "test": ["animals"]}
    settings = config(type="groups", groups=groups, size=20, queries=2, positives=3, negatives=4)
    for name in ("one", "two"):
        result = allennlp("mine-tuples", settings, "-s", tmp_path / name)
        assert result.status == 0, result.stderr
    assert _products(tmp_path / "one") == _products(tmp_path / "two")
    assert json.loads((tmp_path / "one" / "tuples.json").read_text()) == {
        "dev": 5,
        "train": 15,
        "test": 0,
        "tasks_not_in_the_pool": ["absent"],
        "tasks_with_too_few_rows_for_queries": [],
    }
    tuples = _lines(tmp_path / "one" / "dev.jsonl") + _lines(tmp_path / "one" / "train.jsonl")
    rows = mixture()
    of = {task: group for group, tasks in groups.items() for task in tasks}
    for mined in tuples:
        assert [len(mined[f"{kind}_examples"]) for kind in ("query", "positive", "negative")] == [2, 3, 4]
        assert {_task(triple) for triple in mined["query_examples"]} == {mined["task"]}
        group = of[mined["task"]]
        assert all(of[_task(triple)] == group != _task(triple) for triple in mined["positive_examples"])
        assert all(_task(triple) != mined["task"] for triple in mined["positive_examples"])
        assert all(of[_task(triple)] != group for triple in mined["negative_examples"])
        triples = [*mined["query_examples"], *mined["positive_examples"], *mined["negative_examples"]]
        numbers = [number for some in mined["index_ids"] for number in some]
        assert [(text, answers) for text, answers, _ in triples] == [
            (rows[number]["input"], [rows[number]["target"]]) for number in numbers
        ]
    assert {mined["task"] for mined in tuples} == {"queries", "useful", "numbers", "colours"}


def test_a_killed_mining_ends_with_the_same_bytes(
    config: Any, allennlp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(size=3, rounds=1, candidates=9, group_size=4, held_out=3)
    assert allennlp("mine-tuples", settings, "-s", tmp_path / "whole").status == 0
    real, mined = LossMiner.losses, []

    def losses(miner: LossMiner, work: Any) -> Any:
        mined.append(work.number)
        if len(mined) == 2:
            raise KeyboardInterrupt
        return real(miner, work)

    monkeypatch.setattr(LossMiner, "losses", losses)
    assert allennlp("mine-tuples", settings, "-s", tmp_path / "again").status != 0
    with (tmp_path / ".again.part" / "losses.jsonl").open("a") as file:
        file.write('{"number": 1, "tas')
    assert allennlp("mine-tuples", settings, "-s", tmp_path / "again").status == 0
    assert mined == [0, 1, 1, 2]
    assert _products(tmp_path / "again") == _products(tmp_path / "whole")


def test_tuples_of_another_model_are_not_taken_for_its_own(
    config: Any, tiny_model: Any, allennlp: Any, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_model("t5"), tmp_path / "model")
    model = {"type": "seq2seq", "model_name": str(folder)}
    settings = config(size=1, rounds=1, candidates=9, group_size=4, held_out=3, model=model)
    assert allennlp("mine-tuples", settings, "-s", tmp_path / "out").status == 0
    AutoModelForSeq2SeqLM.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(folder)
    result = allennlp("mine-tuples", settings, "-s", tmp_path / "out")
    assert result.status == 1 and "was made from something else: model.files" in result.stderr


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"size": 0}, "loss: size is 0"),
        ({"learning_rate": 0}, "learning_rate is 0, max_norm 1; both must be above 0"),
        ({"max_query_length": 0}, "loss: max_query_length is 0"),
        ({"candidates": 3}, "loss: candidates is 3; more than group_size"),
        ({"group_size": 24}, "more than group_size (24) are needed"),
        ({"query_tasks": ["absent"]}, "query_tasks are none of the pool's, ['animals'"),
        ({"queries": 24}, "no task has 24 rows for queries and one to hold out"),
        ({"neighbours": 1}, "no query set found 8 candidates"),
        ({"reranker": {"type": "tests_nearness", "size": 5}}, "reranker.size is 5, candidates 24"),
        ({"dev_share": 1}, "dev_share is 1"),
        ({"model": {"type": "pair_classifier", "model_name": "T5"}}, "use seq2seq"),
        ({"type": "groups", "groups": {"a": ["queries", "useful"]}}, "two groups are needed"),
        ({"type": "groups", "groups": {"a": ["queries"], "b": ["useful"]}}, "two groups are needed, and in one"),
        ({"type": "groups", "groups": {"a": ["queries"]}, "reserved": ["c"]}, "reserved names 'c'; the groups are"),
    ],
)
def test_mistakes_leave_nothing(
    changes: Any, message: str, config: Any, tiny_model: Any, allennlp: Any, tmp_path: Path
) -> None:
    if "model" in changes:
        changes = {"model": {"type": "pair_classifier", "model_name": tiny_model("bert")}}
    result = allennlp("mine-tuples", config(**changes), "-s", tmp_path / "out")
    assert result.status == 1 and "Traceback" not in result.stderr, result.stderr
    assert message in result.stderr
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))
