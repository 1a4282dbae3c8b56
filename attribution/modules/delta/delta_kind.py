"""What a delta is: how its tensors act, and what must agree between two. Loading, merging and measures ask here."""

import dataclasses
import json
import logging
import re
import warnings
from math import inf, sqrt
from pathlib import Path
from typing import Any, Collection, Dict, FrozenSet, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import torch
from allennlp.common.checks import ConfigurationError

from attribution.common.manifest import fingerprint
from attribution.modules.delta.delta_folder import PREFIX, Delta

logger = logging.getLogger(__name__)

# Where a delta was made and how it was trained; and what the names and shapes of its tensors say already.
_NO_MEANING = {
    *("auto_mapping", "base_model_name_or_path", "bias", "inference_mode", "peft_version", "revision", "task_type"),
    *("exclude_modules", "layers_pattern", "layers_to_transform", "modules_to_save", "target_modules"),
    *("fan_in_fan_out", "feedforward_modules", "megatron_core", "qalora_group_size", "runtime_config"),
    *("init_ia3_weights", "init_weights", "corda_config", "eva_config", "loftq_config", "lora_ga_config"),
    *("encoder_hidden_size", "prefix_projection", "prompt_tuning_init", "prompt_tuning_init_text"),
    *("tokenizer_kwargs", "tokenizer_name_or_path"),
}
_NAMES = {"exclude_modules", "feedforward_modules", "modules_to_save", "target_modules"}
# LoRA's scale is a number for each layer, whichever of these it comes from.
_OF_SCALE = {"r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern"}
# Ways to start LoRA: those that leave the base model as it is, and those that take the same part of it at each load.
_PLAIN_STARTS = (True, False, "gaussian", "orthogonal", "eva")
_STARTS_OF_BASE = ("olora", "pissa")
# With these LoRA adds something else than scale x B A.
_OTHER_PRODUCTS = ("kasa_config", "target_parameters", "use_bdlora", "use_dora")
# What else of LoRA is known here. Any other setting is refused unless it is PEFT's default.
_LORA = {
    *("peft_type", "scaling", "ensure_weight_tying", "init_lora_weights", "lora_bias", "trainable_token_indices"),
    *_OTHER_PRODUCTS,
}
_PROMPTS = ("PREFIX_TUNING", "PROMPT_TUNING")
_WRITER = ("_name_or_path", "transformers_version")
_OWN_PARTS = r"\.adapter\.|prefix_encoder"
FACTORS = {".lora_A.": ".lora_B.", ".lora_embedding_A": ".lora_embedding_B"}

