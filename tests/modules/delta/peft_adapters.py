"""
PEFT adapters of every method and with every option of LoRA, made by PEFT on tiny models: what is on users' disks.

`METHODS` has every method of PEFT and `LORA` names every field of its `LoraConfig`: what a version adds fails a test
until somebody decides what it means here.
"""

import dataclasses
import warnings
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import torch
import transformers
from packaging import version
from peft import PEFT_TYPE_TO_CONFIG_MAPPING, LoraConfig, PeftModel, get_peft_model

from tests.modules.delta.every_architecture import Architecture, build, inputs

ARCHITECTURES = ["t5", "bart", "llama", "gpt2", "mixtral"]
TARGETS = {"t5": ["q", "v"], "gpt2": ["c_attn"]}
FEED_FORWARD = {"t5": "wo", "bart": "fc2", "llama": "down_proj", "gpt2": "c_proj", "mixtral": "gate"}
EMBEDDINGS = {"t5": "shared", "bart": "shared", "llama": "embed_tokens", "gpt2": "wte", "mixtral": "embed_tokens"}
BLOCK = 8
# Of the text that `logits` reads.
TOKENS = inputs(Architecture("llama", False), [5])["input_ids"][0, 1:3].tolist()

# Settings of each method; or, as a text, why a folder of it does not exist for these models.
METHODS: Dict[str, Any] = {
    **dict.fromkeys(["ADAMSS", "BEFT", "BOFT", "DEFT", "DELORA", "GLORA", "GRALORA", "HIRA", "HRA", "LILY"], {}),
    **dict.fromkeys(["LN_TUNING", "LOHA", "LOKR", "LORA", "MISS", "OSF", "PEANUT", "PSOFT", "PVERA", "RANDLORA"], {}),
    **dict.fromkeys(["BONE", "FROD", "SHIRA", "SUPERTUNING", "TINYLORA", "UNILORA", "VERA"], {}),
    **dict.fromkeys(["CARTRIDGE", "PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING"], {}),
    "ADALORA": {"total_step": 10},
    "C3A": {"block_size": BLOCK},
    "FOURIERFT": {"n_frequency": 50},
    "IA3": {},
    "OFT": {"r": 0, "oft_block_size": BLOCK},
    "ROAD": {"group_size": BLOCK},
    "TRAINABLE_TOKENS": {"token_indices": TOKENS, "target_modules": None},
    "VBLORA": {"vector_length": BLOCK},
    "WAVEFT": {"n_frequency": 50},
    "ADAPTION_PROMPT": "its configuration has no defaults, and it is for Llama and Mistral alone",
    "CPT": "needs token ids of a prompt",
    "MULTITASK_PROMPT_TUNING": "the model wants task ids in every call",
    "POLY": "the model wants task ids in every call",
    "SHADOW": "a second model beside the first",
    "XLORA": "a mixture of other adapters",
}


class Option(NamedTuple):
    """Of LoRA."""

    fields: List[str]
    """Which of its configuration it is about."""
    settings: Dict[str, Any]
    only: Optional[List[str]] = None
    """Architectures that PEFT takes it for; None: all."""


def lora_options(architecture: str) -> Dict[str, Option]:
    """Those that PEFT takes for an architecture, by name; those that are refused here, too."""
    options = every_lora_option(architecture)
    return {name: option for name, option in options.items() if option.only is None or architecture in option.only}


