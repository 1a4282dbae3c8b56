"""What a delta is: how its tensors act, and what must agree between two. Loading, merging and measures ask here."""

import dataclasses
import json
import re
import warnings
from math import inf, sqrt
from pathlib import Path
from typing import Any, Dict, FrozenSet, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch
from allennlp.common.checks import ConfigurationError

from attribution.common.pretrained import model_identity
from attribution.modules.delta.delta_folder import PREFIX, Delta

# Where a delta was made and how it was trained; and what the names and shapes of its tensors say already.
_NO_MEANING = {
    *("auto_mapping", "base_model_name_or_path", "inference_mode", "peft_version", "revision", "task_type"),
    *("exclude_modules", "layers_pattern", "layers_to_transform", "modules_to_save", "target_modules"),
    *("fan_in_fan_out", "feedforward_modules", "megatron_core", "qalora_group_size", "runtime_config"),
    *("init_ia3_weights", "init_weights", "corda_config", "eva_config", "loftq_config", "lora_ga_config"),
    *("encoder_hidden_size", "prefix_projection", "prompt_tuning_init", "prompt_tuning_init_text"),
    *("tokenizer_kwargs", "tokenizer_name_or_path"),
}
# LoRA's scale is a number for each layer, whichever of these it comes from.
_OF_SCALE = {"r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern"}
# Ways to start LoRA: those that leave the base model as it is, and those that take the same part of it at each load.
_PLAIN_STARTS = (True, False, "gaussian", "orthogonal", "eva")
_STARTS_OF_BASE = ("olora", "pissa")
# With these LoRA adds something else than scale x B A.
_OTHER_PRODUCTS = ("kasa_config", "target_parameters", "use_bdlora", "use_dora")
# What else of LoRA is known here. Any other setting is refused unless it is PEFT's default.
_LORA = {
    *(
        "peft_type",
        "scaling",
        "bias",
        "ensure_weight_tying",
        "init_lora_weights",
        "lora_bias",
        "trainable_token_indices",
    ),
    *_OTHER_PRODUCTS,
}
_COPY = ".base_layer.weight"
"""Of embeddings: LoRA in these keeps the base model's, too."""
_PROMPTS = ("PREFIX_TUNING", "PROMPT_TUNING")
_OWN_PARTS = r"\.adapter\.|prefix_encoder"
_FACTORS = {".lora_A.": ".lora_B.", ".lora_embedding_A": ".lora_embedding_B"}

# Methods of PEFT whose parameters' mean is the mean of what they do to the model, or is a published way to merge them.
_ADDITIVE = {"BEFT", "C3A", "FOURIERFT", "LN_TUNING", "TRAINABLE_TOKENS", "WAVEFT"}
_PUBLISHED = {"IA3", "LORA", "PREFIX_TUNING", "PROMPT_TUNING"}


class Product(NamedTuple):
    """The other factor of one of LoRA's A, and the scale of B A."""

    second: str
    scale: float


@dataclasses.dataclass(frozen=True)
class DeltaKind:
    """
    # Parameters

    method : `str`
        `peft_type`.
    settings : `Dict[str, Any]`
        What must agree between two deltas for their tensors to mean the same. PEFT's defaults are left out.
    neutral : `float`, optional
        The value at which a tensor that is not `absolute` changes nothing. None: it has none.
    absolute : `FrozenSet[str]`
        Tensors that stand in the place of weights of the base model, or of a part of them.
    products : `Dict[str, Product]`
        Of LoRA that adds scale x B A, by the name of A; otherwise empty.
    averages : `bool`
        Whether the weighted mean of its parameters is a merge of such deltas.
    """

    method: str
    settings: Dict[str, Any]
    neutral: Optional[float]
    absolute: FrozenSet[str]
    products: Dict[str, Product]
    averages: bool

    @property
    def changes_base(self) -> bool:
        """Whether it takes a part of the base model away, which its own parameters begin with."""
        return "kasa_config" in self.settings or "init_lora_weights" in self.settings

    @property
    def other_product(self) -> Optional[str]:
        """The setting with which it is LoRA and adds something else than scale x B A."""
        return next((name for name in _OTHER_PRODUCTS if name in self.settings), None)


