"""Weights of DEFT's published models."""

from pathlib import Path
from typing import Any, Dict, NamedTuple

import torch
from allennlp.common.checks import ConfigurationError

from attribution.data.prompt_tokenizer import load_tokenizer
from attribution.importers.checkpoint_file import read_checkpoint, some_of, tensors_in
from attribution.importers.importer import Importer, OfModel
from attribution.models.pretrained import load_state, load_transformer
from attribution.modules.delta import IA3, Delta
from attribution.modules.delta.delta_folder import PREFIX

_EXPECTED = "the weights of a `seq2seq` or `ia3_seq2seq` of DEFT, which begin with `transformer.`"
_MODEL = "transformer."
_VECTOR = ".ia3_vector"
_MIXED = ("prefix_emb", "prefix_mlp", ".adapter.")

Tensors = Dict[str, torch.Tensor]


class _Weights(NamedTuple):
    model: Tensors
    """By their names in the transformer."""
    vectors: Tensors
    """By the names of the layers whose output they scale. Shape of each: (outputs, 1)"""


@Importer.register("deft_weights")
class DeftWeights(OfModel):
    """
    The `.th` of a training of DEFT's own code (Ivison et al., 2023): `best.th`, `weights.th`,
    `model_state_epoch_4.th`. It becomes a model in Hugging Face's format, which is a `model_name` wherever one is
    asked for. (IA)^3's vectors, if it has some, are multiplied into the layers whose output they scale;
    `deft_ia3` keeps them apart. (A `.th` without any is also `weights_file` of a `seq2seq` as it is.)

    Registered as an `Importer` with name "deft_weights".

    # Parameters

    path : `str`
        The file.
    model_name : `str`
        The model that the training began with: a hub id or a local folder. Its configuration and tokenizer are used.
    """

    summary = "DEFT's .th of a seq2seq or ia3_seq2seq -> a model in Hugging Face's format"

    def write(self, directory: Path) -> str:
        weights = _read(self.path)
        for layer, vector in weights.vectors.items():
            for name in (f"{layer}.weight", f"{layer}.bias"):
                if name in weights.model:
                    tensor = weights.model[name]
                    weights.model[name] = tensor * (vector if tensor.dim() == 2 else vector[:, 0])
        transformer = load_transformer(self.model_name, encoder_decoder=True, random_weights=True)
        load_state(transformer, weights.model, f"{self.path}: model_name {self.model_name}")
        transformer.save_pretrained(directory)
        load_tokenizer(self.model_name).save_pretrained(directory)
        scaled = f", {len(weights.vectors)} layers of it scaled by IA3's vectors" if weights.vectors else ""
        return f"a {transformer.config.model_type} model{scaled}"


@Importer.register("deft_ia3")
class DeftIA3(OfModel):
    """
    (IA)^3's vectors in the `.th` of a few-shot training of DEFT's own code. They become the folder of a delta, `ia3`,
    of the model that the training began with.

    Registered as an `Importer` with name "deft_ia3".

    # Parameters

    path : `str`
        The file.
    model_name : `str`
        The model that the training began with, whose weights are those in the file: a hub id or a local folder, such
        as `deft_weights` makes of the `.th` of the training before.
    """

    summary = "the IA3 vectors in DEFT's .th -> the folder of a delta"

    def write(self, directory: Path) -> str:
        weights = _read(self.path)
        if not weights.vectors:
            raise ConfigurationError(f"{self.path}: has no `ia3_vector`; `deft_weights` takes it as a model")
        transformer = load_transformer(self.model_name, encoder_decoder=True)
        own = transformer.state_dict()
        others = [name for name in weights.model if name not in own or not _equal(own[name], weights.model[name])]
        if others:
            raise ConfigurationError(
                f"{self.path}: is of another model than {self.model_name}: {len(others)} of its tensors are not that "
                f"one's, the first: {some_of(others, 3)}. Name the model that the training began with (`deft_weights` "
                "makes one of a .th)"
            )
        delta = IA3(target_modules=sorted({layer.rpartition(".")[2] for layer in weights.vectors}))
        delta.way_out = f"; the base model is {self.model_name}"
        delta.inject(transformer)
        named = {f"{PREFIX}{layer}.ia3_l": vector for layer, vector in weights.vectors.items()}
        delta.assign(transformer, Delta({}, named, None), self.path)
        delta.save(transformer, directory, self.model_name)
        return f"a delta, ia3, of {sum(vector.numel() for vector in weights.vectors.values())} numbers"


def _read(path: Path) -> _Weights:
    published = tensors_in(read_checkpoint(path, _EXPECTED), path, _EXPECTED)
    others = [name for name in published if not name.startswith(_MODEL)]
    if others:
        raise ConfigurationError(f"{path}: not {_EXPECTED}; it has {some_of(others)}")
    state = {name.removeprefix(_MODEL): tensor for name, tensor in published.items()}
    mixed = [name for name in state if any(part in name for part in _MIXED)]
    if mixed:
        raise ConfigurationError(
            f"{path}: the weights of a `mam_seq2seq` ({mixed[0]}), whose adapters normalise what comes out of them; no "
            "delta here does that"
        )
    vectors = {name.removesuffix(_VECTOR): tensor for name, tensor in state.items() if name.endswith(_VECTOR)}
    model = {name: tensor for name, tensor in state.items() if not name.endswith(_VECTOR)}
    for layer, vector in vectors.items():
        weight = model.get(f"{layer}.weight")
        if weight is None or vector.shape != (len(weight), 1):
            shape = "missing" if weight is None else tuple(weight.shape)
            raise ConfigurationError(
                f"{path}: {layer}{_VECTOR} has the shape {tuple(vector.shape)}, and the layer's weight is {shape}; a "
                "number for each output, shape (outputs, 1), is expected"
            )
    return _Weights(model, vectors)


def _equal(one: Any, other: torch.Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.float(), other.to(one.device))
