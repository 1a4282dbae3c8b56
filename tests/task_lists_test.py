"""The task lists in data/ are complete, and fit each other."""

import json
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

from allennlp.common import Params

DATA = Path(__file__).parents[1] / "data"


def _load(name: str) -> Any:
    return json.loads((DATA / name).read_text())


def test_jsonnet_imports_them(tmp_path: Path) -> None:
    config = tmp_path / "config.jsonnet"
    config.write_text(f"{{ tasks: (import '{DATA}/recross_tasks.json').T0 }}")
    assert Params.from_file(str(config))["tasks"][0] == "glue-mrpc"


def test_recross() -> None:
    tasks = _load("recross_tasks.json")
    groups = tasks.pop("groups")
    assert {name: len(listed) for name, listed in tasks.items()} == {
        "T0": 36,
        "T0p": 46,
        "T0pp": 52,
        "evaluation": 9,
        "targets": 10,
        "big_bench": 6,
        "CSR_upstream": 18,
        "CSR_targets": 13,
        "hidden": 7,
    }
    assert all(len(set(listed)) == len(listed) for listed in tasks.values())
    assert {name: len(listed) for name, listed in groups.items()} == {
        "multiple_choice_qa": 8,
        "summarization": 5,
        "extractive_qa": 7,
        "sentiment": 5,
        "closed_book_qa": 3,
        "structure_to_text": 3,
        "topic_classification": 2,
        "paraphrase_identification": 3,
    }
    upstream = set(tasks["T0"])
    assert upstream < set(tasks["T0p"]) < set(tasks["T0pp"])
    assert sorted(chain(*groups.values())) == sorted(upstream)
    assert set(tasks["hidden"]) < upstream
    assert not upstream & {*tasks["targets"], *tasks["evaluation"], *tasks["big_bench"]}
    assert not set(tasks["CSR_upstream"]) & set(tasks["CSR_targets"])
    # With the larger mixtures some targets are no unseen tasks any more; the published code does not look.
    assert set(tasks["T0p"]) & set(tasks["targets"]) == {
        "ai2_arc-ARC-Challenge", "hellaswag", "openbookqa-main", "piqa", "squad_v2",
    }  # fmt: skip


def test_every_hidden_task_has_others_in_its_group() -> None:
    tasks = _load("recross_tasks.json")
    for group in tasks["groups"].values():
        assert len(set(group) - set(tasks["hidden"])) >= 2


def test_few_shot_gym() -> None:
    tasks = _load("few_shot_gym.json")
    assert len(tasks) == 160 and list(tasks) == sorted(tasks)
    assert Counter(task["metric"] for task in tasks.values()) == {
        "ACC": 51,
        "Classification-F1": 51,
        "EM": 28,
        "Rouge-L": 17,
        "QA-F1": 9,
        "Pearson-Correlation": 3,
        "Matthew-Correlation": 1,
    }
    assert Counter(task["category"] for task in tasks.values()) == {
        "classification": 65,
        "qa": 51,
        "other": 31,
        "conditional generation": 13,
    }
    assert len({(task["category"], task["kind"]) for task in tasks.values()}) == 22


def test_the_random_partition_of_the_gym() -> None:
    parts = _load("few_shot_gym_random.json")
    assert {name: len(listed) for name, listed in parts.items()} == {"train": 120, "dev": 20, "test": 20}
    assert sorted(chain(*parts.values())) == sorted(_load("few_shot_gym.json"))


def test_weight_ensembling() -> None:
    tasks = _load("weight_ensembling_tasks.json")
    sizes = {name: len(listed) for name, listed in tasks["categories"].items()}
    assert sizes == {
        "machine_reading_comprehension": 3,
        "multiple_choice_qa": 19,
        "binary": 2,
        "long_form_qa": 3,
        "closed_book_qa": 5,
    }
    questions = list(chain(*tasks["categories"].values()))
    assert len(set(questions)) == 32 and len({*questions, *tasks["not_qa"]}) == 51
    gym = _load("few_shot_gym.json")
    assert {*questions, *tasks["not_qa"]} <= set(gym)
    assert {gym[name]["category"] for name in questions} == {"qa"}
