"""A prefix in every architecture, against PEFT's own."""

import re
from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from peft import PeftModel, PrefixTuningConfig, get_peft_model
from transformers import DynamicCache, EncoderDecoderCache

from attribution.modules.delta import Prefix
from tests.modules.delta.every_architecture import Architecture, build, causal, inputs, seq2seq, shake

_RECURRENT = r"keeps no keys and values|does not keep keys and values|cannot get conv state|cache of its own"
_LATENT = r"keeps keys .* and values .* of 6 tokens|does not work with PEFT's own"

# Each with its reason; what is neither here nor equal to PEFT's fails.
REFUSED: Dict[str, str] = {
    **dict.fromkeys(
        [
            *("bailing_hybrid", "bamba", "falcon_h1", "falcon_mamba", "granitemoehybrid", "inkling2_text"),
            *(
                "inkling_text",
                "jamba",
                "kimi_linear",
                "lfm2",
                "lfm2_moe",
                "lfm3",
                "mamba",
                "mamba2",
                "minimax",
                "nemotron_h",
            ),
            *("olmo_hybrid", "openai-gpt", "qwen3_5", "qwen3_5_moe", "qwen3_5_moe_text", "qwen3_5_text", "qwen3_next"),
            *("qwen4_exp", "qwen4_exp_text", "recurrent_gemma", "reformer", "rwkv", "xlm", "xlnet", "xlstm", "zamba"),
            *("zamba2", "zaya"),
        ],
        _RECURRENT,
    ),
    # A low-rank state in the place of keys and values, or caches of kinds of their own.
    **dict.fromkeys(
        [
            *("axk1", "axk2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "deepseek_v4", "dots3_note_text"),
            *("glm4_moe_lite", "glm_moe_dsa", "hy_v4", "longcat_flash", "minicpm3", "youtu"),
        ],
        _LATENT,
    ),
    "mimo_v2_flash": "does not work with PEFT's own",  # Another number of heads in every other layer.
    "cpmant": "keeps keys .* of 6 tokens",  # It puts tokens of its own before the text.
    "blt": "does not keep keys and values",
    "minimax_m3_vl_text": "does not work with PEFT's own",  # Its cache has an index of blocks.
    "prophetnet": "does not work with PEFT's own",  # One token at a time, where there is a cache.
    "t5gemma2": "does not work with PEFT's own",  # PEFT takes it for a Gemma-2.
    "fsmt": "sees later tokens",
}
# One layer that is run several times has several places in the cache.
LOSES_PREFIX = ["hrm_text"]
# How many tokens an expert takes is counted call by call, with a prefix or without.
COUNTS_CALLS = ["switch_transformers"]
# It writes into the embeddings' output, whatever is trained.
NO_CHECKPOINTING = ["git"]
# OPT calls its decoder past the base model; MPT and Bloom have biases of distance, UMT5 in every layer; gpt-oss has
# sinks, Gemma-3 and -4 windows and two sizes of heads, GPT-J and GPT-BigCode attention of their own.
SAMPLE = [
    *(Architecture(name, False) for name in ("opt", "mpt", "gpt_oss", "gemma4_text", "gptj", "gpt_bigcode", "mamba")),
    *(Architecture(name, False) for name in ("deepseek_v3", "bart", "mistral")),
    *(Architecture(name, True) for name in ("umt5", "bert2gpt2", "fsmt", "led", "t5gemma")),
]


def _inject(architecture: Architecture) -> Any:
    model, delta = build(architecture), Prefix(num_virtual_tokens=3)
    delta.inject(model)
    shake(model, 1.0, trainable=True)
    return model, delta


def _apart(one: torch.Tensor, other: torch.Tensor, batch: Dict[str, torch.Tensor]) -> float:
    """The largest difference at a token of the text, of the largest logit."""
    name = "decoder_input_ids" if "decoder_input_ids" in batch else "attention_mask"
    mask = torch.ones_like(batch[name]).bool() if name == "decoder_input_ids" else batch[name].bool()
    return float((one - other)[mask].abs().max() / other[mask].abs().max())


@pytest.mark.parametrize("architecture", SAMPLE, ids=str)
def test_is_pefts_own(architecture: Architecture, tmp_path: Path) -> None:
    _check(architecture, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", [each for each in [*causal(), *seq2seq()] if each not in SAMPLE], ids=str)
def test_is_pefts_own_everywhere(architecture: Architecture, tmp_path: Path) -> None:
    _check(architecture, tmp_path)


def _check(architecture: Architecture, folder: Path) -> None:
    try:
        ours, delta = _inject(architecture)
    except ConfigurationError as error:
        assert architecture.name in REFUSED, error.message
        assert re.search(
            rf"^prefix: a \S+ model .*({REFUSED[architecture.name]}).*; take .* instead$", error.message, re.I
        )
        return
    assert architecture.name not in REFUSED
    delta.save(ours, folder / "ours", "a/base")
    theirs: Any = PeftModel.from_pretrained(build(architecture), str(folder / "ours")).eval()
    batch = inputs(architecture, [20, 13])
    with torch.no_grad():
        assert _apart(ours(**batch).logits, theirs(**batch).logits, batch) < 1e-5
    _check_theirs(architecture, folder / "theirs", batch)
    _check_pieces(architecture, ours)
    if not architecture.encoder_decoder:
        _check_left_padding(architecture, ours)
    _check_gradients(architecture)


def _check_theirs(architecture: Architecture, folder: Path, batch: Any) -> None:
    task = "SEQ_2_SEQ_LM" if architecture.encoder_decoder else "CAUSAL_LM"
    try:
        theirs: Any = get_peft_model(build(architecture), PrefixTuningConfig(num_virtual_tokens=3, task_type=task))
        theirs.eval()
        shake(theirs, 1.0, trainable=True)
        with torch.no_grad():
            expected = theirs(**batch).logits
    except (ValueError, RuntimeError):
        return  # The sizes that PEFT takes for it are not the model's; those in a folder of ours are.
    theirs.save_pretrained(folder)
    ours, delta = _inject(architecture)
    delta.check_base_model = False
    delta.load(ours, folder, "a/base")
    with torch.no_grad():
        assert _apart(ours(**batch).logits, expected, batch) < 1e-5


def _pieces(model: Any, architecture: Architecture, lengths: List[int]) -> torch.Tensor:
    """The logits of a text that is read in pieces, with a cache."""
    batch = inputs(architecture, [20, 20])
    name = "decoder_input_ids" if architecture.encoder_decoder else "input_ids"
    text = batch[name]
    seen, logits = 0, []
    if architecture.encoder_decoder:
        settings: Any = {"attention_mask": batch["attention_mask"]}
        settings["encoder_outputs"] = model.get_encoder()(batch["input_ids"], attention_mask=batch["attention_mask"])
        cache: Any = EncoderDecoderCache(DynamicCache(), DynamicCache())
    else:
        settings, cache = {}, DynamicCache()
    for length in lengths:
        part = {name: text[:, seen : seen + length]}
        if not architecture.encoder_decoder:
            part["attention_mask"] = torch.ones_like(text[:, : seen + length])
        output = model(**part, **settings, past_key_values=cache, use_cache=True)
        cache, seen = output.past_key_values, seen + length
        logits.append(output.logits)
    return torch.cat(logits, 1)


def _check_pieces(architecture: Architecture, ours: Any) -> None:
    if architecture.name in COUNTS_CALLS:
        return
    lengths = [2, 1, 2] if architecture.encoder_decoder else [13, 1, 6]
    batch = inputs(architecture, [20, 20])
    with torch.no_grad():
        assert _apart(_pieces(ours, architecture, lengths), ours(**batch).logits, batch) < 1e-4


def _check_left_padding(architecture: Architecture, ours: Any) -> None:
    """The same as alone, or refused: never something else."""
    [text] = inputs(architecture, [9])["input_ids"]
    for padding in (4, 30):
        row = torch.cat([torch.zeros(padding, dtype=torch.long), text])
        batch = {"input_ids": torch.stack([row, row]), "attention_mask": (row > 0).long().expand(2, -1)}
        batch["position_ids"] = (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)
        alone = {"input_ids": text[None], "attention_mask": torch.ones(1, 9, dtype=torch.long)}
        with torch.no_grad():
            try:
                padded, expected = ours(**batch).logits[:1, padding:], ours(**alone).logits
            except ConfigurationError as error:
                assert "counts the padding between a prefix and a text" in error.message
            else:
                assert _apart(padded, expected, alone) < 1e-4


def _check_gradients(architecture: Architecture) -> None:
    batch = inputs(architecture, [20, 13])
    gradients = []
    for checkpointing in (False, True):
        model, _ = _inject(architecture)
        if checkpointing:
            if not model.supports_gradient_checkpointing or architecture.name in NO_CHECKPOINTING:
                return
            model.gradient_checkpointing_enable({"use_reentrant": False})
            model.enable_input_require_grads()
        model.train()
        torch.manual_seed(5)  # Of dropout.
        try:
            model(**batch, use_cache=False).logits.pow(2).sum().backward()
        except ConfigurationError as error:
            assert architecture.name in LOSES_PREFIX and "gradient_checkpointing" in error.message
            return
        [weight] = [weight for weight in model.parameters() if weight.requires_grad]
        gradients.append(weight.grad)
    assert architecture.name not in LOSES_PREFIX
    largest = float(gradients[0].abs().max())
    assert largest > 0
    torch.testing.assert_close(gradients[0] / largest, gradients[1] / largest, rtol=1e-3, atol=1e-3)


def test_a_cache_that_nobody_asked_for_is_not_handed_out() -> None:
    ours, _ = _inject(Architecture("llama", False))
    text = inputs(Architecture("llama", False), [5])
    assert ours(**text, use_cache=False).get("past_key_values") is None
    assert ours(**text, use_cache=True).past_key_values.get_seq_length() == 8
