from typing import Any, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.training import MultiStepWithWarmup


def _rates(epochs: int, batches: int, **settings: Any) -> List[float]:
    """That of each batch, in the order in which AllenNLP's trainer calls."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = MultiStepWithWarmup(optimizer, num_steps_per_epoch=batches, **settings)
    rates = []
    for epoch in range(epochs):
        if epoch == 2:  # As a training that is taken up again does.
            state = schedule.state_dict()
            schedule = MultiStepWithWarmup(optimizer, num_steps_per_epoch=batches, **settings)
            schedule.load_state_dict(state)
        for batch in range(batches):
            rates.append(optimizer.param_groups[0]["lr"])
            schedule.step_batch(epoch * batches + batch + 1)
        schedule.step(None)
    return rates


def test_each_batchs_rate() -> None:
    found = _rates(6, 4, milestones=[2, 4], gamma=0.2)
    wanted = [0.025, 0.05, 0.075, 0.1] + [0.1] * 4 + [0.02] * 8 + [0.004] * 8
    assert found == pytest.approx(wanted)
    assert _rates(3, 2, milestones=[1], gamma=0.5, warmup_epochs=0) == pytest.approx([0.1] * 2 + [0.05] * 4)
    # Drops go on while it warms up.
    assert _rates(2, 1, milestones=[1], gamma=0.5, warmup_epochs=2) == pytest.approx([0.05, 0.05])


def test_the_published_schedule() -> None:
    found = _rates(200, 1, milestones=[60, 120, 160], gamma=0.2)
    assert [found[epoch] for epoch in (1, 59, 60, 119, 120, 159, 160, 199)] == pytest.approx(
        [0.1, 0.1, 0.02, 0.02, 0.004, 0.004, 0.0008, 0.0008]
    )


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"milestones": [0]}, r"milestones are \[0\]"),
        ({"milestones": [3], "gamma": 0.0}, "gamma 0.0"),
        ({"milestones": [3], "warmup_epochs": -1}, "warmup_epochs -1"),
        ({"milestones": [3], "num_steps_per_epoch": None}, "without the number of batches an epoch"),
    ],
)
def test_bad_settings(settings: Any, message: str) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    with pytest.raises(ConfigurationError, match=message):
        MultiStepWithWarmup(optimizer, **{"num_steps_per_epoch": 3, **settings})
