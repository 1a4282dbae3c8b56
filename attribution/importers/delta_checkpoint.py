"""Deltas of the published program for weight ensembling."""

import re
from math import inf
from pathlib import Path
from typing import Any, Dict, Mapping, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.importers.checkpoint_file import LeftAside, read_checkpoint, some_of, tensors_in
from attribution.importers.importer import Importer, OfModel
from attribution.models.pretrained import load_transformer
from attribution.modules.delta import Delta, DeltaModule, Houlsby, Lora, Pfeiffer, Prefix
from attribution.modules.delta.delta_folder import PREFIX

_EXPECTED = "a checkpoint of weight ensembling, with tensors under `adapter`, `lora` or `prefix`"
# What it saves beside the tensors: an object of its copy of the class, and arguments, as a dictionary or not.
_BESIDE = ("configuration_t5.T5Config", "transformers.models.t5.configuration_t5.T5Config", "argparse.Namespace")
_ADAPTER = re.compile(r"((encoder|decoder)\.block\.\d+\.layer\.(\d+))\.adapter\.adapter_([AB])")
_LORA = re.compile(r"(.*)\.lora_([AB])")
# The last layer of each sub-layer.
_OUTPUTS = {
    ("encoder", "0"): "SelfAttention.o",
    ("encoder", "1"): "DenseReluDense.wo",
    ("decoder", "0"): "SelfAttention.o",
    ("decoder", "1"): "EncDecAttention.o",
    ("decoder", "2"): "DenseReluDense.wo",
}
_EMBEDDING, _DOWN, _UP = "prefix", "prefix_project.0.weight", "prefix_project.2.weight"

Tensors = Dict[str, torch.Tensor]


@Importer.register("delta_checkpoint")
class DeltaCheckpoint(OfModel):
    """
    A delta of T5 (Lv et al., 2023): `checkpoint-best.pt` and its like, or `without_TASK_checkpoint.pt`. It becomes the
    folder of a delta, which is a source of `allennlp similarity` and `ensemble`, and `weights` of a model's `delta`:

    - an adapter becomes `houlsby` (or `pfeiffer`, if that is its `adapter_type`);
    - LoRA becomes `lora`, with the `lora_alpha` of its arguments;
    - a prefix becomes `prefix` whose parameters are the keys and values themselves. The program reads what its
      embedding is projected to, shape (tokens, all keys and values), as if its shape were (layer, key or value, head,
      token, number): each layer's are made from other rows of the embedding than its tokens' own, which
      `hidden_size` cannot say. An ensemble of imported prefixes averages keys and values, the program embeddings and
      projections.

    Registered as an `Importer` with name "delta_checkpoint".

    # Parameters

    path : `str`
        The file.
    model_name : `str`
        The T5 that it was tuned on: a hub id or a local folder.
    """

    summary = "weight ensembling's checkpoint-best.pt of adapter, LoRA or prefix -> the folder of a delta"

    def write(self, directory: Path) -> str:
        checkpoint = read_checkpoint(self.path, _EXPECTED, _BESIDE)
        found = [kind for kind in _KINDS if isinstance(checkpoint.get(kind), dict)]
        if len(found) != 1:
            raise ConfigurationError(f"{self.path}: not {_EXPECTED}; it has {some_of(sorted(checkpoint)) or 'nothing'}")
        published = tensors_in(checkpoint[found[0]], self.path, _EXPECTED)
        arguments = checkpoint.get("args")
        if isinstance(arguments, LeftAside):
            arguments = vars(arguments)
        transformer = load_transformer(self.model_name, encoder_decoder=True)
        if transformer.config.model_type != "t5":
            raise ConfigurationError(
                f"{self.path}: a delta of T5; {self.model_name} is {transformer.config.model_type}"
            )
        try:
            delta, tensors = _KINDS[found[0]](published, arguments if isinstance(arguments, dict) else {}, transformer)
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.path}: {error.message}") from error
        delta.way_out = f"; the base model is {self.model_name}"
        delta.inject(transformer)
        named = {f"{PREFIX}{name}": tensor for name, tensor in tensors.items()}
        delta.assign(transformer, Delta({}, named, None), self.path)
        delta.save(transformer, directory, self.model_name)
        return f"a delta, {found[0]}, of {sum(tensor.numel() for tensor in tensors.values())} numbers"