def delta_kind(config: Mapping[str, Any], shapes: Mapping[str, Sequence[int]], folder: Any) -> DeltaKind:
    """
    # Parameters

    config : `Mapping[str, Any]`
        `adapter_config.json`.
    shapes : `Mapping[str, Sequence[int]]`
        Of its tensors, by their names in the file.
    folder : `Any`
        What messages begin with.

    # Raises

    `ConfigurationError` if the method, or a setting of LoRA, is not known here.
    """
    method = str(config["peft_type"])
    known = _config_class(method)
    if known is None:
        return _own_kind(method, config, shapes, folder)
    filled = filled_config(config, folder)
    settings = _settings(method, config, filled)
    products: Dict[str, Product] = {}
    if method == "LORA":
        scales = _scales(filled, shapes, folder)
        settings["scaling"] = next(iter(scales.values())) if len(set(scales.values())) == 1 else scales
        check_lora(settings, folder)
        if not any(name in settings for name in _OTHER_PRODUCTS):
            products = _products(scales, shapes)
    neutral = None if method in ("PREFIX_TUNING", "PROMPT_TUNING") else float(method == "IA3")
    kind = DeltaKind(method, settings, neutral, frozenset(), products, method in _ADDITIVE | _PUBLISHED)
    return dataclasses.replace(kind, absolute=frozenset(shapes) if kind.changes_base else _absolute(method, shapes))


def kind_of(delta: Delta, folder: Any) -> DeltaKind:
    """`delta_kind` of what was read."""
    return delta_kind(delta.config, {name: tensor.shape for name, tensor in delta.tensors.items()}, folder)


def acting(delta: Delta) -> Dict[str, torch.Tensor]:
    """
    The parameters that change the model, by name: of PEFT's prompts for an encoder-decoder the half that is read, of
    its prefixes the layers that are, and none of the embeddings that it copies from the base model.
    """
    tensors = {name: tensor for name, tensor in delta.tensors.items() if not name.endswith(_COPY)}
    config = delta.config
    if config["peft_type"] not in _PROMPTS or stacks_of(config) == 1:
        return tensors
    if config["peft_type"] == "PROMPT_TUNING":
        return {name: tensor[: config["num_virtual_tokens"]] for name, tensor in tensors.items()}
    layers = config["num_layers"]
    used = sorted({2 * layer % layers for layer in range(_decoder_layers(config) or layers)})
    return {name: tensor.view(len(tensor), layers, -1)[:, used] for name, tensor in tensors.items()}


def settings_difference(one: DeltaKind, other: DeltaKind) -> str:
    """The first setting in which they differ; empty if there is none."""
    for name in sorted({*one.settings, *other.settings}, key=lambda name: (name != "peft_type", name)):
        values = one.settings.get(name), other.settings.get(name)
        if values[0] != values[1]:
            return f"`{name}` is {values[0]!r} and {values[1]!r}"
    return ""


def base_difference(one: Tuple[Optional[str], Any], other: Tuple[Optional[str], Any]) -> str:
    """
    How the base models of two deltas, or of a delta and a model, differ; empty if they do not, or nothing says so.

    # Parameters

    one, other : `Tuple[Optional[str], Any]`
        The fingerprint of the base model's weights, None where it is not known, and its name.
    """
    if one[0] and other[0]:
        same = one[0] == other[0]
        return "" if same else f"different weights (`base_fingerprint` is {one[0][:12]}... and {other[0][:12]}...)"
    names = [str(name or "") for _, name in (one, other)]
    if "" in names or Path(names[0]).name == Path(names[1]).name:
        return ""
    difference = f"`base_model_name_or_path` is {names[0]!r} and {names[1]!r}"
    if not all(Path(name).is_dir() for name in names):
        return f"{difference} (if that is one model, write one name into both)"
    return difference if model_identity(names[0]) != model_identity(names[1]) else ""


def check_lora(settings: Mapping[str, Any], folder: Any) -> None:
    """
    # Raises

    `ConfigurationError` if with these settings it does something that is not known here, or is not in the folder.
    """
    start = settings.get("init_lora_weights")
    if start is not None and start not in _STARTS_OF_BASE:
        raise ConfigurationError(
            f"{folder}: LoRA that starts by {start!r} (`init_lora_weights`) takes a part of the base model away that "
            "the folder does not hold; save it with PEFT's `path_initial_model_for_weight_conversion`"
        )
    unknown = sorted(name for name in settings if name not in _LORA)
    if unknown:
        raise ConfigurationError(
            f"{folder}: LoRA with `{unknown[0]}` is not known here; merge it into its base model with PEFT, or train "
            "it without that"
        )


def filled_config(config: Mapping[str, Any], folder: Any) -> Any:
    """
    # Returns

    `PeftConfig`
        With PEFT's defaults. Settings that it does not know are not in it.

    # Raises

    `ConfigurationError` if PEFT does not take it.
    """
    known = _config_class(config["peft_type"])
    names = {field.name for field in dataclasses.fields(known) if field.init}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return known(**{name: value for name, value in config.items() if name in names})
        except (AttributeError, ImportError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"{folder}: adapter_config.json: PEFT does not take it ({error})") from error


