from pathlib import Path
from typing import Any, Dict, List

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.engines import InProcessEngine
from attribution.mining import GroupMiner, MinedTuple
from attribution.retrievers import Pool
from tests.mining.conftest import mixture

GROUPS = {"yes": ["queries", "useful"], "no": ["numbers", "colours", "animals"]}


def _mine(path: str, **settings: Any) -> List[MinedTuple]:
    miner = GroupMiner(**{"groups": GROUPS, "size": 30, **settings})
    return list(miner.mine(Pool(path), Path(path).parent, InProcessEngine()))


def _tasks(numbers: List[int]) -> Dict[str, None]:
    rows = mixture()
    return dict.fromkeys(str(rows[number]["task"]) for number in numbers)


def test_reserved_tasks_are_in_test_tuples_only(write_jsonl: Any) -> None:
    rows = [{**row, "task": f"{row['task']} {number % 2}"} for number, row in enumerate(mixture())]
    path = write_jsonl("halves.jsonl", rows)
    groups = {name: [f"{task} {half}" for task in tasks for half in (0, 1)] for name, tasks in GROUPS.items()}
    reserved = ["useful 0", "useful 1", "animals 0", "animals 1"]
    mined = _mine(path, groups=groups, reserved=reserved, reserved_size=5)
    assert [one.reserved for one in mined] == [False] * 30 + [True] * 5
    for one in mined:
        tasks = {str(rows[number]["task"]) for some in one[1:4] for number in some}
        assert tasks <= set(reserved) if one.reserved else not tasks & set(reserved)


def test_a_seed_is_a_list_of_tuples(mixture_path: str) -> None:
    assert _mine(mixture_path, seed=1) == _mine(mixture_path, seed=1) != _mine(mixture_path, seed=2)
    first = _mine(mixture_path)[0]
    assert [len(some) for some in first[1:4]] == [8, 8, 8] and len(set(first.queries)) == 8


def test_positives_are_of_other_tasks_of_the_group(mixture_path: str) -> None:
    for one in _mine(mixture_path):
        [group] = [tasks for tasks in GROUPS.values() if one.task in tasks]
        assert set(_tasks(one.queries)) == {one.task}
        assert set(_tasks(one.positives)) <= set(group) - {one.task}
        assert not set(_tasks(one.negatives)) & set(group)


def test_what_cannot_be_drawn(mixture_path: str) -> None:
    with pytest.raises(ConfigurationError, match="other tasks of the pool are .*at least 25 rows"):
        _mine(mixture_path, queries=25)
    with pytest.raises(ConfigurationError, match="reserved tasks of the pool are {'no': "):
        _mine(mixture_path, groups={**GROUPS, "more": ["queries"]}, reserved=["numbers"])
