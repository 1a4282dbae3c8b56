"""The layers that LoRA and IA3 change where nobody names them: PEFT's table, or what the model's structure says."""

import logging
import re
from collections import Counter
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Union

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from attribution.modules.delta.trial import Trial

logger = logging.getLogger(__name__)

Modules = Union[str, List[str]]
"""Endings of names, or one regular expression, as PEFT takes them."""

_Table = Mapping[str, Union[str, Sequence[str]]]

ALL_LINEAR = "all-linear"

# By the last part of a layer's name. `kv_b_proj` makes keys and values of a low-rank state, `q_b_proj` queries.
_FUSED = r"W?qkv(_proj)?|query_key_value|query_key|c_attn"
_QUERIES = r"(W|project_)?q(_proj|_lin|_b_proj|_attn)?|query(_proj)?"
_KEYS = r"(W|project_)?k(_proj|_lin)?|key(_proj)?|kv_b_proj|kv_proj"
_VALUES = r"(W|project_)?v(_proj|_lin|_proj_current|_proj_delayed)?|value(_proj)?|kv_b_proj|kv_proj"
# By its last two or three parts: a bare `dense` or `c_proj` is attention's, too.
_FEED_FORWARD = (
    r"(.+\.)?(wo|fc2|lin2|down_proj|dense_4h_to_h|fc_out|w_out|w2|proj_down|output_linear)|(mlp|ffn)\.(c_proj|2)"
    r"|\d+\.output\.dense|feed_forward\.output(\.dense)?|ff\.layer_2|output\.dense"
)


class Found(NamedTuple):
    """Where a delta goes."""

    targets: Modules
    feed_forward: List[str]
    """Which of the targets are the last of a feed-forward layer."""
    why: str


def queries_and_values(transformer: PreTrainedModel, table: _Table) -> Found:
    """
    LoRA's.

    # Parameters

    table : `Mapping[str, Union[str, Sequence[str]]]`
        PEFT's, by model type.
    """
    known = _of_table(transformer, table)
    if known is not None:
        return Found(known, [], "PEFT's default")
    layers = _linear_layers(transformer, "lora")
    found = _ending(layers, _FUSED) + _ending(layers, f"{_QUERIES}|{_VALUES}")
    if found:
        fused = ", where these are fused, keys" if _ending(layers, _FUSED) else ""
        return Found(_short(found, transformer), [], f"queries, values{fused}, by their names")
    return _every_layer(transformer, [name for name in layers if not name.endswith(".out_proj")])


def keys_values_and_feed_forward(
    transformer: PreTrainedModel,
    table: _Table,
    feed_forward_table: Mapping[str, Sequence[str]],
) -> Found:
    """IA3's."""
    known = _of_table(transformer, table)
    if known is not None:
        return Found(known, list(feed_forward_table[transformer.config.model_type]), "PEFT's default")
    layers = _linear_layers(transformer, "ia3")
    attention = _ending(layers, _FUSED) + _ending(layers, f"{_KEYS}|{_VALUES}")
    inner = [name for name in _inner(layers) if name not in attention]
    if attention or inner:
        fused = ", where these are fused, queries" if _ending(layers, _FUSED) else ""
        inputs = ", inputs of the last feed-forward layers" if inner else ""
        why = f"keys, values{fused}{inputs}, by their names"
        # One list of endings names both: what is an ending of the one must not be one of the other.
        targets = _short(attention + inner, transformer)
        ends = [name for name in targets if any(_ends(layer, name) for layer in inner)]
        if any(_ends(layer, end) for end in ends for layer in attention):
            return Found(attention + inner, inner, why)
        return Found(targets, ends, why)
    return _every_layer(transformer, layers)


def _every_layer(transformer: PreTrainedModel, layers: List[str]) -> Found:
    """
    PEFT's word for it, but for Mamba: its kernel takes weights past their layers, and PEFT refuses LoRA in `out_proj`.
    """
    if any(name.endswith(".conv1d") for name, _ in transformer.named_modules()):
        return Found(_short(layers, transformer), [], "linear layers that its kernel does not pass by")
    return Found(ALL_LINEAR, [], f"`{ALL_LINEAR}`: no names of queries and values are known")


def log_places(method: str, transformer: PreTrainedModel, tensors: Mapping[str, torch.Tensor], why: str) -> None:
    """Once for each model: kinds of layers, how many of each, and how many parameters."""
    layers = {re.sub(r"^base_model\.model\.|\.(lora_|ia3_l|modules_to_save).*$", "", name) for name in tensors}
    kinds = Counter(".".join(re.sub(r"\.\d+(?=\.|$)", "", f".{name}").split(".")[-2:]) for name in layers)
    places = ", ".join(f"{kind} ({count})" for kind, count in sorted(kinds.items()))
    logger.info(
        "%s: %s parameters in %d layers of a %s model (%s): %s",
        method,
        f"{sum(tensor.numel() for tensor in tensors.values()):,}",
        len(layers),
        transformer.config.model_type,
        why,
        places,
    )


def _of_table(transformer: PreTrainedModel, table: _Table) -> Optional[Modules]:
    """None also if one of the names is in no layer: transformers has renamed some."""
    known = table.get(transformer.config.model_type)
    names = [name for name, layer in transformer.named_modules() if isinstance(layer, (torch.nn.Linear, Conv1D))]
    if isinstance(known, str):
        return known if any(re.fullmatch(known, name) for name in names) else None
    return list(known) if known and all(any(_ends(name, end) for name in names) for end in known) else None


def _linear_layers(transformer: PreTrainedModel, method: str) -> List[str]:
    """Those that a text is read with and learnt through: not those of pictures, of pooled vectors, or of the head."""
    head = transformer.get_output_embeddings()
    layers: Dict[str, torch.nn.Module] = {
        name: layer
        for name, layer in transformer.named_modules()
        if isinstance(layer, (torch.nn.Linear, Conv1D)) and layer is not head
    }
    reached = Trial(transformer, method, "layers that you name under `target_modules`").reached(layers)
    return [name for name in layers if name in reached]


def _ending(layers: Iterable[str], pattern: str) -> List[str]:
    return [name for name in layers if re.fullmatch(pattern, name.rpartition(".")[2])]


def _inner(layers: Iterable[str]) -> List[str]:
    """The last layers of feed-forward layers."""
    found = []
    for name in layers:
        *_, of_layer, parent, last = ["", "", *name.split(".")]
        ends = (f"{parent}.{last}", f"{of_layer}.{parent}.{last}")
        elsewhere = re.search("attention|attn|router", f"{of_layer}.{parent}") or parent == "gate"
        if not elsewhere and any(re.fullmatch(_FEED_FORWARD, end) for end in ends):
            found.append(name)
    return found


def _short(found: Sequence[str], transformer: PreTrainedModel) -> List[str]:
    """Endings of names that mean these layers and no others of the model, or else the whole names."""
    every = [name for name, _ in transformer.named_modules()]
    for parts in (1, 2, 3):
        ends = sorted({".".join(name.split(".")[-parts:]) for name in found})
        meant = {name for name in every if any(_ends(name, end) for end in ends)}
        if meant == set(found) and not any(end[0].isdigit() for end in ends):
            return ends
    return list(dict.fromkeys(found))


def _ends(name: str, end: str) -> bool:
    return name == end or name.endswith(f".{end}")
