import math
from typing import Any

import torch

from attribution.modules.moe.experts import routed_modules
from attribution.modules.moe.regularisation import expert_distance
from tests.modules.moe.conftest import with_experts


def test_experts_that_are_alike_are_at_distance_zero_and_have_a_gradient(tiny_model: Any) -> None:
    transformer, _ = with_experts(tiny_model("bart"), "layer", alike=True)
    distance = expert_distance(transformer, 3)
    distance.backward()
    assert distance.item() == 0
    assert all(weight.grad.isfinite().all() for m in routed_modules(transformer) for weight in m.parameters())


def test_by_hand(tiny_model: Any) -> None:
    transformer, _ = with_experts(tiny_model("t5"), "feed_forward", alike=True)
    with torch.no_grad():
        for module in routed_modules(transformer):
            if module.layer == 1:
                module.expert_tensors(2)[0] += 0.5
    # Two of three pairs differ, by 0.5 in each of 2 x 16 x 32 weights.
    assert math.isclose(expert_distance(transformer, 3).item(), 2 / 3 * 0.5 * math.sqrt(1024), rel_tol=1e-5)
    assert expert_distance(transformer, 1).item() == 0
