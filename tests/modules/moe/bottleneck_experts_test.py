import torch

from attribution.modules.moe.bottleneck_experts import BottleneckExperts
from attribution.modules.moe.routes import RouteHolder, layer_routes


def test_the_sum_over_experts_by_a_loop() -> None:
    torch.manual_seed(3)
    holder = RouteHolder()
    experts = BottleneckExperts(holder, 0, 5, 4, 2, 3, scale=0.5, activation="silu")
    torch.nn.init.normal_(experts.up)
    states, routes = torch.randn(6, 2, 5), torch.rand(1, 3, 3).softmax(-1)
    holder.layers = layer_routes(routes)
    by_hand = torch.zeros(6, 2, 4)
    for row in range(6):  # Two beams a prompt.
        for e in range(3):
            hidden = torch.nn.functional.silu(states[row] @ experts.down[e].T)
            by_hand[row] += 0.5 * routes[0, row // 2, e] * hidden @ experts.up[e]
    assert torch.allclose(experts(states), by_hand, atol=1e-6)


def test_it_starts_at_zero() -> None:
    experts = BottleneckExperts(RouteHolder(), 0, 5, 4, 2, 3, scale=1.0, activation="linear")
    experts.holder.layers = layer_routes(torch.tensor([[[0.0, 1.0, 0.0]]]))
    assert experts(torch.ones(1, 1, 5)).tolist() == [[[0.0] * 4]]
    assert not torch.equal(experts.down[0], experts.down[1])
