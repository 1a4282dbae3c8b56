import json
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.modules.moe import (
    LearnedTaskRepresentation,
    RandomTaskRepresentation,
    TableTaskRepresentation,
    TaskRepresentation,
    TaskTable,
)


def make(name: str, path: Path) -> Any:
    TaskTable(["a", "b"], torch.randn(2, 5)).save(path / "table.npz")
    settings: Any = {"table": {"path": str(path / "table.npz")}, "random": {"size": 5}}
    settings["learned"] = {"tasks": ["a", "b"], "size": 5}
    return TaskRepresentation.from_params(Params({"type": name, **settings[name]}))


@pytest.mark.parametrize("name", TaskRepresentation.list_available())
def test_a_task_has_its_vector_wherever_it_stands(name: str, tmp_path: Path) -> None:
    one = make(name, tmp_path)
    vectors = one(["b", "a", "b"])
    assert one.size == 5 and vectors.shape == (3, 5)
    assert torch.equal(vectors[0], vectors[2]) and torch.equal(vectors[1:2], one(["a"]))
    assert not torch.equal(vectors[0], vectors[1])
    assert [weight.requires_grad for weight in one.parameters()] == {"learned": [True], "table": [False]}.get(name, [])


def test_random_vectors_depend_on_name_and_seed_alone() -> None:
    one, same, other = RandomTaskRepresentation(3, 1), RandomTaskRepresentation(3, 1), RandomTaskRepresentation(3, 2)
    assert torch.equal(one(["new"]), same(["old", "new"])[1:]) and not torch.equal(one(["new"]), other(["new"]))


@pytest.mark.parametrize("name", ["learned", "table"])
def test_a_task_that_is_not_in_the_table(name: str, tmp_path: Path) -> None:
    one = make(name, tmp_path)
    with pytest.raises(ConfigurationError, match="'new' is not in the task table of 2 tasks. Embed it .*embed-tasks"):
        one(["a", "new"])
    TaskTable(["new", "a"], torch.ones(2, 5)).save(tmp_path / "more.safetensors")
    state = set(one.state_dict())
    one.add_unseen(str(tmp_path / "more.safetensors"))
    vectors = one(["a", "new"])
    assert torch.equal(vectors[1], torch.ones(5)) and torch.equal(vectors[:1], one(["a"]))
    assert set(one.state_dict()) == state
    TaskTable(["other"], torch.ones(1, 4)).save(tmp_path / "four.npz")
    with pytest.raises(ConfigurationError, match="four.npz: has vectors of 4 numbers; the model's have 5"):
        one.add_unseen(str(tmp_path / "four.npz"))


def test_a_table_out_of_a_models_weights(tmp_path: Path) -> None:
    learned = LearnedTaskRepresentation(["x", "y"], size=4)
    torch.save({f"task_vectors.{name}": value for name, value in learned.state_dict().items()}, tmp_path / "best.th")
    again = TableTaskRepresentation(str(tmp_path / "best.th"))
    assert again.tasks == ["x", "y"] and torch.equal(again(["y"]), learned(["y"]))


def test_where_learned_takes_its_tasks_from(tmp_path: Path) -> None:
    (tmp_path / "split.json").write_text(json.dumps({"train": ["x", "y"], "test": ["z"]}))
    assert LearnedTaskRepresentation(str(tmp_path / "split.json"), size=2).tasks == ["x", "y"]
    for name in ("q", "p", ".hidden"):
        (tmp_path / "gym" / name).mkdir(parents=True)
    assert LearnedTaskRepresentation(str(tmp_path / "gym"), size=2).tasks == ["p", "q"]


@pytest.mark.parametrize(
    "tasks, message",
    [([], "no list of names"), (["a", "a"], "twice"), ("nowhere.json", "no folder of tasks"), (["a\nb"], "line end")],
)
def test_wrong_tasks(tasks: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        LearnedTaskRepresentation(tasks)


def test_a_size_of_nothing() -> None:
    for build in (lambda: RandomTaskRepresentation(0), lambda: LearnedTaskRepresentation(["a"], 0)):
        with pytest.raises(ConfigurationError, match="size is 0"):
            build()