def every_lora_option(architecture: str) -> Dict[str, Option]:
    """By name."""
    from peft.tuners.lora import config as lora

    target, block = _targets(architecture), [".*[.]1[.].*"]
    embedding, feed_forward = EMBEDDINGS[architecture], FEED_FORWARD[architecture]
    options = {
        "plain": Option(["r", "lora_alpha", "target_modules", "lora_dropout"], {"lora_alpha": 6, "lora_dropout": 0.1}),
        "regular_expression": Option(["target_modules"], {"target_modules": rf".*1.*\.({'|'.join(target)})"}),
        "all_linear": Option(["target_modules"], {"target_modules": "all-linear"}),
        "embedding": Option(["target_modules"], {"target_modules": [target[0], embedding]}),
        "head": Option(["target_modules"], {"target_modules": [target[0], "lm_head"]}, ["t5", "llama", "gpt2"]),
        "exclude": Option(["exclude_modules"], {"exclude_modules": block[0]}),
        "layers": Option(["layers_to_transform", "layers_pattern"], {"layers_to_transform": [0]}),
        "rslora": Option(["use_rslora"], {"use_rslora": True, "lora_alpha": 6}),
        "dora": Option(["use_dora"], {"use_dora": True}),
        "rank_pattern": Option(["rank_pattern"], {"rank_pattern": {target[0]: 3}}),
        "alpha_pattern": Option(["alpha_pattern"], {"alpha_pattern": {target[-1]: 3}}),
        "lora_only": Option(["bias"], {"bias": "lora_only"}),
        "all_biases": Option(["bias"], {"bias": "all"}),
        "lora_bias": Option(["lora_bias"], {"lora_bias": True}),
        "modules_to_save": Option(["modules_to_save"], {"modules_to_save": [feed_forward]}),
        "saved_head": Option(["modules_to_save"], {"modules_to_save": ["lm_head"]}),
        "tied": Option(
            ["ensure_weight_tying"], {"modules_to_save": [embedding], "ensure_weight_tying": True}, ["llama", "mixtral"]
        ),
        "tokens": Option(["trainable_token_indices"], {"trainable_token_indices": TOKENS}),
        "fan_in_fan_out": Option(["fan_in_fan_out"], {"fan_in_fan_out": True}),
        **{
            str(start): Option(["init_lora_weights", "eva_config"], {"init_lora_weights": start})
            for start in (False, "gaussian", "orthogonal", "eva", "pissa", "pissa_niter_4")
        },
        "olora": Option(["init_lora_weights"], {"init_lora_weights": "olora"}, ["t5", "bart", "llama", "mixtral"]),
        "expert_parameters": Option(
            ["target_parameters"],
            {"target_modules": [], "target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]},
            ["mixtral"] if version.parse(transformers.__version__).major > 4 else [],
        ),
        "lora_ga": Option(
            ["init_lora_weights", "lora_ga_config"], {"init_lora_weights": "lora_ga"}, _of("lora_ga_config")
        ),
        "qalora": Option(["use_qalora", "qalora_group_size"], {"use_qalora": True}),
        "activated": Option(["alora_invocation_tokens"], {"alora_invocation_tokens": [9, 11]}),
        "replicated": Option(["layer_replication"], {"layer_replication": [[0, 2], [1, 2]]}, ["llama", "mixtral"]),
    }
    for name, field, make, only in (
        ("kasa", "kasa_config", "KasaConfig", ["t5", "bart", "llama", "mixtral"]),
        ("monteclora", "monteclora_config", "MontecloraConfig", None),
        ("velora", "velora_config", "VeloraConfig", None),
    ):
        if hasattr(lora, make):
            options[name] = Option([field], {field: getattr(lora, make)()}, only)
    if hasattr(lora, "BdLoraConfig"):
        blocks = lora.BdLoraConfig(target_modules_bd_a=["q_proj"], target_modules_bd_b=["o_proj"], nblocks=2)
        options["bdlora"] = Option(
            ["use_bdlora"], {"target_modules": ["q_proj", "o_proj"], "use_bdlora": blocks}, ["llama", "mixtral"]
        )
    return options


# Fields of `LoraConfig` without an option above: where it was made; other hardware; what PEFT needs data for.
OTHER_FIELDS = {
    *("task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision"),
    *("inference_mode", "runtime_config", "megatron_config", "megatron_core", "arrow_config"),
    *("loftq_config", "corda_config"),
}


def peft_config(architecture: str, method: str, **settings: Any) -> Any:
    """A `PeftConfig` for a model of the architecture."""
    known: Any = PEFT_TYPE_TO_CONFIG_MAPPING[method]  # type: ignore[index]
    defaults: Dict[str, Any] = {"r": 2, "num_virtual_tokens": 3, "target_modules": _targets(architecture)}
    if method == "IA3":
        ends = FEED_FORWARD[architecture]
        defaults.update(target_modules=[*_targets(architecture), ends], feedforward_modules=[ends])
    if method == "LN_TUNING":
        del defaults["target_modules"]
    names = {field.name for field in dataclasses.fields(known) if field.init}
    task = "SEQ_2_SEQ_LM" if is_encoder_decoder(architecture) else "CAUSAL_LM"
    given = {name: value for name, value in defaults.items() if name in names}
    return known(**{"task_type": task, **given, **settings})


def save_adapter(architecture: str, config: Any, folder: Path, seed: int = 0) -> None:
    """As training leaves it: with all that is trained away from where it began."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = get_peft_model(base_model(architecture), config)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad and weight.is_floating_point():
                    weight.add_(torch.randn(weight.shape, generator=generator) * 0.3)
        model.save_pretrained(str(folder))


def peft_model(architecture: str, folder: Path) -> Any:
    """The tuned model as PEFT loads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return PeftModel.from_pretrained(base_model(architecture), str(folder)).eval()


def base_model(architecture: str) -> Any:
    return build(Architecture(architecture, is_encoder_decoder(architecture)))


def is_encoder_decoder(architecture: str) -> bool:
    return architecture in ("t5", "bart")


def logits(model: Any, architecture: str) -> torch.Tensor:
    """Of the text's last positions: PEFT's prompts have some before it. Shape: (1, 5, vocabulary)"""
    batch = inputs(Architecture(architecture, is_encoder_decoder(architecture)), [5])
    with torch.no_grad():
        return model(**batch).logits[:, -5:]


def _of(field: str) -> Optional[List[str]]:
    """Every architecture, if this version of PEFT has the field."""
    return None if field in {known.name for known in dataclasses.fields(LoraConfig)} else []


def _targets(architecture: str) -> List[str]:
    return TARGETS.get(architecture, ["q_proj", "v_proj"])
