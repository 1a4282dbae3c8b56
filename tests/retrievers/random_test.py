from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.retrievers import BalancedRandomRetriever, Pool, RandomRetriever


def test_random_is_uniform_and_follows_its_seed(pool_path: str) -> None:
    found = RandomRetriever(seed=1).retrieve(Pool(pool_path), ["q"] * 2000, 4)
    counts = np.bincount(found.ids.ravel(), minlength=40)
    assert abs(counts - 200).max() < 5 * np.sqrt(200)
    assert (RandomRetriever(seed=2).retrieve(Pool(pool_path), ["q"] * 2000, 4).ids != found.ids).any()


def test_balanced_random_draws_a_task_then_a_template_then_a_row(write_jsonl: Any) -> None:
    groups = [("a", "1", 50), ("a", "2", 5), ("b", "1", 10)]
    rows = [
        {"input": f"{task} {template} {number}", "target": "x", "task": task, "template": template}
        for task, template, size in groups
        for number in range(size)
    ]
    pool = Pool(write_jsonl("groups.jsonl", rows))
    found = BalancedRandomRetriever(seed=1).retrieve(pool, ["q"] * 4000, 1).ids[:, 0]
    counts = np.bincount(np.repeat([0, 1, 2], [size for *_, size in groups])[found])
    # Half of the draws for each task, and half of the first task's for each of its templates.
    assert counts == pytest.approx([1000, 1000, 2000], abs=5 * np.sqrt(1000))
    in_last = np.bincount(found[found >= 55] - 55)
    assert in_last == pytest.approx([200] * 10, abs=5 * np.sqrt(200))
    everything = BalancedRandomRetriever(seed=1).retrieve(pool, ["q"], 65).ids[0]
    assert sorted(everything.tolist()) == list(range(65))


def test_balanced_random_needs_tasks(write_jsonl: Any) -> None:
    rows = [{"input": f"row {number}", "target": "x", **({"task": "a"} if number else {})} for number in range(5)]
    with pytest.raises(
        ConfigurationError, match="rows.jsonl: balanced_random draws a task first, and there are rows wi"
    ):
        BalancedRandomRetriever().retrieve(Pool(write_jsonl("rows.jsonl", rows)), ["q"], 1)
