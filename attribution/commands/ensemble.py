"""
`allennlp ensemble`: for each target one delta, merged from the other tasks' deltas.
"""

from glob import escape
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Union

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common import Lazy
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.models import Model

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.commands.merged_loss import MergedLoss
from attribution.commands.target_examples import TargetExamples
from attribution.common.delta_folders import delta_folders
from attribution.common.engines import Engine
from attribution.common.manifest import Identity, write_json
from attribution.common.names import check_names
from attribution.common.pretrained import model_identity
from attribution.ensembling import (
    DeltaFolder,
    DeltaMerger,
    EnsembleWeights,
    LinearMerger,
    Weighting,
    leave_one_out_weights,
    merge_deltas,
)
from attribution.similarity import ResidentModel, SimilarityMatrix, draw_heat_map

_TARGET = "{target}"
_OWN_FILES = tuple(f"weights.{ending}" for ending in ("npz", "tsv", "png", "svg"))


class _Merge(NamedTuple):
    """Targets whose deltas are merged from the same sources."""

    targets: List[str]
    sources: Dict[str, Path]


class Ensemble(ArtefactJob):
    """
    The configuration of `allennlp ensemble`.

    # Parameters

    deltas : `str`
        A pattern of folders (`runs/*/delta`), each with the delta of a task, in PEFT's format. What stands for the
        asterisks is the source's name. With `{target}` in it each target has sources of its own: those that were
        tuned on for it, say.
    weighting : `Weighting`
        From scores to weights.
    similarity : `str`, optional
        The scores: the `.npz` of a similarity matrix.
    merger : `DeltaMerger`, optional (default = `linear`)
    targets : `List[str]`, optional
        Names, or the folder of a few-shot gym with these. By default those of the similarity matrix, or else the
        sources. The source that has a target's name is left out of its delta.
    part : `Union[int, str]`, optional
        Of scores by block or layer, use those of this one for the whole delta: its number, from 0, or its name.
    heat_map : `bool`, optional (default = `False`)
        Draw the weights, as PNG and SVG.
    examples : `Union[str, Dict[str, str]]`, optional
        Labelled examples of the targets, for a weighting that tries weights (`learned`): the folder of a few-shot gym,
        or by a target's name the path of its rows. The targets are then, by default, those that have some.
    reader : `DatasetReader`, optional
        What reads them: a `PromptedReader`; of a gym, `fewshot_gym`, without `task`.
    model : `Model`, optional
        The base model of the deltas: a `PromptedModel`, without `delta`.
    batch_size : `int`, optional (default = `32`)
        Examples a pass.
    max_examples : `int`, optional
        Only so many of each target, the first. By default all.
    allow_pickle : `bool`, optional (default = `False`)
        Take deltas that are kept as `adapter_model.bin`. Nothing in them is executed.
    """

    def __init__(
        self,
        deltas: str,
        weighting: Weighting,
        similarity: Optional[str] = None,
        merger: Optional[DeltaMerger] = None,
        targets: Optional[List[str]] = None,
        part: Optional[Union[int, str]] = None,
        heat_map: bool = False,
        examples: Optional[Union[str, Dict[str, str]]] = None,
        reader: Optional[Lazy[DatasetReader]] = None,
        model: Optional[Lazy[Model]] = None,
        batch_size: int = 32,
        max_examples: Optional[int] = None,
        allow_pickle: bool = False,
    ) -> None:
        if targets is not None and not targets:
            raise ConfigurationError("targets is empty; name at least one, or leave it out")
        for setting, value in (("examples", examples), ("reader", reader), ("model", model)):
            if weighting.needs_loss and not value:
                raise ConfigurationError(f"{setting} is missing: this weighting tries weights with a model")
        self.deltas = deltas
        self.weighting = weighting
        self.similarity = Path(similarity) if similarity is not None else None
        self.merger = merger or LinearMerger()
        self.targets = targets
        self.part = part
        self.heat_map = heat_map
        self.allow_pickle = allow_pickle
        self.model = model
        used = examples if weighting.needs_loss else None
        self.examples = TargetExamples(used, reader, batch_size, max_examples, "examples")

    def inputs(self) -> List[Path]:
        """The files of all deltas, and what the weights come from."""
        merges = self._merges()
        folders = dict.fromkeys(folder for merge in merges for folder in merge.sources.values())
        files = [file for folder in folders for file in DeltaFolder(folder, self.allow_pickle).files]
        if self.weighting.needs_loss:
            files += [file for merge in merges for target in merge.targets for file in self.examples.files(target)]
        return [*files, *self.weighting.inputs(), *([self.similarity] if self.similarity else [])]

    def identity(self, configuration: Dict[str, Any]) -> Identity:
        identity = super().identity(configuration)
        name = configuration.get("model", {}).get("model_name")
        return {**identity, "model": model_identity(name)} if name and self.weighting.needs_loss else identity

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes `DIR/<target>/` for each target, and all weights as `weights.npz` and `weights.tsv`."""
        similarity = self._similarity()
        all_weights = []
        model: Optional[ResidentModel] = None
        for targets, sources in self._merges():
            deltas = [DeltaFolder(path, self.allow_pickle) for path in sources.values()]
            loss = None
            if self.weighting.needs_loss and self.model is not None:
                model = model or ResidentModel(self.model, deltas[0].path, self.allow_pickle)
                loss = MergedLoss(model, self.examples, deltas, self.merger)
            weights = leave_one_out_weights(self.weighting, targets, list(sources), similarity, self.part, loss)
            folders = [directory / target for target in targets]
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
            merge_deltas(deltas, weights, self.merger, folders)
            for target, folder in zip(targets, folders):
                write_json(folder / "weights.json", weights.of_target(target))
            all_weights.append(weights)
        self._save(all_weights, directory)
        return _summary(all_weights)

    def _merges(self) -> List[_Merge]:
        similarity = self._similarity()
        targets = self.targets or (similarity.targets if similarity else None) or self.examples.names or None
        if _TARGET in self.deltas:
            if targets is None:
                raise ConfigurationError(f"deltas has {_TARGET} in it: say which `targets` there are")
            patterns = {name: self.deltas.replace(_TARGET, escape(name)) for name in targets}
            merges = [_Merge([name], delta_folders(pattern, "deltas")) for name, pattern in patterns.items()]
        else:
            sources = delta_folders(self.deltas, "deltas")
            merges = [_Merge(_without_gym(targets, sources) or list(sources), sources)]
        named = [name for merge in merges for name in merge.targets]
        check_names(named, "targets", _OWN_FILES)
        for target in named:
            if self.weighting.needs_loss and target not in self.examples.names:
                raise ConfigurationError(f"examples: the target {target!r} has none; {self.examples.names} have some")
        return merges

    def _similarity(self) -> Optional[SimilarityMatrix]:
        return SimilarityMatrix.load(self.similarity) if self.similarity else None

    def _save(self, all_weights: List[EnsembleWeights], directory: Path) -> None:
        targets = [target for weights in all_weights for target in weights.targets]
        sources = sorted({source for weights in all_weights for source in weights.sources})
        first = all_weights[0]
        values = np.zeros((len(targets), len(sources), *first.values.shape[2:]))
        row = 0
        for weights in all_weights:
            columns = [sources.index(source) for source in weights.sources]
            values[row : row + len(weights.targets), columns] = weights.values
            row += len(weights.targets)
        granularity = "part" if first.parts else "model"
        SimilarityMatrix(targets, sources, values, True, granularity, first.parts).save(directory / "weights.npz")
        if self.heat_map:
            own = np.array(targets)[:, None] == np.array(sources)
            shown = np.where(own, np.nan, values.reshape(*values.shape[:2], -1).mean(2))
            for ending in ("png", "svg"):
                draw_heat_map(directory / f"weights.{ending}", targets, sources, shown, "weights of the sources")


def _without_gym(targets: Optional[List[str]], sources: Dict[str, Path]) -> Optional[List[str]]:
    """The names of a gym's tasks in the place of its folder."""
    if targets is None or len(targets) != 1 or targets[0] in sources or not Path(targets[0]).is_dir():
        return targets
    return TargetExamples(targets[0], None).names


def _summary(all_weights: List[EnsembleWeights]) -> str:
    targets = [target for weights in all_weights for target in weights.targets]
    effective = [weights.effective_sources(target) for weights in all_weights for target in weights.targets]
    sources = {source for weights in all_weights for source in weights.sources}
    return f"{len(targets)} deltas merged from {len(sources)}; effective sources: median {np.median(effective):.1f}"


@Subcommand.register("ensemble")
class EnsembleCommand(ArtefactCommand):
    """
    Merges the deltas of other tasks into one for each target: `allennlp ensemble CONFIG -s DIR`. `DIR/<target>/` is
    then a delta as any other (`adapter_config.json`, `adapter_model.safetensors`), with `weights.json` beside it;
    `DIR/weights.npz` and `.tsv` have the weights of all.

    Registered as a `Subcommand` with name "ensemble".
    """

    job = Ensemble
    summary = "Merge other tasks' deltas into one for each target, weighted by similarity."