def _adapter(published: Tensors, arguments: Mapping[str, Any], _: PreTrainedModel) -> Tuple[DeltaModule, Tensors]:
    """A of shape (model, size), B of shape (size, model): what a linear layer has the other way round."""
    tensors = {}
    for name, tensor in published.items():
        match = _ADAPTER.fullmatch(name)
        place = _OUTPUTS.get((match[2], match[3])) if match else None
        if match is None or place is None or tensor.dim() != 2:
            raise ConfigurationError(f"{name} {tuple(tensor.shape)} is no adapter of a T5's sub-layer")
        layer = "adapter_down" if match[4] == "A" else "adapter_up"
        tensors[f"{match[1]}.{place}.adapter.{layer}.weight"] = tensor.T
    kinds = {"houlsby": Houlsby, "pfeiffer": Pfeiffer}
    kind = arguments.get("adapter_type", "houlsby")
    if kind not in kinds:
        raise ConfigurationError(f"its `adapter_type` is {kind!r}; {' and '.join(kinds)} are known")
    return kinds[kind](size=min(next(iter(tensors.values())).shape)), tensors


def _lora(published: Tensors, arguments: Mapping[str, Any], _: PreTrainedModel) -> Tuple[DeltaModule, Tensors]:
    """x A B: A of shape (inputs, r), B of shape (r, outputs)."""
    tensors = {}
    for name, tensor in published.items():
        match = _LORA.fullmatch(name)
        if match is None or tensor.dim() != 2:
            raise ConfigurationError(f"{name} {tuple(tensor.shape)} is no factor of a LoRA, `lora_A` or `lora_B`")
        tensors[f"{name}.weight"] = tensor.T
    alpha = arguments.get("lora_alpha")
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 < alpha < inf:
        raise ConfigurationError(f"its arguments' `lora_alpha` is {alpha!r}; a number above 0 is needed, for its scale")
    rank = min(next(iter(tensors.values())).shape)
    return Lora(r=rank, alpha=alpha, target_modules=["q", "v"]), tensors


def _prefix(published: Tensors, _: Mapping[str, Any], transformer: PreTrainedModel) -> Tuple[DeltaModule, Tensors]:
    config: Any = transformer.config
    wanted = {f"{stack}.prefix.{part}" for stack in ("encoder", "decoder") for part in (_EMBEDDING, _DOWN, _UP)}
    if published.keys() != wanted:
        raise ConfigurationError(
            f"a prefix of {some_of(sorted(published))}; {some_of(sorted(wanted))} of encoder and decoder are expected"
        )
    tensors = {}
    tokens = len(published[f"encoder.prefix.{_EMBEDDING}"])
    for stack, layers in (("encoder", config.num_layers), ("decoder", config.num_decoder_layers)):
        embedding, down, up = (published[f"{stack}.prefix.{part}"] for part in (_EMBEDDING, _DOWN, _UP))
        try:
            states = torch.tanh(embedding @ down.T) @ up.T
            # Shape: (layers, keys and values, heads, tokens, head size)
            laid_out = states.view(layers, 2, config.num_heads, tokens, config.d_kv)
        except RuntimeError as error:
            shapes = ", ".join(str(tuple(tensor.shape)) for tensor in (embedding, down, up))
            raise ConfigurationError(
                f"the {stack}'s prefix has the shapes {shapes}; that is none of {layers} layers of {config.num_heads} "
                f"heads of {config.d_kv}"
            ) from error
        tensors[f"{stack}.prefix_encoder.embedding.weight"] = laid_out.permute(3, 0, 1, 2, 4).reshape(tokens, -1)
    return Prefix(num_virtual_tokens=tokens, encoder=True), tensors


_KINDS = {"adapter": _adapter, "lora": _lora, "prefix": _prefix}
