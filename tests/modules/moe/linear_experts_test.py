from typing import Any

import torch

from attribution.modules.moe.linear_experts import LinearExperts
from attribution.modules.moe.routes import RouteHolder, layer_routes
from tests.modules.moe.conftest import ONE_HOT, SOFT, logits, seen, with_experts


def test_two_networks_and_their_mixture() -> None:
    holder = RouteHolder()
    opening = LinearExperts(holder, 0, torch.nn.Linear(1, 1, bias=False), 2, closes=False)
    closing = LinearExperts(holder, 0, torch.nn.Linear(1, 1), 2, closes=True)
    with torch.no_grad():
        for module, weights in ((opening, (2.0, -3.0)), (closing, (10.0, 100.0))):
            for expert, weight in zip(module.experts, weights):
                expert.weight.fill_(weight)
        for expert, bias in zip(closing.experts, (1.0, 5.0)):
            expert.bias.fill_(bias)
    states = torch.tensor([[[1.0]], [[-1.0]]])
    # relu(2 x) 10 + 1 and relu(-3 x) 100 + 5: 21 and 5 for 1, 1 and 305 for -1.
    for routes, right in (([[0.5, 0.5], [0.25, 0.75]], [13.0, 229.0]), ([[1.0, 0.0], [0.0, 1.0]], [21.0, 305.0])):
        holder.layers = layer_routes(torch.tensor([routes]))
        assert closing(opening(states).relu()).flatten().tolist() == right


def test_only_the_chosen_expert_runs(tiny_model: Any) -> None:
    for name, path in (("bart", "fc1"), ("t5_gated", "layer.1.DenseReluDense.wi_1")):
        transformer, holder = with_experts(tiny_model(name), "feed_forward")
        encoder = transformer.get_encoder()
        blocks = getattr(encoder, "layers", None) or encoder.block
        rows = seen(list(blocks[0].get_submodule(path).experts))
        holder.layers = layer_routes(ONE_HOT)
        logits(transformer)
        holder.layers = layer_routes(SOFT)
        logits(transformer)
        assert rows == [1, 2, 1, 4, 4, 4]
