import copy

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.modules.moe.routes import RouteHolder, in_order, layer_routes, per_row, row_groups


def test_a_layer_knows_which_experts_are_needed_and_whether_each_row_has_one() -> None:
    routes = torch.tensor([[[1.0, 0, 0], [0, 0, 1]], [[0.5, 0.5, 0], [1, 0, 0]], [[0, 1, 0], [0, 1, 0]]])
    layers = layer_routes(routes)
    assert [layer.active for layer in layers] == [(0, 2), (0, 1), (1,)]
    assert [None if layer.chosen is None else layer.chosen.tolist() for layer in layers] == [[0, 2], None, [1, 1]]
    for layer in [*layer_routes(routes, dense=True), *layer_routes(routes.requires_grad_())]:
        assert layer.active == (0, 1, 2) and layer.chosen is None


@pytest.mark.parametrize("wrong", [[0.5, 0.4], [1.5, -0.5], [float("nan"), 1.0]])
def test_routes_that_are_not_convex(wrong: list) -> None:
    with pytest.raises(ConfigurationError, match=f"sum to 1; of a row here they are \\[{wrong[0]}"):
        layer_routes(torch.tensor([[[1.0, 0.0], wrong]]))


def test_some_rows_of_a_batch() -> None:
    holder = RouteHolder()
    holder.layers = layer_routes(torch.tensor([[[1.0, 0], [0, 1], [0, 1]]]))
    with holder.rows(torch.tensor([2, 1])):
        chosen = holder.of(0).chosen
        assert chosen is not None and chosen.tolist() == [1, 1] and holder.of(0).active == (0, 1)
    chosen = holder.of(0).chosen
    assert chosen is not None and chosen.tolist() == [0, 1, 1]
    with pytest.raises(ConfigurationError, match="no routes were set"):
        copy.deepcopy(holder).of(0)


def test_rows_of_beams_are_grouped_and_put_back() -> None:
    groups = row_groups(torch.tensor([2, 0, 2]), (0, 1, 2))
    assert [(group.expert, group.prompts.tolist()) for group in groups] == [(0, [1]), (2, [0, 2])]
    places = [group.places(6, 3) for group in groups]
    assert [rows.tolist() for rows in places] == [[2, 3], [0, 1, 4, 5]]
    states = torch.arange(6).view(6, 1)
    assert torch.equal(in_order([states[rows] for rows in places], places), states)
    assert per_row(torch.tensor([7, 8]), 4).tolist() == [7, 7, 8, 8]
