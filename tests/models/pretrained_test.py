"""Weights from files: what loads, and what is refused."""

import json
import re
import shutil
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from safetensors.torch import load_file, save_file
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    set_seed,
)

from attribution.models.pretrained import enable_checkpointing, load_transformer
from tests.architectures import UNBUILT, tiny_config
from tests.encoders.architectures import LEFT_OUT, OF_TYPE
from tests.models.conftest import make_model


@pytest.mark.parametrize("setting", ["weights_file", "checkpoint_for_initialization"])
@pytest.mark.parametrize("ending", ["th", "safetensors"])
def test_weights_from_a_file(setting: str, ending: str, tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    trained = make_model(tiny_model("t5"), random_weights=True)
    path = tmp_path / f"weights.{ending}"
    if ending == "th":
        torch.save(trained.state_dict(), path)
    else:
        trained.transformer.save_pretrained(tmp_path)
        (tmp_path / "model.safetensors").rename(path)
    loaded = make_model(tiny_model("t5"), **{setting: str(path)})
    for name, weight in trained.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight), name


class Harmful:
    def __reduce__(self) -> Any:
        return (print, ("executed",))


def test_bad_weight_files(tiny_model: Callable[[str], str], tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "weights.th"
    state = {name: weight for name, weight in make_model(tiny_model("t5")).state_dict().items()}
    settings = {"weights_file": str(path)}

    def message() -> str:
        with pytest.raises(ConfigurationError) as error:
            make_model(tiny_model("t5"), **settings)
        return str(error.value)

    assert "no such file" in message()
    torch.save({**state, "transformer.shared.weight": torch.zeros(3, 3)}, path)
    assert "have another shape, the first: transformer.shared.weight (3, 3) instead of (128, 16)" in message()
    torch.save({"transformer.shared.weight": state["transformer.shared.weight"]}, path)
    assert "are missing" in message()
    torch.save({**state, "transformer.surplus": torch.zeros(3)}, path)
    assert "are unknown, the first: transformer.surplus" in message()
    torch.save({"x": Harmful()}, path)
    assert "could execute code" in message() and str(path) in message() and "asks for" in message()
    assert "executed" not in capsys.readouterr().out
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[:2000])
    assert "truncated" in message()
    save_file(state_clone := {name: weight.clone() for name, weight in state.items()}, tmp_path / "w.safetensors")
    assert state_clone
    (tmp_path / "w.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:100])
    settings["weights_file"] = str(tmp_path / "w.safetensors")
    assert "truncated" in message()


@pytest.mark.parametrize("model_type", ["t5", "bart", "marian", "encoder-decoder", "llama", "gpt2"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_model_built_from_its_configuration_takes_any_head(model_type: str, tied: bool, tmp_path: Path) -> None:
    torch.manual_seed(3)
    decoder_only = model_type in ("llama", "gpt2")
    auto: Any = AutoModelForCausalLM if decoder_only else AutoModelForSeq2SeqLM
    saved = auto.from_config(tiny_config(model_type, tie_word_embeddings=tied))
    head = saved.get_output_embeddings()
    words = (saved.get_decoder() if not decoder_only else saved).get_input_embeddings()
    head.weight = words.weight if tied else torch.nn.Parameter(torch.randn_like(head.weight))
    saved.save_pretrained(tmp_path)
    whole = auto.from_pretrained(tmp_path).eval()
    assert (whole.get_output_embeddings().weight is not words.weight) and torch.equal(
        whole.get_output_embeddings().weight, head.weight
    )
    torch.save(whole.state_dict(), tmp_path / "weights.th")
    kind = "causal_lm" if decoder_only else "seq2seq"
    built = make_model(
        str(tmp_path), type=kind, random_weights=True, weights_file=str(tmp_path / "weights.th")
    ).transformer.eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    inputs = {"input_ids": ids} if decoder_only else {"input_ids": ids, "decoder_input_ids": ids}
    torch.testing.assert_close(built(**inputs).logits, whole(**inputs).logits)


def _of_class(model_type: str, encoder_decoder: bool) -> Any:
    """A fresh one: some remember what they have read."""
    set_seed(0)
    auto: Any = AutoModelForSeq2SeqLM if encoder_decoder else AutoModelForCausalLM
    return auto.from_config(tiny_config(model_type)).float().train()


def _gradients(model: Any, encoder_decoder: bool) -> Dict[str, torch.Tensor]:
    set_seed(1)
    ids = torch.randint(3, 100, (2, 24))
    inputs = {"decoder_input_ids": ids[:, :6]} if encoder_decoder else {}
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **inputs).logits
    targets = ids[:, : logits.size(1), None]
    (-logits.float().log_softmax(-1).gather(-1, targets).mean()).backward()
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


def _check_checkpointing(model_type: str, encoder_decoder: bool) -> str:
    """What became of it: `equal`, or `refused`."""
    model = _of_class(model_type, encoder_decoder)
    try:
        enable_checkpointing(model)
    except ConfigurationError as error:
        assert f"transformers has none for a {model.config.model_type} model" in str(error)
        return "refused"
    assert model.is_gradient_checkpointing
    try:
        expected = _gradients(_of_class(model_type, encoder_decoder), encoder_decoder)
    except (RuntimeError, ValueError, IndexError) as error:
        pytest.skip(f"does not run without it, either: {error}")
    torch.testing.assert_close(_gradients(model, encoder_decoder), expected, atol=1e-5, rtol=1e-5)
    return "equal"


@pytest.mark.parametrize(
    "model_type, encoder_decoder, outcome",
    [
        ("llama", False, "equal"),
        ("gpt_neo", False, "equal"),
        ("mamba", False, "equal"),
        ("bart", True, "equal"),
        ("t5", True, "equal"),
        ("ctrl", False, "refused"),
        ("xlnet", False, "refused"),
        ("fsmt", True, "refused"),
    ],
)
def test_checkpointing_changes_no_gradient_or_is_refused(model_type: str, encoder_decoder: bool, outcome: str) -> None:
    assert _check_checkpointing(model_type, encoder_decoder) == outcome


CLASSES = [
    (kind.model_type, encoder_decoder)
    for mapping, encoder_decoder in (
        (MODEL_FOR_CAUSAL_LM_MAPPING, False),
        (MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING, True),
    )
    for kind in mapping
    if kind.model_type not in UNBUILT
]


@pytest.mark.slow
@pytest.mark.parametrize("model_type, encoder_decoder", CLASSES)
def test_checkpointing_of_every_class(model_type: str, encoder_decoder: bool) -> None:
    assert _check_checkpointing(model_type, encoder_decoder) in ("equal", "refused")


def test_checkpointing_is_refused_when_the_model_is_built(tmp_path: Path) -> None:
    _of_class("ctrl", False).save_pretrained(tmp_path)
    with pytest.raises(ConfigurationError, match="gradient_checkpointing: .* a ctrl model .*leave it out"):
        make_model(str(tmp_path), type="causal_lm", gradient_checkpointing=True)
    assert make_model(str(tmp_path), type="causal_lm").transformer


SEQ2SEQ = [
    kind for kind in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING._model_mapping if kind not in {**UNBUILT, **LEFT_OUT}
]
CAUSAL = [kind for kind in MODEL_FOR_CAUSAL_LM_MAPPING._model_mapping if kind not in {**UNBUILT, **LEFT_OUT}]
SAMPLE = [(kind, False) for kind in ("gpt2", "llama", "mixtral", "gpt_neox")]
SAMPLE += [(kind, True) for kind in ("t5", "bart", "marian")]

# What `load_transformer` does not take, as these read sound or images, too, or are not of the family that they are in.
OTHERS = r"does not generate text|is decoder-only|is an encoder-decoder"


def _without(folder: Path, beginning: str) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if not name.startswith(beginning)}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def _check_whole_and_without_a_block(model_type: str, encoder_decoder: bool, folder: Path) -> None:
    auto = AutoModelForSeq2SeqLM if encoder_decoder else AutoModelForCausalLM
    model = auto.from_config(tiny_config(model_type, **OF_TYPE.get(model_type, {})))
    model.save_pretrained(folder)
    try:
        loaded = load_transformer(str(folder), encoder_decoder).state_dict()
    except ConfigurationError as error:
        assert re.search(OTHERS, str(error)), error
        return
    for name, weight in model.state_dict().items():
        assert torch.equal(loaded[name].float(), weight.float()), name
    block = next(found[0] for name in load_file(folder / "model.safetensors") if (found := re.match(r".*?\.1\.", name)))
    _without(folder, block)
    # Of one expert, which are one tensor together, it is the shape.
    with pytest.raises(ConfigurationError, match="weights of .* (are missing|have another shape), the first: "):
        load_transformer(str(folder), encoder_decoder)


@pytest.mark.parametrize("model_type, encoder_decoder", SAMPLE)
def test_no_weight_is_made_up(model_type: str, encoder_decoder: bool, tmp_path: Path) -> None:
    _check_whole_and_without_a_block(model_type, encoder_decoder, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model_type, encoder_decoder", [(kind, False) for kind in CAUSAL] + [(kind, True) for kind in SEQ2SEQ]
)
def test_no_weight_of_any_architecture_is_made_up(model_type: str, encoder_decoder: bool, tmp_path: Path) -> None:
    _check_whole_and_without_a_block(model_type, encoder_decoder, tmp_path)


def test_a_base_model_has_no_head(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    """But of GPT-2, whose head is its embeddings."""
    for name in ("llama", "gpt2"):
        AutoModel.from_pretrained(tiny_model(name)).save_pretrained(tmp_path / name)
    with pytest.raises(
        ConfigurationError,
        match="llama: 1 weights of LlamaForCausalLM are missing, the first: lm_head.weight: the folder holds a base",
    ):
        load_transformer(str(tmp_path / "llama"), False)
    assert load_transformer(str(tmp_path / "gpt2"), False)


def test_a_configuration_that_says_more(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model("llama"), tmp_path / "deep"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 200}))
    with pytest.raises(
        ConfigurationError, match=r"weights of LlamaForCausalLM are missing.*more layers than there are"
    ):
        load_transformer(str(folder), False)
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 48}))
    with pytest.raises(ConfigurationError, match="6 weights of LlamaForCausalLM have another shape, the first: "):
        load_transformer(str(folder), False)


def test_what_transformers_trips_over(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "musicgen"}')
    with pytest.raises(ConfigurationError, match=f"model_name {tmp_path}: "):
        load_transformer(str(tmp_path), False)