def _config_class(method: str) -> Any:
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING

    return PEFT_TYPE_TO_CONFIG_MAPPING.get(method)  # type: ignore[call-overload]


def _own_kind(method: str, config: Mapping[str, Any], shapes: Mapping[str, Any], folder: Any) -> DeltaKind:
    from attribution.modules.delta.delta_module import DeltaModule

    if method.lower() not in DeltaModule.list_available():
        raise ConfigurationError(f"{folder}: a delta of the method {method}, which is not known here")
    settings = {name: value for name, value in config.items() if name != "base_model_name_or_path"}
    whole = method in ("BIAS", "NONE")
    absolute = frozenset(name for name in shapes if whole or not re.search(_OWN_PARTS, name))
    prefix = any("prefix_encoder" in name for name in shapes)
    return DeltaKind(method, settings, None if prefix else 0.0, absolute, {}, True)


def _settings(method: str, config: Mapping[str, Any], filled: Any) -> Dict[str, Any]:
    """What has a meaning and is not nothing, PEFT's defaults filled in."""
    settings = {**config, **json.loads(json.dumps(filled.to_dict(), default=sorted))}
    if settings.get("init_lora_weights") in _PLAIN_STARTS:
        del settings["init_lora_weights"]
    if method == "LORA":
        settings = {name: value for name, value in settings.items() if name not in _OF_SCALE}
        settings["bias"] = settings["bias"] != "none" and settings["bias"]
    # Of a prompt nobody reads what PEFT has for the second stack.
    settings["num_transformer_submodules"] = method == "PREFIX_TUNING" and stacks_of(config)
    meant = {"init_weights"} if method == "MISS" else set()
    return {
        name: _in_order(value)
        for name, value in settings.items()
        if value and name not in _NO_MEANING - meant and "dropout" not in name
    }


def _in_order(value: Any) -> Any:
    """PEFT writes sets of names as lists, in any order."""
    if isinstance(value, dict):
        return {name: _in_order(inner) for name, inner in value.items()}
    return sorted(value) if isinstance(value, list) and all(isinstance(name, str) for name in value) else value


def stacks_of(config: Mapping[str, Any]) -> int:
    """Of a prompt or prefix: for how many of the model's stacks PEFT has parameters."""
    return config.get("num_transformer_submodules") or 1 + (config.get("task_type") == "SEQ_2_SEQ_LM")


def _decoder_layers(config: Mapping[str, Any]) -> Optional[int]:
    """None if the base model's configuration is not on this machine."""
    from transformers import AutoConfig

    try:
        base = AutoConfig.from_pretrained(str(config.get("base_model_name_or_path")), local_files_only=True)
    except (OSError, ValueError):
        return None
    decoder = base.get_text_config(decoder=True)
    return getattr(decoder, "decoder_layers", None) or getattr(decoder, "num_decoder_layers", decoder.num_hidden_layers)


def _absolute(method: str, shapes: Mapping[str, Any]) -> FrozenSet[str]:
    from peft.mapping import PEFT_TYPE_TO_PREFIX_MAPPING

    if method in _PROMPTS:
        return frozenset()
    own = PEFT_TYPE_TO_PREFIX_MAPPING.get(method)  # type: ignore[call-overload]
    if not own or method in ("LN_TUNING", "TRAINABLE_TOKENS"):
        return frozenset(shapes)
    return frozenset(name for name in shapes if own not in name or "lora_magnitude_vector" in name)


def _scales(config: Any, shapes: Mapping[str, Any], folder: Any) -> Dict[str, float]:
    """alpha / r, or alpha / sqrt(r), by the layers' names."""
    from peft.utils.other import get_pattern_key

    scales = {}
    for layer in {_layer(name) for name in shapes if ".lora_" in name}:
        rank, alpha = (
            (patterns or {}).get(get_pattern_key(list(patterns or {}), layer), default)
            for patterns, default in ((config.rank_pattern, config.r), (config.alpha_pattern, config.lora_alpha))
        )
        if not all(isinstance(number, (int, float)) and 0 < number < inf for number in (rank, alpha)):
            raise ConfigurationError(
                f"{folder}: the rank of {layer} is {rank!r}, its alpha {alpha!r}; both are above 0"
            )
        scales[layer] = alpha / (sqrt(rank) if config.use_rslora else rank)
    return scales


def _products(scales: Mapping[str, float], shapes: Mapping[str, Any]) -> Dict[str, Product]:
    products = {}
    for name, shape in shapes.items():
        for first, second in _FACTORS.items():
            partner = name.replace(first, second)
            if first in name and len(shape) == len(shapes.get(partner, ())) == 2:
                products[name] = Product(partner, scales[_layer(name)])
    return products


def _layer(name: str) -> str:
    return name.removeprefix(PREFIX).partition(".lora_")[0]
