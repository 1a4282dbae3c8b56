import copy

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.modules.moe.routes import RouteHolder, RowGroups, layer_routes, per_row


def test_a_layer_knows_which_experts_are_needed_and_whether_each_row_has_one() -> None:
    routes = torch.tensor([[[1.0, 0, 0], [0, 0, 1]], [[0.5, 0.5, 0], [1, 0, 0]], [[0, 1, 0], [0, 1, 0]]])
    layers = layer_routes(routes)
    assert [layer.active for layer in layers] == [(0, 2), (0, 1), (1,)]
    assert [layer.groups and layer.groups.chosen.tolist() for layer in layers] == [[0, 2], None, [1, 1]]
    for layer in [*layer_routes(routes, dense=True), *layer_routes(routes.requires_grad_())]:
        assert layer.active == (0, 1, 2) and layer.groups is None


@pytest.mark.parametrize("wrong", [[0.5, 0.4], [1.5, -0.5], [float("nan"), 1.0]])
def test_routes_that_are_not_convex(wrong: list) -> None:
    with pytest.raises(ConfigurationError, match=f"sum to 1; of a row here they are \\[{wrong[0]}"):
        layer_routes(torch.tensor([[[1.0, 0.0], wrong]]))


def test_some_rows_of_a_batch() -> None:
    holder = RouteHolder()
    holder.layers = layer_routes(torch.tensor([[[1.0, 0], [0, 1], [0, 1]]]))
    with holder.rows(torch.tensor([2, 1])):
        groups = holder.of(0).groups
        assert groups is not None and groups.chosen.tolist() == [1, 1] and holder.of(0).active == (0, 1)
    groups = holder.of(0).groups
    assert groups is not None and groups.chosen.tolist() == [0, 1, 1]
    with pytest.raises(ConfigurationError, match="no routes were set"):
        copy.deepcopy(holder).of(0)


def test_rows_of_beams_are_grouped_and_put_back() -> None:
    groups = RowGroups(torch.tensor([2, 0, 2]))
    assert groups.experts == [0, 2] and groups.sizes(6) == [2, 4]
    assert [rows.tolist() for rows in groups.places(3)] == [[1], [0, 2]]
    assert [rows.tolist() for rows in groups.places(6)] == [[2, 3], [0, 1, 4, 5]]
    states = torch.arange(6).view(6, 1)
    apart = groups.apart(states)
    assert [rows.flatten().tolist() for rows in apart] == [[2, 3], [0, 1, 4, 5]]
    assert torch.equal(groups.in_order(apart), states)
    assert per_row(torch.tensor([7, 8]), 4).tolist() == [7, 7, 8, 8]
