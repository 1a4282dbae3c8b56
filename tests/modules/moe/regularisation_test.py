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
    tensors = [tensor for m in routed_modules(transformer) if m.layer == 1 for tensor in m.expert_tensors(2)]
    with torch.no_grad():
        for tensor in tensors:
            tensor += 0.5
    # Two of three pairs differ, by 0.5 in each of 16 x 32 weights of two tensors. The norm of both together is less.
    assert [tensor.numel() for tensor in tensors] == [512, 512]
    assert math.isclose(expert_distance(transformer, 3).item(), 2 / 3 * 2 * 0.5 * math.sqrt(512), rel_tol=1e-5)
    assert expert_distance(transformer, 1).item() == 0


def test_is_the_sum_of_the_norms_of_tensors(tiny_model: Any) -> None:
    """As published: over tensors and layers, mean over pairs."""
    transformer, _ = with_experts(tiny_model("bart"), "layer")
    wanted = 0.0
    for module in routed_modules(transformer):
        one, two, three = ([tensor.detach() for tensor in module.expert_tensors(expert)] for expert in range(3))
        for first, second in ((one, two), (one, three), (two, three)):
            wanted += sum((a - b).norm().item() for a, b in zip(first, second)) / 3
    assert math.isclose(expert_distance(transformer, 3).item(), wanted, rel_tol=1e-5)
