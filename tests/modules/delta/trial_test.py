"""What a trial finds, and that it leaves nothing behind."""

from typing import Any

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.modules.delta import Prefix
from attribution.modules.delta.trial import Trial, at_random
from tests.modules.delta.every_architecture import Architecture, build


@pytest.mark.parametrize("architecture", [Architecture("llama", False), Architecture("bart", True)], ids=str)
def test_modes_and_random_state_are_as_before(architecture: Architecture) -> None:
    model = build(architecture).train()
    model.get_input_embeddings().eval()
    modes, state = [module.training for module in model.modules()], torch.get_rng_state()
    trial = Trial(model, "x")
    trial.written()
    with pytest.raises(ConfigurationError, match="x: a .* model does not read what it learns; take `lora`"):
        trial.check(None)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)


def test_a_prefix_draws_as_much_as_its_parameters() -> None:
    model = build(Architecture("llama", False))
    torch.manual_seed(3)
    Prefix(num_virtual_tokens=2).inject(model)
    drawn = torch.get_rng_state()
    torch.manual_seed(3)
    weight = model.get_decoder().prefix_encoder.embedding.weight
    torch.nn.Embedding(*weight.shape)
    assert torch.equal(torch.nn.init.normal_(torch.empty(weight.shape), std=0.02), weight)
    assert torch.equal(torch.get_rng_state(), drawn)


def test_what_a_trial_finds() -> None:
    model = build(Architecture("llama", False))
    trial = Trial(model, "x")
    before = trial.written()
    assert before is not None
    hooks = [
        (_see_the_end, "sees later tokens"),
        (_only_the_last, "loses its text"),
        (_by_length, "reads what it writes otherwise than a text"),
    ]
    for hook, message in hooks:
        handle = model.model.layers[0].mlp.register_forward_hook(hook)
        with pytest.raises(ConfigurationError, match=f"x: a llama model {message}"):
            trial.check(before)
        handle.remove()


def test_drawn_weights_are_put_back() -> None:
    weight = torch.nn.Parameter(torch.zeros(3))
    state = torch.get_rng_state()
    with at_random(weight):
        assert weight.abs().max() > 0.1
    assert weight.abs().max() == 0 and torch.equal(torch.get_rng_state(), state)


def _see_the_end(_module: Any, _arguments: Any, output: torch.Tensor) -> torch.Tensor:
    return output + 5 * output[:, -1:]


def _only_the_last(_module: Any, _arguments: Any, output: torch.Tensor) -> torch.Tensor:
    return output * float("nan")


def _by_length(_module: Any, _arguments: Any, output: torch.Tensor) -> torch.Tensor:
    return output + (3 if output.size(1) == 1 else 1)