# Methods of PEFT whose parameters' mean is the mean of what they do to the model, or is a published way to merge them.
_ADDITIVE = {"BEFT", "C3A", "FOURIERFT", "LN_TUNING", "TRAINABLE_TOKENS", "WAVEFT"}
_PUBLISHED = {"IA3", "LORA", *_PROMPTS}
# Those of which all that a folder holds is trained, and which need nothing but their layers: no other arguments of the
# model, and no state beside it.
LAYERS_ALONE = {"BEFT", "BOFT", "C3A", "DEFT", "FOURIERFT", "GRALORA", "HIRA", "HRA", "IA3", "LN_TUNING", "LOHA"} | {
    *("LOKR", "LORA", "MISS", "OFT", "PEANUT", "TRAINABLE_TOKENS", "WAVEFT")
}


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
    copies : `FrozenSet[str]`
        Tensors that are the base model's own embeddings, which PEFT may keep beside a delta.
    products : `Dict[str, Product]`
        Of LoRA that adds scale x B A, by the name of A; otherwise empty.
    averages : `bool`
        Whether the weighted mean of its parameters is a merge of such deltas.
    loads : `bool`
        Whether it can be put into a model here; all that it holds, but for copies, is then trained.
    """

    method: str
    settings: Dict[str, Any]
    neutral: Optional[float]
    absolute: FrozenSet[str]
    copies: FrozenSet[str]
    products: Dict[str, Product]
    averages: bool
    loads: bool

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
        _check_lora(settings, folder)
        scales = _scales(filled, shapes, folder)
        scaling = {layer: float(f"{scale:.12g}") for layer, scale in scales.items()}  # But for rounding.
        settings["scaling"] = next(iter(scaling.values())) if len(set(scaling.values())) == 1 else scaling
        if not any(name in settings for name in _OTHER_PRODUCTS):
            products = _products(scales, shapes)
    neutral = None if method in _PROMPTS else float(method == "IA3")
    averages, loads = method in _ADDITIVE | _PUBLISHED, method in LAYERS_ALONE or method in _PROMPTS
    absolute, copies = _of_base(method, config, shapes)
    kind = DeltaKind(method, settings, neutral, absolute, copies, products, averages, loads)
    return dataclasses.replace(kind, absolute=frozenset(shapes) - copies) if kind.changes_base else kind


def kind_of(delta: Delta, folder: Any) -> DeltaKind:
    """`delta_kind` of what was read."""
    return delta_kind(delta.config, {name: tensor.shape for name, tensor in delta.tensors.items()}, folder)


def acting(delta: Delta, folder: Any) -> Dict[str, torch.Tensor]:
    """
    The parameters that change the model, by name: of PEFT's prompts for an encoder-decoder the half that is read, of
    its prefixes the layers that are, and none of the embeddings that it copies from the base model.

    # Raises

    `ConfigurationError` if it is of a method that keeps more than it trains.
    """
    kind, config = kind_of(delta, folder), delta.config
    if not kind.loads:
        raise ConfigurationError(f"{folder}: what {kind.method} trains is not known here, and cannot be compared")
    tensors = {name: tensor for name, tensor in delta.tensors.items() if name not in kind.copies}
    if not tensors:
        raise ConfigurationError(f"{folder}: it holds nothing but weights of its base model")
    if config["peft_type"] not in _PROMPTS or stacks_of(config) == 1:
        return tensors
    if config["peft_type"] == "PROMPT_TUNING":
        return {name: tensor[: config["num_virtual_tokens"]] for name, tensor in tensors.items()}
    layers = config["num_layers"]
    in_decoder = _decoder_layers(config)
    if in_decoder is None:
        logger.warning("%s: its base model is not here; its decoder is taken to be as deep as its encoder", folder)
    used = sorted({2 * layer % layers for layer in range(in_decoder or layers)})
    return {name: tensor.view(len(tensor), layers, -1)[:, used] for name, tensor in tensors.items()}


def settings_difference(one: DeltaKind, other: DeltaKind) -> str:
    """The first setting in which they differ; empty if there is none."""
    for name in sorted({*one.settings, *other.settings}, key=lambda name: (name != "peft_type", name)):
        values = one.settings.get(name), other.settings.get(name)
        if values[0] != values[1]:
            return f"`{name}` is {values[0]!r} and {values[1]!r}"
    return ""


class Base(NamedTuple):
    """What is known of the model that a delta was tuned on."""

    fingerprint: Optional[str]
    """Of its weights; None if another program wrote the delta."""
    name: str
    """A hub id or a folder, with its revision if that is another than the first. Empty if the delta has none."""

    @classmethod
    def of(cls, config: Mapping[str, Any], fingerprint: Optional[str]) -> "Base":
        """From `adapter_config.json` and the head of the safetensors file."""
        name, revision = config.get("base_model_name_or_path") or "", config.get("revision") or "main"
        return cls(fingerprint, name if revision == "main" else f"{name}@{revision}")


def base_difference(one: Base, other: Base) -> str:
    """
    How the base models of two deltas, or of a delta and a model, differ; empty if they do not, or nothing says so.
    Their weights are compared where both are known or both models are here; elsewhere the last parts of their names.
    """
    if one.fingerprint and other.fingerprint:
        prints = [base.fingerprint[:12] for base in (one, other) if base.fingerprint]
        same = one.fingerprint == other.fingerprint
        return "" if same else f"different weights (`base_fingerprint` is {prints[0]}... and {prints[1]}...)"
    folders = [Path(base.name) for base in (one, other)]
    if not one.name or not other.name or one.name == other.name:
        return ""
    if all(folder.is_dir() for folder in folders):
        same = folders[0].samefile(folders[1]) or _model_files(folders[0]) == _model_files(folders[1])
    else:
        same = folders[0].name == folders[1].name
    if same:
        return ""
    return f"`base_model_name_or_path` is {one.name!r} and {other.name!r} (of one model write one name into both)"


def _model_files(folder: Path) -> Dict[str, Any]:
    """Of its configuration and weights: not of a tokenizer, or who wrote them."""
    files = [path for path in folder.iterdir() if path.suffix in (".safetensors", ".bin")]
    weights = {path.name: fingerprint(path)["sha256"] for path in files}
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {**weights, "config": {name: value for name, value in config.items() if name not in _WRITER}}


def _check_lora(settings: Mapping[str, Any], folder: Any) -> None:
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
        With PEFT's defaults.

    # Raises

    `ConfigurationError` if PEFT does not take it, or does not know a setting.
    """
    known = _config_class(config["peft_type"])
    names = {field.name for field in dataclasses.fields(known)}
    unknown = sorted(name for name, value in config.items() if value and name not in names)
    if unknown:
        version = f" ({config['peft_version']})" if config.get("peft_version") else ""
        raise ConfigurationError(
            f"{folder}: adapter_config.json: this version of PEFT does not know `{unknown[0]}`; install the one that "
            f"wrote it{version}, or take it out if it is a note"
        )
    for name in _NAMES & config.keys():
        if not _are_names(config[name]):
            raise ConfigurationError(
                f"{folder}: adapter_config.json: `{name}` is {config[name]!r}; a text or a list of texts is needed"
            )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return known(**{name: value for name, value in config.items() if name in names and name != "peft_type"})
        except (AttributeError, ImportError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"{folder}: adapter_config.json: PEFT does not take it ({error})") from error


