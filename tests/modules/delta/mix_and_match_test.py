"""Mix-and-match against a forward pass by hand, and what was wrong with the published one."""

from typing import Any, Callable

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from transformers import AutoModelForSeq2SeqLM

from tests.models.conftest import make_model
from tests.modules.delta.slow_t5 import needs_transformers_5, slow_t5

pytestmark = needs_transformers_5
PROMPT, TARGET = [5, 9, 11, 30, 7], [0, 8, 4, 6]
SETTINGS = {"type": "mix_and_match", "num_virtual_tokens": 3, "hidden_size": 5, "size": 4}


def test_equals_the_formula(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    tuned = make_model(folder, delta=dict(SETTINGS)).transformer.eval()
    plain = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    torch.manual_seed(3)
    for weight in tuned.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.5)
    # Of a prefix each layer has its own part, whichever stack it is in.
    order = [f"encoder.block.{block}.layer.0" for block in (0, 1)]
    order += [f"decoder.block.{block}.layer.{part}" for block in (0, 1) for part in (0, 1)]

    def prefix(place: str) -> Any:
        encoder = tuned.decoder.prefix_encoder
        hidden = torch.tanh(encoder.embedding.weight @ encoder.down.weight.T + encoder.down.bias)
        states = (hidden @ encoder.up.weight.T + encoder.up.bias).view(3, 6, 2, 2, 8)[:, order.index(place)]
        return states[:, 0].transpose(0, 1), states[:, 1].transpose(0, 1)

    def beside(place: str, states: torch.Tensor) -> torch.Tensor:
        adapter = tuned.get_submodule(f"{place}.DenseReluDense.wo.adapter")
        return (states @ adapter.adapter_down.weight.T).clamp(min=0) @ adapter.adapter_up.weight.T

    with torch.no_grad():
        logits = tuned(input_ids=torch.tensor([PROMPT]), decoder_input_ids=torch.tensor([TARGET])).logits[0]
        expected = slow_t5(plain, PROMPT, TARGET, prefix=prefix, beside=beside, positioned=False)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


def test_adapters_add_next_to_nothing_at_first(tiny_model: Callable[[str], str]) -> None:
    """In DEFT's a layer normalisation at their end makes it noise of unit variance."""
    tuned = make_model(tiny_model("t5"), delta={**SETTINGS, "initialisation": "normal"}).transformer
    adapter = tuned.get_submodule("encoder.block.0.layer.1.DenseReluDense.wo.adapter")
    assert adapter(torch.randn(10, 16)).abs().max() < 0.05


def test_layer_normalisations_train_if_asked_for(tiny_model: Callable[[str], str]) -> None:
    names = [
        {name for name, weight in make_model(tiny_model("t5"), delta=delta).named_parameters() if weight.requires_grad}
        for delta in (dict(SETTINGS), {**SETTINGS, "layer_norms": True})
    ]
    added = names[1] - names[0]
    assert len(added) == 2 * 2 + 2 * 3 + 2 and all("layer_norm" in name for name in added)


def test_bad_settings(tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="hidden_size 0; both must be at least 1"):
        make_model(tiny_model("t5"), delta={**SETTINGS, "hidden_size": 0})
