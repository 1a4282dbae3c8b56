import logging

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from attribution.common.steady import forget_history, varying_length
from tests.architectures import rope, tiny_config

SHORT, LONG, LONGER = (torch.arange(5, 5 + length)[None] for length in (6, 40, 60))


def _llama(rope_type: str) -> torch.nn.Module:
    config = tiny_config("llama", **rope(rope_type, factor=4.0), max_position_embeddings=24)
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return model


@torch.no_grad()
def test_dynamic_frequencies_are_those_of_the_text_alone() -> None:
    forgetful, plain = _llama("dynamic"), _llama("dynamic")
    forget_history(forgetful)
    first = plain(LONG).logits
    assert not torch.allclose(_after(plain, LONGER), first, atol=1e-4)  # transformers keeps the longer text's.
    torch.testing.assert_close(_after(forgetful, LONGER), first)
    torch.testing.assert_close(_after(forgetful, SHORT), first)


@torch.no_grad()
def _after(model: torch.nn.Module, before: torch.Tensor) -> torch.Tensor:
    model(before)
    return model(LONG).logits


def test_which_lengths_matter() -> None:
    assert varying_length(_llama("dynamic")) == 24
    assert varying_length(_llama("linear")) is None


@torch.no_grad()
def test_recurrent_gemma_begins_a_text_without_the_last_batchs_states() -> None:
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(tiny_config("recurrent_gemma")).eval()
    forget_history(model)
    for use_cache in (False, True):
        alone = model(LONG, use_cache=use_cache).logits
        one = model(LONG[:, :1], use_cache=use_cache).logits
        model(torch.cat([LONG, LONG + 9, LONG + 20]), use_cache=use_cache)
        torch.testing.assert_close(model(LONG.expand(2, -1), use_cache=use_cache).logits[:1], alone)
        torch.testing.assert_close(model(LONG[:, :1], use_cache=use_cache).logits, one)


@torch.no_grad()
def test_bigbird_reads_a_long_text_alike_before_and_after_a_short_one(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(3)
    model = AutoModelForSeq2SeqLM.from_config(tiny_config("bigbird_pegasus")).eval()
    with caplog.at_level(logging.WARNING, "attribution"):
        forget_history(model)
    assert "BigBirdPegasusEncoder reads with full attention" in caplog.text
    long = torch.arange(5, 105)[None]
    before = model(input_ids=long, decoder_input_ids=SHORT).logits
    model(input_ids=SHORT, decoder_input_ids=SHORT)
    torch.testing.assert_close(model(input_ids=long, decoder_input_ids=SHORT).logits, before)
