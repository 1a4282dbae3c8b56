import functools
import json
import logging
import random
from pathlib import Path
from typing import Any, Callable, Dict

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from attribution.models.reading import choose_reading
from attribution.models.reading.causal import SharedPrompt, WithinLimit
from attribution.models.reading.choice import generates_padded
from attribution.models.reading.shared_keys_attention import shares_keys
from tests.architectures import rope, tiny_config
from tests.conftest import CAUSAL, SEQ2SEQ
from tests.models.reading.matrix import build, check, check_delta, load


def _model(name: str, tiny_model: Callable[[str], str]) -> Any:
    auto = AutoModelForSeq2SeqLM if name in SEQ2SEQ else AutoModelForCausalLM
    return auto.from_pretrained(tiny_model(name))


@pytest.mark.parametrize("name", SEQ2SEQ + CAUSAL)
def test_the_quick_way_where_it_is_right(name: str, tiny_model: Callable[[str], str]) -> None:
    model = _model(name, tiny_model)
    reading = choose_reading(model, name)
    if name in CAUSAL:
        assert reading.name == "by shared prompts"
    else:  # T5's and BERT's attention cannot share keys in transformers 4.
        assert reading.name == ("by shared keys" if shares_keys(model.get_decoder()) else "by copied keys")
    assert reading.narrow


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_nothing_is_changed(name: str, tiny_model: Callable[[str], str]) -> None:
    model = _model(name, tiny_model).train()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    states = torch.random.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    choose_reading(model, name)
    assert model.training and all(module.training for module in model.modules())
    assert torch.equal(torch.random.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all() and random.getstate() == states[2]
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    assert all(weight.grad is None and weight.requires_grad for weight in model.parameters())


def test_numpys_state_is_as_before_with_bigbirds_random_blocks(tmp_path: Path) -> None:
    build(("causal_lm", "big_bird"), tmp_path)
    before = np.random.get_state()[1].copy()
    load(("causal_lm", "big_bird"), tmp_path)
    assert (np.random.get_state()[1] == before).all()


def test_a_cache_that_misleads_is_found_out(tiny_model: Callable[[str], str], caplog: pytest.LogCaptureFixture) -> None:
    model = _model("llama", tiny_model)

    def mislead(_module: Any, _arguments: Any, settings: Dict[str, Any], output: Any) -> Any:
        cache = settings.get("past_key_values")
        if cache is not None and cache.get_seq_length() > output[0].size(1):
            output["last_hidden_state"] = output["last_hidden_state"] * 1.05
        return output

    model.model.register_forward_hook(mislead, with_kwargs=True)
    with caplog.at_level(logging.WARNING, "attribution"):
        assert choose_reading(model, "somewhere").name == "pair by pair"
    [record] = caplog.records
    assert "somewhere: options are read pair by pair" in record.message


def test_padding_that_counts_is_left_out(tiny_model: Callable[[str], str]) -> None:
    model = _model("llama", tiny_model)

    def count_places(_module: Any, arguments: Any, output: Any) -> Any:
        return output * (1 + output.size(1) / 100)

    model.model.embed_tokens.register_forward_hook(count_places)
    assert choose_reading(model, "somewhere").name == "pair by pair, by length"


def test_chunks_that_are_counted_are_found_out() -> None:
    """As Zamba-2's, of transformers 4. By default a chunk is longer than the texts that the model is asked with."""
    torch.manual_seed(3)
    model: Any = AutoModelForCausalLM.from_config(tiny_config("mamba2", chunk_size=256)).eval()

    def count(mixer: Any, _arguments: Any, output: torch.Tensor) -> torch.Tensor:
        return output * (1 + -(-output.size(1) // mixer.chunk_size) / 10)

    assert choose_reading(model, "somewhere").name == "pair by pair"
    for layer in model.backbone.layers:
        layer.mixer.register_forward_hook(count)
    assert choose_reading(model, "somewhere").name == "pair by pair, by length"
    assert {layer.mixer.chunk_size for layer in model.backbone.layers} == {256}


@pytest.mark.parametrize("hidden", [(), ("attention_mask",), ("position_ids",)])
def test_padding_that_generate_does_not_tell_of(hidden: Any, tiny_model: Callable[[str], str]) -> None:
    """As CTRL's and RoCBert's, of transformers 4."""
    model = _model("gpt2", tiny_model)
    told = model.prepare_inputs_for_generation

    @functools.wraps(told)  # Whose parameters `generate` looks at.
    def hide(*arguments: Any, **settings: Any) -> Dict[str, Any]:
        return {name: value for name, value in told(*arguments, **settings).items() if name not in hidden}

    model.prepare_inputs_for_generation = hide
    reading = choose_reading(model, "somewhere")
    assert reading.name == "by shared prompts" and generates_padded(reading) is not bool(hidden)


def test_a_text_that_depends_on_its_mates_is_refused(tiny_model: Callable[[str], str]) -> None:
    model = _model("gpt2", tiny_model)

    def mix(_module: Any, arguments: Any, output: Any) -> Any:
        return output + output.mean(0)

    model.transformer.wte.register_forward_hook(mix)
    with pytest.raises(ConfigurationError, match="a gpt2 model cannot score options: no way .* apart"):
        choose_reading(model, "somewhere")


def test_a_head_that_wants_every_position_gets_it(tiny_model: Callable[[str], str]) -> None:
    model = _model("llama", tiny_model)

    head = model.lm_head.forward

    def want_batches(states: torch.Tensor) -> torch.Tensor:
        if states.dim() != 3:
            raise ValueError("no batch")
        return head(states)

    model.lm_head.forward = want_batches
    reading = choose_reading(model, "somewhere")
    assert reading.name == "by shared prompts" and not reading.narrow


def test_what_reads_both_ways_is_refused_and_the_setting_named(tmp_path: Path) -> None:
    build(("causal_lm", "bert"), tmp_path, is_decoder=False)
    with pytest.raises(ConfigurationError, match='a bert model .*sees the tokens.*"is_decoder": true'):
        load(("causal_lm", "bert"), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "is_decoder": True}))
    assert load(("causal_lm", "bert"), tmp_path).reading.name == "by shared prompts"


ROPE = {"factor": 4.0, "original_max_position_embeddings": 24}
FACTORS = {"short_factor": [1.0] * 4, "long_factor": [2.0, 3.0, 4.0, 5.0]}
# Of the real libraries' own options those that change where tokens stand, what they see, or who counts them.
VARIANTS = {
    "llama dynamic": ("llama", {**rope("dynamic", **ROPE), "max_position_embeddings": 24}),
    "llama yarn": ("llama", rope("yarn", **ROPE)),
    "llama longrope": ("llama", rope("longrope", **FACTORS, **ROPE)),
    "phi3 longrope": ("phi3", {**rope("longrope", **FACTORS), "original_max_position_embeddings": 24}),
    "phimoe longrope": ("phimoe", rope("longrope", **FACTORS, **ROPE, short_mscale=1.0, long_mscale=1.3)),
    "falcon alibi": ("falcon", {"alibi": True}),
    "bert relative": ("bert", {"position_embedding_type": "relative_key_query"}),
    "opt projected": ("opt", {"word_embed_proj_dim": 16, "do_layer_norm_before": False}),
    "longt5 global": ("longt5", {"encoder_attention_type": "transient-global"}),
    "t5 untied": ("t5", {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_options_of_an_architecture(variant: str, tmp_path: Path) -> None:
    name, changes = VARIANTS[variant]
    assert check(("seq2seq" if "t5" in name else "causal_lm", name), tmp_path, **changes)


@pytest.mark.parametrize("variant", ["phi3 longrope", "phimoe longrope"])
def test_frequencies_that_follow_the_longest_text(variant: str, tmp_path: Path) -> None:
    name, changes = VARIANTS[variant]
    build(("causal_lm", name), tmp_path, **changes)
    reading = load(("causal_lm", name), tmp_path).reading
    assert isinstance(reading, WithinLimit) and reading.limit == 24 and isinstance(reading.within, SharedPrompt)


@pytest.mark.parametrize(
    "architecture, changes, reason",
    [
        (("causal_lm", "reformer"), {}, "cannot be trained on texts of any length .*; take another model"),
        (
            ("seq2seq", "nllb-moe"),
            {"moe_eval_capacity_token_fraction": 0.5},
            "capacity is counted over the whole batch",
        ),
        (("seq2seq", "prophetnet"), {}, "no way of reading options in batches .*; take another model"),
        (("causal_lm", "xmod"), {"default_language": None}, "transformers cannot read a text with it .*; take another"),
        (("causal_lm", "xlnet"), {}, "it sees the tokens that it is to predict.*; take another model"),
    ],
)
def test_refused_when_it_is_built(architecture: Any, changes: Any, reason: str, tmp_path: Path) -> None:
    build(architecture, tmp_path, **changes)
    with pytest.raises(ConfigurationError, match=reason) as error:
        load(architecture, tmp_path)
    assert f"a {architecture[1]} model" in str(error.value)


def test_rotary_frequencies_of_an_encoder_that_follow_the_longest_text_are_refused() -> None:
    config = tiny_config("t5gemma")
    for part in (config.encoder, config.decoder):
        for name, setting in rope("dynamic", **ROPE).items():
            setattr(part, name, setting)
    model = AutoModelForSeq2SeqLM.from_config(config)
    with pytest.raises(ConfigurationError, match="a t5gemma model .*rotary frequencies change"):
        choose_reading(model, "somewhere")


@pytest.mark.parametrize("delta", ["prompt", "prefix"])
@pytest.mark.parametrize("variant", ["phi3 longrope", "llama dynamic"])
def test_virtual_tokens_count_towards_a_limit(variant: str, delta: str, tmp_path: Path) -> None:
    name, changes = VARIANTS[variant]
    build(("causal_lm", name), tmp_path, **changes)
    check_delta(("causal_lm", name), tmp_path, {"type": delta, "num_virtual_tokens": 10})
    model = load(("causal_lm", name), tmp_path, delta={"type": delta, "num_virtual_tokens": 10})
    assert model.reading.limit == 14


def test_what_transformers_cannot_write_with_is_refused_when_it_is_to_write(tmp_path: Path) -> None:
    build(("causal_lm", "blt"), tmp_path)
    with pytest.raises(ConfigurationError, match="cannot write with a blt model .*leave `generation` out"):
        load(("causal_lm", "blt"), tmp_path, generation={"max_new_tokens": 3})


def test_stacks_of_unequal_depth_write(tmp_path: Path) -> None:
    assert check(("seq2seq", "t5"), tmp_path, num_layers=1, num_decoder_layers=3) == "by shared keys"
