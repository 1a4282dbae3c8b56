"""What holds for every selector, and what each of them does."""

import copy
from typing import Any, Dict

import pytest
import torch
import torch.nn.functional as F
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.modules.moe import RouteSelector, Temperature

LAYERS, BATCH, COUNT = 5, 6, 4
TASKS = ["a", "b", "a", "c", "b", "a"]
EXAMPLES = [f"{task} {number}" for number, task in enumerate(TASKS)]
NAMES = RouteSelector.list_available()


@pytest.fixture
def logits() -> torch.Tensor:
    """Of a router: rows of the same task are equal."""
    torch.manual_seed(2)
    rows = torch.randn(LAYERS, 3, COUNT)
    return rows[:, ["abc".index(task) for task in TASKS]]


def selector(name: str, **settings: Any) -> RouteSelector:
    return RouteSelector.from_params(Params({"type": name, **copy.deepcopy(settings)}))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("disabled", [[], [[0, 1], [3, 0], [3, 2]]])
def test_routes_are_convex_and_leave_out_what_is_disabled(
    name: str, training: bool, disabled: Any, logits: torch.Tensor
) -> None:
    one = selector(name, disabled=disabled).train(training)
    one.check(LAYERS, COUNT)
    routes = one(logits, TASKS, EXAMPLES)
    assert routes.shape == logits.shape and routes.dtype == torch.float32
    assert (routes >= 0).all() and torch.allclose(routes.sum(-1), torch.ones(LAYERS, BATCH))
    for layer, expert in disabled:
        assert (routes[layer, :, expert] == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_is_the_same_every_time_and_in_any_batch(name: str, logits: torch.Tensor) -> None:
    """As published, Gumbel noise and random routes were drawn anew at every evaluation."""
    one = selector(name).eval()
    routes = one(logits, TASKS, EXAMPLES)
    assert torch.equal(routes, one(logits, TASKS, EXAMPLES))
    backwards = list(range(BATCH))[::-1]
    turned = one(logits[:, backwards], TASKS[::-1], EXAMPLES[::-1])
    assert torch.equal(routes[:, backwards], turned)
    if one.by_task:
        assert torch.equal(routes[:, 0], routes[:, 2])


@pytest.mark.parametrize("name", ["softmax", "gumbel_softmax", "straight_through"])
def test_evaluation_takes_the_likeliest_expert_or_the_mixture(name: str, logits: torch.Tensor) -> None:
    def evaluated(**settings: str) -> torch.Tensor:
        return selector(name, temperature={"start": 3.0}, **settings).eval()(logits, TASKS, EXAMPLES)

    best, mixture = evaluated(evaluation="argmax"), evaluated(evaluation="mixture")
    assert torch.equal(best.argmax(-1), logits.argmax(-1)) and set(best.flatten().tolist()) == {0.0, 1.0}
    assert torch.allclose(mixture, (logits / 3).softmax(-1))
    # Who trains a mixture is evaluated as one; as published, what Gumbel noise draws is sparse.
    assert torch.equal(evaluated(), mixture if name == "softmax" else best)


@pytest.mark.parametrize("name", ["softmax", "gumbel_softmax", "straight_through", "top_k"])
@pytest.mark.parametrize("exploration", [0.0, 0.5])
def test_a_gradient_reaches_the_logits(name: str, exploration: float, logits: torch.Tensor) -> None:
    """As published, exploration broke the gradient of all but straight-through."""
    logits.requires_grad_()
    routes = selector(name, exploration=exploration).train()(logits, TASKS, EXAMPLES)
    (routes * torch.arange(COUNT)).sum().backward()
    assert logits.grad is not None and logits.grad.isfinite().all() and (logits.grad != 0).any()


@pytest.mark.parametrize("name, hard", [("gumbel_softmax", False), ("straight_through", True)])
def test_of_the_same_noise_routes_and_gradients_are_those_of_torch(name: str, hard: bool, logits: torch.Tensor) -> None:
    logits = logits.contiguous().requires_grad_()
    one = selector(name, temperature={"start": 0.7}).train()
    found = []
    for route in (lambda: one(logits, TASKS, EXAMPLES), lambda: F.gumbel_softmax(logits, 0.7, hard)):
        torch.manual_seed(1)
        routes = route()
        found.append((routes, torch.autograd.grad((routes * torch.arange(COUNT)).sum(), logits)[0]))
    for mine, right in zip(*found):
        assert torch.allclose(mine, right, atol=1e-6)


def test_exploration_has_its_share_of_rows_and_layers() -> None:
    torch.manual_seed(0)
    rows = ["a"] * 2000
    explored = (selector("uniform", exploration=0.25).train()(torch.zeros(2, 2000, 4), rows, rows) == 1).any(-1)
    assert torch.allclose(explored.float().mean(1), torch.tensor(0.25), atol=0.05)
    assert abs((explored[0] & explored[1]).float().mean() - 0.25**2) < 0.03


def test_straight_through_samples_one_expert_by_the_softmax() -> None:
    torch.manual_seed(0)
    logits = torch.tensor([0.5, 0.3, 0.2]).log().expand(1, 20000, 3)
    tasks = ["a"] * 20000
    for start in (0.1, 10.0):  # It shapes the gradient alone.
        routes = selector("straight_through", temperature={"start": start}).train()(logits, tasks, tasks)
        assert set(routes.flatten().tolist()) == {0.0, 1.0}
        assert torch.allclose(routes.mean((0, 1)), torch.tensor([0.5, 0.3, 0.2]), atol=0.02)


def test_top_k() -> None:
    logits = torch.tensor([[[1.0, 3.0, 2.0]]])
    share = torch.tensor([3.0, 2.0]).softmax(0)
    routes = selector("top_k", k=2).eval()(logits, ["a"], ["a"])
    assert torch.allclose(routes, torch.tensor([0.0, share[0], share[1]]))


def test_uniform() -> None:
    routes = selector("uniform", disabled=[[1, 2]]).eval()(torch.zeros(2, 1, 3), ["a"], ["a"])
    assert torch.allclose(routes, torch.tensor([[[1 / 3, 1 / 3, 1 / 3]], [[0.5, 0.5, 0.0]]]))


@pytest.mark.parametrize("name", NAMES)
def test_exploration_is_for_training_alone(name: str, logits: torch.Tensor) -> None:
    """As published, it went on in validation."""
    one = selector(name, exploration=1.0, disabled=[[0, 0]])
    torch.manual_seed(0)
    explored = one.train()(logits, TASKS, EXAMPLES)
    assert ((explored == 1).sum(-1) == 1).all() and (explored[0, :, 0] == 0).all()
    assert torch.equal(
        one.eval()(logits, TASKS, EXAMPLES), selector(name, disabled=[[0, 0]]).eval()(logits, TASKS, EXAMPLES)
    )


@pytest.mark.parametrize(
    "name, settings, message",
    [
        ("softmax", {"exploration": 2.0}, "exploration is 2.0"),
        ("softmax", {"evaluation": "sample"}, "'sample' is none of argmax, mixture"),
        ("softmax", {"disabled": [[0]]}, "pairs of a layer and an expert"),
        ("softmax", {"disabled": [[5, 0]]}, r"\[5, 0\]; there are 5 layers of 4 experts"),
        ("softmax", {"disabled": [[1, e] for e in range(4)]}, "no expert in layer 1"),
        ("top_k", {"k": 5}, "k is 5; 1 to 4"),
        ("task_random", {"n": 4, "disabled": [[2, 2]]}, "n is 4; 1 to 3"),
        ("task_random", {"n": 0}, "n is 0"),
    ],
)
def test_wrong_settings(name: str, settings: Dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        selector(name, **settings).check(LAYERS, COUNT)


def test_the_temperature_is_part_of_the_weights() -> None:
    one: Any = selector("softmax", temperature={"start": 300.0, "floor": 1.0, "rate": 0.1})
    one.temperature.updates += 3
    other: Any = selector("softmax", temperature={"start": 300.0, "floor": 1.0, "rate": 0.1})
    other.load_state_dict(one.state_dict())
    assert isinstance(other.temperature, Temperature) and other.temperature.value == one.temperature.value < 300
