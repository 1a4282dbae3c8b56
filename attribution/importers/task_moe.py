"""Mixtures of the published program for task-level mixtures of experts."""

import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.port import save_tensors
from allennlp.data import Vocabulary
from allennlp.models import Model
from allennlp.models.archival import CONFIG_NAME

from attribution.common.manifest import Identity, write_json
from attribution.common.pretrained import model_identity
from attribution.common.rows import local_file
from attribution.importers.checkpoint_file import read_checkpoint, some_of, tensors_in
from attribution.importers.importer import Importer
from attribution.importers.published_router import read_router
from attribution.importers.task_vectors import files_of_vectors, read_task_vectors
from attribution.models.pretrained import load_state

WEIGHTS = "model.pt"
_EXPECTED = "a state dict of a BART whose layers have `blocks`, with a `router`"
_LAYER = re.compile(r"model\.(encoder|decoder)\.layers\.(\d+)\.(blocks\.(\d+)\.)?(.*)")
_ROUTER = "router.model."
# The output layer is the embeddings; a head of its own is stored, and not used.
_UNUSED = ("lm_head.weight",)

Tensors = Dict[str, torch.Tensor]


class _Layers(NamedTuple):
    """What the names of a state dict say."""

    experts: int
    vanilla: Dict[str, List[int]]
    """Of `encoder` and `decoder`: the layers without experts."""
    routed: List[int]
    """The others' numbers, the decoder's after all of the encoder's."""
    total: int
    """Of all layers."""


@Importer.register("task_moe")
class TaskMixture(Importer):
    """
    A checkpoint of a mixture of BART layers (Ye et al., 2022): a folder of `model.pt`, `task_vecs.npy` and
    `id2task.json`, such as `best`. It becomes the directory of a training of a `task_moe_seq2seq`, with router, experts
    and task vectors: what `allennlp evaluate`, `squeeze`, `routes` and `disable-experts` take for an archive, and
    `router_from` for stage one.

    Registered as an `Importer` with name "task_moe".

    # Parameters

    path : `str`
        The folder.
    model_name : `str`
        The BART that it began with: a hub id or a local folder. Its configuration and tokenizer are used.
    selector : `Dict[str, Any]`, optional
        How the model is to choose experts, as for `task_moe_seq2seq`: the checkpoint does not say. By default
        `straight_through`, as the program's; for stage two `{"type": "softmax"}`.
    """

    summary = "task-level MoE's folder of model.pt (router and experts) and task vectors -> the directory of a training"

    def __init__(self, path: str, model_name: str, selector: Optional[Dict[str, Any]] = None) -> None:
        self.folder = Path(path)
        self._files = [*files_of_vectors(path), local_file(self.folder / WEIGHTS)]
        self.model_name = model_name
        self.selector = {"type": "straight_through"} if selector is None else selector

    def files(self) -> List[Path]:
        return self._files

    def identity(self, given: Identity) -> Identity:
        return {**given, "model": model_identity(self.model_name)}

    def write(self, directory: Path) -> str:
        path = self.folder / WEIGHTS
        published = tensors_in(read_checkpoint(path, _EXPECTED), path, _EXPECTED)
        vectors = read_task_vectors(self.folder)
        layers = _layers(published, path)
        routing = {name.removeprefix(_ROUTER): value for name, value in published.items() if name.startswith(_ROUTER)}
        try:
            router = read_router(routing, layers.total, layers.routed)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error.message}") from error
        vectors.save(directory / "task_vectors.npz")
        config = self._config(layers, router.settings)
        building = Params(config).duplicate()["model"]
        building["random_weights"] = True  # All of them come from the checkpoint.
        building["task_vectors"]["path"] = str(directory / "task_vectors.npz")
        model: Any = Model.from_params(building, vocab=Vocabulary.empty())
        own = {name: value for name, value in model.state_dict().items() if name.startswith(("task_vec", "selector"))}
        moved = {f"transformer.{name}": value for name, value in _transformer(published).items()}
        routing = {f"router.{name}": value for name, value in router.state.items()}
        load_state(model, {**own, **moved, **routing}, f"{path}: model_name {self.model_name}")
        write_json(directory / CONFIG_NAME, config)
        model.vocab.save_to_files(str(directory / "vocabulary"))
        save_tensors(model.state_dict(), directory / "best.th")
        return f"a mixture of {layers.experts} experts in {len(layers.routed)} layers, {len(vectors.names)} tasks"

    def _config(self, layers: _Layers, router: Dict[str, Any]) -> Dict[str, Any]:
        """What the directory of a training says of the model, and of the rows that it reads."""
        reader = {
            "type": "fewshot_gym",
            "model_name": self.model_name,
            "input_prefix": " [{task}] ",
            "answer_prefix": " ",
        }
        experts = {
            "type": "layer",
            "count": layers.experts,
            **{f"vanilla_{stack}_layers": numbers for stack, numbers in layers.vanilla.items() if numbers},
        }
        return {
            "dataset_reader": {**reader, "split": "train"},
            "validation_dataset_reader": {**reader, "split": "dev"},
            "vocabulary": {"type": "empty"},
            "model": {
                "type": "task_moe_seq2seq",
                "model_name": self.model_name,
                "experts": experts,
                "selector": self.selector,
                "router": router,
                "task_vectors": {"type": "table", "path": "task_vectors.npz"},
                "loss": "sum",
                "label_smoothing": 0.1,
            },
            "data_loader": {"batch_size": 16},
        }


def _layers(published: Tensors, path: Path) -> _Layers:
    found = [match for match in map(_LAYER.fullmatch, published) if match is not None]
    experts = [int(match[4]) + 1 for match in found if match[4] is not None]
    if not experts or not any(name.startswith(_ROUTER) for name in published):
        raise ConfigurationError(f"{path}: not {_EXPECTED}; it has {some_of(list(published))}")
    there = {stack: {int(match[2]) for match in found if match[1] == stack} for stack in ("encoder", "decoder")}
    of_experts = {
        stack: {int(match[2]) for match in found if match[1] == stack and match[4] is not None} for stack in there
    }
    routed = [
        before + number
        for stack, before in (("encoder", 0), ("decoder", len(there["encoder"])))
        for number in sorted(of_experts[stack])
    ]
    vanilla = {stack: sorted(there[stack] - of_experts[stack]) for stack in there}
    return _Layers(max(experts), vanilla, routed, sum(map(len, there.values())))


def _transformer(published: Tensors) -> Tensors:
    """By the names here: experts are called `experts`."""
    moved = {}
    for name, value in published.items():
        match = _LAYER.fullmatch(name)
        if match is not None and match[4] is not None:
            name = f"model.{match[1]}.layers.{match[2]}.experts.{match[4]}.{match[5]}"
        if not name.startswith("router.") and name not in _UNUSED:
            moved[name] = value
    return moved
