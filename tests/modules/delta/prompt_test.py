"""Learned embeddings before the text's. What PEFT's does is in peft_delta_test.py."""

import re
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from attribution.modules.delta import Prompt
from tests.models.conftest import make_batch, make_model
from tests.modules.delta.every_architecture import Architecture, build, causal, inputs, seq2seq, shake

_PEFT = "does not work with PEFT's own"
_WRITES = "reads what it writes otherwise than a text|cannot write with it"

# Each with its reason; what is neither here nor equal to PEFT's fails.
REFUSED: Dict[str, str] = {
    "xlstm": _PEFT,
    # Their layers read token ids, too, or PEFT does not find their embeddings.
    **dict.fromkeys(["deepseek_v4", "gemma4", "gemma4_text", "gemma4_unified", "mllama", "moshi", "cpmant"], _PEFT),
    **dict.fromkeys(["falcon_mamba", "gemma3n_text", "mamba", "mamba2", "reformer"], _WRITES),
    "blt": _PEFT,
    "xlnet": "sees later tokens",
    "prophetnet-causal_lm": "cannot read a text with it",
    "fsmt": "cannot read a text with it",
}
# They count positions from the first token, padding or not, whatever a caller says.
BY_INDEX = [
    *("bart", "bigbird_pegasus", "blenderbot", "blenderbot-small", "camembert", "data2vec-text", "marian", "mbart"),
    *("mvp", "pegasus", "plbart", "roberta", "roberta-prelayernorm", "roformer", "trocr"),
    *("xlm-roberta", "xlm-roberta-xl", "xmod", "xlm"),
    "minimax_m3_vl_text",  # It chooses blocks of places.
    *("recurrent_gemma", "rwkv"),  # Their states read padding.
]
SAMPLE = [
    *(Architecture(name, False) for name in ("opt", "bart", "mistral", "mpt", "gemma3n_text")),
    *(Architecture(name, True) for name in ("umt5", "mbart", "fsmt")),
]

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


@pytest.mark.parametrize("architecture", SAMPLE, ids=str)
def test_is_pefts_own(architecture: Architecture, tmp_path: Path) -> None:
    _check(architecture, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", [each for each in [*causal(), *seq2seq()] if each not in SAMPLE], ids=str)
def test_is_pefts_own_everywhere(architecture: Architecture, tmp_path: Path) -> None:
    _check(architecture, tmp_path)


def _check(architecture: Architecture, folder: Path) -> None:
    ours, delta = build(architecture), Prompt(num_virtual_tokens=3)
    reason = REFUSED.get(str(architecture), REFUSED.get(architecture.name))
    try:
        delta.inject(ours)
    except ConfigurationError as error:
        assert reason is not None, error.message
        assert re.search(rf"^prompt: a \S+ model .*({reason}).*; take `lora` or `ia3` instead$", error.message)
        return
    assert reason is None
    shake(ours, 1.0, trainable=True)
    delta.save(ours, folder, "a/base")
    theirs: Any = PeftModel.from_pretrained(build(architecture), str(folder)).eval()
    batch = inputs(architecture, [20, 13])
    name = "decoder_input_ids" if architecture.encoder_decoder else "input_ids"
    with torch.no_grad():
        logits, expected = ours(**batch).logits, theirs(**batch).logits[:, -batch[name].size(1) :]
        mask = torch.ones_like(batch[name]) if architecture.encoder_decoder else batch["attention_mask"]
        apart = (logits - expected)[mask.bool()].abs().max() / expected.abs().max()
    assert apart < 1e-5
    if not architecture.encoder_decoder:
        _check_left_padding(architecture, ours)
    ours.train()(**batch).logits.pow(2).sum().backward()
    [weight] = [weight for weight in ours.parameters() if weight.requires_grad]
    assert weight.grad is not None and weight.grad.abs().max() > 0


def _check_left_padding(architecture: Architecture, ours: Any) -> None:
    """Virtual tokens stand between padding and text: windows and distances are those of the text alone."""
    [text] = inputs(architecture, [9])["input_ids"]
    row = torch.cat([torch.zeros(10, dtype=torch.long), text])
    batch = {"input_ids": torch.stack([row, row]), "attention_mask": (row > 0).long().expand(2, -1)}
    batch["position_ids"] = (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)
    alone = {"input_ids": text[None], "attention_mask": torch.ones(1, 9, dtype=torch.long)}
    with torch.no_grad():
        padded, expected = ours(**batch).logits[:1, 10:], ours(**alone).logits
    assert (architecture.name in BY_INDEX) == bool((padded - expected).abs().max() > 1e-4 * expected.abs().max())
