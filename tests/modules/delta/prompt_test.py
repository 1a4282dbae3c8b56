"""Learned embeddings before the text's. What PEFT's does is in peft_delta_test.py."""

from typing import Any, Callable

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from tests.models.conftest import make_batch, make_model

PROMPT = torch.tensor([[5, 9, 11, 30, 7]])


def test_the_encoder_reads_them_before_the_text(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("bart")
    tuned = make_model(folder, delta={"type": "prompt", "num_virtual_tokens": 3}).transformer.eval()
    plain = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    learned = tuned.get_encoder().prompt_encoder.weight[None]
    target = torch.tensor([[2, 8, 4]])
    with torch.no_grad():
        texts = torch.cat([learned, plain.get_input_embeddings()(PROMPT)], dim=1)
        expected = plain(inputs_embeds=texts, decoder_input_ids=target).logits
        mask = torch.ones_like(PROMPT)
        logits = tuned(input_ids=PROMPT, attention_mask=mask, decoder_input_ids=target).logits
    torch.testing.assert_close(logits, expected)


def test_a_decoder_reads_them_and_nobody_sees_them(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("gpt2")
    tuned = make_model(folder, type="causal_lm", delta={"type": "prompt", "num_virtual_tokens": 3}).transformer.eval()
    plain = AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.no_grad():
        learned = tuned.base_model.prompt_encoder.weight[None]
        expected = plain(inputs_embeds=torch.cat([learned, plain.get_input_embeddings()(PROMPT)], dim=1)).logits[:, 3:]
        torch.testing.assert_close(tuned(input_ids=PROMPT).logits, expected)
        positions = torch.arange(5)[None]
        torch.testing.assert_close(tuned(input_ids=PROMPT, position_ids=positions).logits, expected)


@pytest.mark.parametrize("initialisation", ["vocabulary", "uniform"])
def test_initialisation(initialisation: str, tiny_model: Callable[[str], str]) -> None:
    delta = {"type": "prompt", "num_virtual_tokens": 50, "initialisation": initialisation}
    transformer = make_model(tiny_model("t5"), delta=delta).transformer
    learned, words = transformer.encoder.prompt_encoder.weight, transformer.shared.weight
    if initialisation == "vocabulary":
        assert all((words == embedding).all(1).any() for embedding in learned)
    else:
        assert 0.2 < learned.abs().max() <= 0.25  # 1 / sqrt(16)


def test_virtual_tokens_count_as_positions(tiny_model: Callable[[str], str]) -> None:
    batch = make_batch(tiny_model("bart"), [("cat " * 40, ["yes"], 0)])
    delta = {"type": "prompt", "num_virtual_tokens": 30}
    with pytest.raises(ConfigurationError, match="has 34 positions"):
        make_model(tiny_model("bart"), delta=delta).eval()(**batch)


@pytest.mark.parametrize("settings", [{"num_virtual_tokens": 0}, {"initialisation": "text"}])
def test_bad_settings(settings: Any, tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="prompt: (num_virtual_tokens is 0|initialisation 'text')"):
        make_model(tiny_model("t5"), delta={"type": "prompt", **settings})