def _are_names(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return value is None or all(isinstance(name, str) and name for name in names)


def _config_class(method: str) -> Any:
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING

    return PEFT_TYPE_TO_CONFIG_MAPPING.get(method)  # type: ignore[call-overload]


def _own_kind(method: str, config: Mapping[str, Any], shapes: Mapping[str, Any], folder: Any) -> DeltaKind:
    from attribution.modules.delta.delta_module import DeltaModule

    if not method.isupper() or method.lower() not in DeltaModule.list_available():
        raise ConfigurationError(f"{folder}: a delta of the method {method}, which is not known here")
    settings = {name: value for name, value in config.items() if name != "base_model_name_or_path"}
    whole = method in ("BIAS", "NONE")
    absolute = frozenset(name for name in shapes if whole or not re.search(_OWN_PARTS, name))
    prefix = any("prefix_encoder" in name for name in shapes)
    return DeltaKind(method, settings, None if prefix else 0.0, absolute, frozenset(), {}, True, True)


def _settings(method: str, config: Mapping[str, Any], filled: Any) -> Dict[str, Any]:
    """What has a meaning and is not nothing, PEFT's defaults filled in."""
    settings = {**config, **json.loads(json.dumps(filled.to_dict(), default=sorted))}
    if settings.get("init_lora_weights") in _PLAIN_STARTS:
        del settings["init_lora_weights"]
    if method == "LORA":
        settings = {name: value for name, value in settings.items() if name not in _OF_SCALE}
        tokens = settings.get("trainable_token_indices")  # Of one layer, whose name is in that of its tensor.
        if isinstance(tokens, dict) and len(tokens) == 1:
            [settings["trainable_token_indices"]] = tokens.values()
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
    except Exception:  # Also a damaged one, which is of no use here.
        return None
    decoder = base.get_text_config(decoder=True)
    return getattr(decoder, "decoder_layers", None) or getattr(decoder, "num_decoder_layers", decoder.num_hidden_layers)


def _of_base(
    method: str, config: Mapping[str, Any], shapes: Mapping[str, Any]
) -> Tuple[FrozenSet[str], FrozenSet[str]]:
    """Tensors in the place of the base model's, and copies of its embeddings."""
    from peft.mapping import PEFT_TYPE_TO_PREFIX_MAPPING

    if method in _PROMPTS:
        return frozenset(), frozenset()
    own = PEFT_TYPE_TO_PREFIX_MAPPING.get(method)  # type: ignore[call-overload]
    if not own or method in ("LN_TUNING", "TRAINABLE_TOKENS"):
        return frozenset(shapes), frozenset()
    others = {name for name in shapes if own not in name}
    saved = tuple(config.get("modules_to_save") or ())
    # PEFT before 0.20 trains what has `bias` in its name, and names a tied head that it saves beside the embeddings.
    copies = {
        name
        for name in others
        if name.endswith(".weight")
        and not name.rpartition(".")[0].endswith(saved)
        and "bias" not in name
        and not config.get("ensure_weight_tying")
    }
    magnitudes = {name for name in shapes if "lora_magnitude_vector" in name}
    return frozenset(others - copies | magnitudes), frozenset(copies)


def _scales(config: Any, shapes: Mapping[str, Any], folder: Any) -> Dict[str, float]:
    """alpha / r, or alpha / sqrt(r), by the layers' names."""
    from peft.utils.other import get_pattern_key

    scales = {}
    packed = getattr(config, "target_parameters", None) or getattr(config, "use_bdlora", None)
    named = config.target_modules if not packed else None
    for layer in sorted({_layer(name) for name in shapes if ".lora_" in name}):
        rank, alpha = (
            (patterns or {}).get(get_pattern_key(list(patterns or {}), layer), default)
            for patterns, default in ((config.rank_pattern, config.r), (config.alpha_pattern, config.lora_alpha))
        )
        if type(rank) is not int or rank < 1 or type(alpha) not in (int, float) or not 0 < abs(alpha) < inf:
            raise ConfigurationError(
                f"{folder}: the rank of {layer} is {rank!r}, its alpha {alpha!r}; a rank from 1 on, and an alpha other "
                "than 0, are needed"
            )
        if named and named != "all-linear" and not _is_named(layer, named):
            raise ConfigurationError(
                f"{folder}: it has tensors of {layer}, which `target_modules` of adapter_config.json does not name: "
                f"{named if isinstance(named, str) else sorted(named)}"
            )
        scales[layer] = alpha / (sqrt(rank) if config.use_rslora else rank)
        first = shapes.get(f"{PREFIX}{layer}.lora_A.weight", shapes.get(f"{PREFIX}{layer}.lora_embedding_A", [rank]))
        if first[0] != rank and not packed:
            raise ConfigurationError(
                f"{folder}: its settings say that the rank of {layer} is {rank}, and its tensors that it is {first[0]}"
            )
    return scales


def _is_named(layer: str, names: Union[str, Collection[str]]) -> bool:
    """Whether a pattern of PEFT's, or names or their ends, are of this layer."""
    if not isinstance(names, str):
        return any(f".{layer}".endswith(f".{name}") for name in names)
    try:
        return re.fullmatch(names, layer) is not None
    except re.error:
        return False


def _products(scales: Mapping[str, float], shapes: Mapping[str, Any]) -> Dict[str, Product]:
    products = {}
    for name, shape in shapes.items():
        for first, second in FACTORS.items():
            partner = name.replace(first, second)
            if first in name and len(shape) == len(shapes.get(partner, ())) == 2:
                products[name] = Product(partner, scales[_layer(name)])
    return products


def _layer(name: str) -> str:
    return name.removeprefix(PREFIX).partition(".lora_")[0]
