from typing import Any

import torch

from attribution.modules.moe import InstanceRandom, TaskRandom

LOGITS = torch.zeros(40, 3, 3)


def test_instance_random_is_new_in_training_and_fixed_in_evaluation() -> None:
    one = InstanceRandom(seed=1)
    rows = ["a 1", "a 2", "a 3"]
    torch.manual_seed(0)
    first, second = (one.train()(LOGITS, ["a"] * 3, rows) for _ in range(2))
    assert not torch.equal(first, second) and ((first == 1).sum(-1) == 1).all()
    fixed = one.eval()(LOGITS, ["a"] * 3, rows)
    assert not torch.equal(fixed[:, 0], fixed[:, 1])  # As published, all rows had the first one's.
    assert torch.equal(fixed, InstanceRandom(seed=1).eval()(LOGITS, ["a"] * 3, rows))
    assert not torch.equal(fixed, InstanceRandom(seed=2).eval()(LOGITS, ["a"] * 3, rows))
    assert torch.allclose(fixed.mean((0, 1)), torch.full((3,), 1 / 3), atol=0.15)


def test_task_random_is_fixed_and_has_nothing_to_train() -> None:
    """As published, it was a table that was trained, and left the simplex."""
    one: Any = TaskRandom(n=2, seed=3)
    assert not list(one.parameters()) and not one.state_dict()
    tasks = ["a", "b", "a"]
    trained, evaluated = one.train()(LOGITS, tasks, tasks), one.eval()(LOGITS, tasks, tasks)
    assert torch.equal(trained, evaluated) and torch.equal(trained[:, 0], trained[:, 2])
    assert not torch.equal(trained[:, 0], trained[:, 1])
    assert set(trained.flatten().tolist()) == {0.0, 0.5} and ((trained > 0).sum(-1) == 2).all()
