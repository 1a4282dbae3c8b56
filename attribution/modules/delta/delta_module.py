"""A small trainable change to a frozen pretrained model."""

import json
from abc import abstractmethod
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Union

import torch
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.common.manifest import first_difference
from attribution.modules.delta.delta_folder import PREFIX, Delta, base_fingerprint, read_delta, write_delta
from attribution.modules.delta.delta_kind import Base, DeltaKind, base_difference, delta_kind, kind_of


class DeltaModule(Registrable):
    """
    Base of parameter-efficient methods: what is trained, where it goes, how it starts, and how it is kept.

    # Parameters

    weights : `str`, optional
        The folder of a delta to start from: one that a run here left, or a PEFT adapter.
    allow_pickle : `bool`, optional (default = `False`)
        Read a folder whose weights are `adapter_model.bin`, as older programs wrote them.
    check_base_model : `bool`, optional (default = `True`)
        Refuse `weights` that were tuned on another base model: by its weights where the folder knows them, otherwise
        by the last part of its name.
    """

    virtual_tokens = 0
    """Positions that the method takes from the model's."""
    way_out = " (`type: folder` takes a delta as its own settings say)"
    """Of messages about a delta that does not fit."""
    left_padding_limit: Optional[int] = None
    """Once it is injected: up to which length a decoder's texts may be padded on the left; None: up to any."""

    def __init__(
        self, weights: Optional[str] = None, allow_pickle: bool = False, check_base_model: bool = True
    ) -> None:
        self.weights = weights
        self.allow_pickle = allow_pickle
        self.check_base_model = check_base_model

    @abstractmethod
    def inject(self, transformer: PreTrainedModel) -> None:
        """
        Adds the trainable parameters to `transformer`, in place, and freezes all others. The output is unchanged
        until training begins, where the method allows it.

        # Raises

        `ConfigurationError` if a pattern of modules to change matches nothing.
        """

    @abstractmethod
    def adapter_config(self, transformer: PreTrainedModel) -> Dict[str, Any]:
        """The content of `adapter_config.json`, the base model's name left out. `peft_type` is the method."""

    def tensors(self, transformer: PreTrainedModel) -> Dict[str, torch.nn.Parameter]:
        """What is trained, by its names in a file."""
        return {f"{PREFIX}{name}": weight for name, weight in transformer.named_parameters() if weight.requires_grad}

    def save(self, transformer: PreTrainedModel, folder: Union[str, Path], base_model: str) -> None:
        """
        Writes the delta alone, in PEFT's format (`delta_folder`).

        # Parameters

        base_model : `str`
            A hub id or a local folder.
        """
        config = {**_plain(self.adapter_config(transformer)), "base_model_name_or_path": base_model}
        write_delta(folder, config, self.tensors(transformer), self.fingerprint(transformer))

    def load(self, transformer: PreTrainedModel, folder: Union[str, Path], base_model: str) -> None:
        """
        Sets what is trained to a delta from a folder. `transformer` is injected already.

        # Raises

        `ConfigurationError`, naming the first difference, if it is of another method, size or base model.
        """
        delta = read_delta(folder, self.allow_pickle)
        there = kind_of(delta, folder).settings
        here = self.kind(transformer).settings
        for one, other in (({"peft_type": there["peft_type"]}, {"peft_type": here["peft_type"]}), (there, here)):
            difference = first_difference(one, other)
            if difference:
                raise ConfigurationError(f"{folder}: another delta than the model's: {difference}{self.way_out}")
        if self.check_base_model:
            self._check_base_model(transformer, delta, folder, base_model)
        self.assign(transformer, delta, folder)

    def kind(self, transformer: PreTrainedModel) -> DeltaKind:
        """What this delta is, once it is injected."""
        shapes = {name: tensor.shape for name, tensor in self.tensors(transformer).items()}
        return delta_kind(_plain(self.adapter_config(transformer)), shapes, "the model's delta")

    def fingerprint(self, transformer: PreTrainedModel) -> str:
        """Of the base model's weights, once it is injected."""
        return base_fingerprint(transformer)

    def assign(self, transformer: PreTrainedModel, delta: Delta, folder: Union[str, Path]) -> None:
        """Copies the tensors of a delta, all of them, into what is trained."""
        own = self.tensors(transformer)
        check_tensors(
            folder,
            self.way_out,
            other_shape=[
                f"{name} {tuple(tensor.shape)} instead of {tuple(own[name].shape)}"
                for name, tensor in delta.tensors.items()
                if name in own and own[name].shape != tensor.shape
            ],
            missing=[name for name in own if name not in delta.tensors],
            unknown=[name for name in delta.tensors if name not in own],
            infinite=[name for name, tensor in delta.tensors.items() if not tensor.isfinite().all()],
        )
        with torch.no_grad():
            for name, weight in own.items():
                weight.copy_(delta.tensors[name])

    def _check_base_model(self, transformer: PreTrainedModel, delta: Delta, folder: Any, base_model: str) -> None:
        there = Base.of(delta.config, delta.base_fingerprint)
        named = there.name
        if not any(there) or base_difference(there, Base(self.fingerprint(transformer), base_model)):
            weights = ", or other weights of it" if delta.base_fingerprint else ""
            raise ConfigurationError(
                f"{folder}: tuned on another base model, {named or 'which it does not name'}{weights}; here it is "
                f"{base_model} (check_base_model: false uses it all the same)"
            )


def check_tensors(
    folder: Union[str, Path],
    way_out: str,
    other_shape: Sequence[str] = (),
    missing: Sequence[str] = (),
    unknown: Sequence[str] = (),
    infinite: Sequence[str] = (),
) -> None:
    """
    # Raises

    `ConfigurationError`, with the first three and the `way_out`, if there is a name among them.
    """
    for problem, names in (
        ("have another shape", other_shape),
        ("are missing", missing),
        ("are unknown", unknown),
        ("have values that are no numbers", infinite),
    ):
        if names:
            raise ConfigurationError(
                f"{folder}: {len(names)} of its tensors {problem}, the first: {', '.join(names[:3])}{way_out}"
            )


def _plain(config: Dict[str, Any]) -> Dict[str, Any]:
    return json.loads(json.dumps(config, default=sorted))
