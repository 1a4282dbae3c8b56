"""Routers of the published program for task-level mixtures of experts."""

import re
from typing import Any, Dict, NamedTuple, Sequence

import torch
from allennlp.common.checks import ConfigurationError

from attribution.importers.checkpoint_file import some_of
from attribution.modules.moe import Router

Tensors = Dict[str, torch.Tensor]

_GATES = {1: "rnn", 3: "gru", 4: "lstm"}
# Beginnings of names there, and here.
_PARTS = (
    (re.compile(r"router_units\.(\d+)\.linear1\."), r"routers.\1.0."),
    (re.compile(r"router_units\.(\d+)\.linear2\."), r"routers.\1.2."),
    (re.compile(r"linear1\."), "routers.0.0."),
    (re.compile(r"linear2\."), "routers.0.2."),
    (re.compile(r"layer_specific_proj\."), "projection."),
    (re.compile(r"pos_embed\."), "positions."),
    (re.compile(r"rnn\."), "recurrent."),
    (re.compile(r"transformer\."), "encoder."),
    (re.compile(r"proj\."), "output."),
)
_UNIT = re.compile(r"router_units\.(\d+)\.")


class PublishedRouter(NamedTuple):
    """A router as this package has it."""

    settings: Dict[str, Any]
    """Of a `Router`, with its `type`."""
    state: Tensors
    """Its state dict."""


def read_router(published: Tensors, layers: int, routed: Sequence[int]) -> PublishedRouter:
    """
    # Parameters

    published : `Dict[str, torch.Tensor]`
        Its state dict.
    layers : `int`
        How many the model has: the router makes logits for each.
    routed : `Sequence[int]`
        Those with experts, counted through encoder and decoder.

    # Raises

    `ConfigurationError` if it is none of those that are known, or one that reads layers without experts, too.
    """
    settings = _settings(published)
    if settings["type"] != "linear" and len(routed) < layers:
        raise ConfigurationError(
            f"its router, {settings['type']}, reads the {layers - len(routed)} layers without experts, too, which is "
            "not done here"
        )
    state = {}
    for name, value in published.items():
        unit = _UNIT.match(name)
        if unit is not None and int(unit[1]) not in routed:
            continue
        if unit is not None:
            name = name.replace(unit[0], f"router_units.{routed.index(int(unit[1]))}.")
        elif name.startswith("linear2.") and len(value) % layers == 0:
            value = value.view(layers, -1, *value.shape[1:])[list(routed)].flatten(0, 1)
        pattern, replacement = next((part for part in _PARTS if part[0].match(name)), (_UNIT, ""))
        state[pattern.sub(replacement, name, count=1)] = value
    return PublishedRouter(settings, state)


def _settings(published: Tensors) -> Dict[str, Any]:
    """By its tensors' names and shapes."""
    specific = {"layer_specific": True} if "layer_specific_proj.weight" in published else {}
    if "router_units.0.linear1.weight" in published:
        hidden = len(published["router_units.0.linear1.weight"])
        return {"type": "linear", "hidden_size": hidden, "layer_specific": True}
    if "linear1.weight" in published:
        return {"type": "linear", "hidden_size": len(published["linear1.weight"])}
    if "rnn.weight_hh_l0" in published:
        rows, hidden = published["rnn.weight_hh_l0"].shape
        if hidden and rows // hidden in _GATES:
            return {"type": _GATES[rows // hidden], "hidden_size": hidden, **specific}
    if "transformer.linear1.weight" in published:
        return {"type": "transformer", "hidden_size": len(published["transformer.linear1.weight"]), **specific}
    raise ConfigurationError(
        f"its router has {some_of(list(published))}, and is none of {', '.join(sorted(Router.list_available()))}"
    )
