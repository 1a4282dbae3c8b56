"""
`allennlp similarity`: how close each source is to each target.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Union

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common import Lazy
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm
from allennlp.data import DatasetReader
from allennlp.models import Model

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.commands.target_examples import TargetExamples
from attribution.common.delta_folders import delta_folders
from attribution.common.engines import Engine
from attribution.common.kept import kept_lines
from attribution.common.manifest import Identity
from attribution.common.pretrained import model_identity
from attribution.ensembling import DeltaFolder, common_layout
from attribution.similarity import (
    PartScores,
    ResidentModel,
    SimilarityMatrix,
    Source,
    TargetTask,
    TaskSimilarity,
    draw_heat_map,
)

_CELLS = "cells.jsonl"


class Cell(NamedTuple):
    """A target and a source, by their names."""

    target: str
    source: str


class Similarity(ArtefactJob):
    """
    The configuration of `allennlp similarity`.

    # Parameters

    measure : `TaskSimilarity`
    sources : `str`
        A pattern of folders (`runs/*/delta`), each with the delta of a task, all of one method, size and base model,
        or with what else the measure compares. What stands for the asterisks is the source's name.
    targets : `Union[str, Dict[str, str]]`, optional
        The folder of a few-shot gym, whose tasks are the targets, or by a target's name the path of its rows; of
        `retrieval_overlap` and `kernel_alignment` a pattern as `sources`. A measure that needs no examples takes by
        default those of `target_deltas` or, if it needs these neither, the sources; so does `kernel_alignment`.
    target_names : `List[str]`, optional
        Of these targets only.
    target_deltas : `str`, optional
        A pattern as `sources`, for the measures that compare with the target's own delta.
    reader : `DatasetReader`, optional
        What reads the targets: a `PromptedReader`; of a gym, `fewshot_gym`, without `task`.
    model : `Model`, optional
        The base model: a `PromptedModel`, without `delta`.
    batch_size : `int`, optional (default = `32`)
        Examples a pass, of measures that do not have their own.
    max_examples : `int`, optional
        Only so many of each target, the first: the published scores are those of 50. By default all.
    heat_map : `bool`, optional (default = `True`)
        Draw the matrix, as PNG and SVG.
    allow_pickle : `bool`, optional (default = `False`)
        Take deltas that are kept as `adapter_model.bin`. Nothing in them is executed.
    """

    goes_on = True

    def __init__(
        self,
        measure: TaskSimilarity,
        sources: str,
        targets: Optional[Union[str, Dict[str, str]]] = None,
        target_names: Optional[List[str]] = None,
        target_deltas: Optional[str] = None,
        reader: Optional[Lazy[DatasetReader]] = None,
        model: Optional[Lazy[Model]] = None,
        batch_size: int = 32,
        max_examples: Optional[int] = None,
        heat_map: bool = True,
        allow_pickle: bool = False,
    ) -> None:
        targets = targets or (sources if measure.all_at_once else None)
        patterns = {"targets": targets, "target_deltas": target_deltas}
        own = measure.own_folders
        for setting, value, needed in (
            ("targets", targets, measure.needs_examples or own == "targets"),
            ("reader", reader, measure.needs_examples),
            ("model", model, measure.needs_examples),
            ("target_deltas", target_deltas, own == "target_deltas"),
        ):
            if needed and not value:
                raise ConfigurationError(f"{setting} is missing: this measure needs it")
        if heat_map and find_spec("matplotlib") is None:
            raise ConfigurationError("heat maps need matplotlib: install the extra `plots`, or set heat_map: false")
        self.measure = measure
        measure.allow_pickle = allow_pickle
        self.sources = delta_folders(sources, "sources")
        self.own_folders = _own_folders(patterns[own], own) if own else {}
        self.examples = TargetExamples(targets if own != "targets" else None, reader, batch_size, max_examples)
        there = self.examples.names or list(self.own_folders) or target_names or list(self.sources)
        self.targets = _chosen(target_names, there)
        self.model = model
        self.heat_map = heat_map
        if own:
            _chosen(self.targets, list(self.own_folders), own)

    def inputs(self) -> List[Path]:
        """The files that the measure reads, and those of the targets."""
        measure = self.measure
        own = [self.own_folders[name] for name in self.targets if name in self.own_folders]
        files = [file for folder in [*self.sources.values(), *own] for file in measure.files(folder)]
        files += [file for cell in self.cells() for file in measure.pair_files(*cell)]
        if measure.needs_examples:
            files += [file for name in self.targets for file in self.examples.files(name)]
        return list(dict.fromkeys(files))

    def cells(self) -> List[Cell]:
        return [Cell(target, source) for target in self.targets for source in self.sources]

    def identity(self, configuration: Dict[str, Any]) -> Identity:
        identity = {**super().identity(configuration), "sources": list(self.sources), "targets": self.targets}
        name = configuration.get("model", {}).get("model_name")
        return {**identity, "model": model_identity(name)} if name and self.measure.needs_examples else identity

    def run(self, directory: Path, engine: Engine) -> str:
        """Measures what is not in `directory` yet, and writes `similarity.npz`, `.tsv`, `.png` and `.svg`."""
        cells = self.cells()
        done = self._all_at_once(cells) if self.measure.all_at_once else self._one_by_one(cells, directory, engine)
        self._save(directory, done)
        (directory / _CELLS).unlink(missing_ok=True)
        return _summary(cells, done, self.measure.higher_is_better)

    def _all_at_once(self, cells: List[Cell]) -> Dict[Cell, PartScores]:
        folders = list(dict.fromkeys([*self.sources.values(), *(self.own_folders[name] for name in self.targets)]))
        place = {folder: number for number, folder in enumerate(folders)}
        scores = self.measure.compare_all(folders)
        return {
            cell: {"model": float(scores[place[self.own_folders[cell.target]], place[self.sources[cell.source]]])}
            for cell in cells
        }

    def _one_by_one(self, cells: List[Cell], directory: Path, engine: Engine) -> Dict[Cell, PartScores]:
        kept = kept_lines(
            directory / _CELLS, lambda number, line: number < len(cells) and _has_scores(line, cells[number])
        )
        done = {cell: line["scores"] for cell, line in zip(cells, kept)}
        missing = [cell for cell in cells if cell not in done]
        if self.measure.needs_examples:
            folders = dict.fromkeys([*self.sources.values(), *self.own_folders.values()])
            common_layout([DeltaFolder(folder, self.measure.allow_pickle) for folder in folders])
        with (directory / _CELLS).open("a", encoding="utf-8") as file:
            scores = engine.map(_Compare(self), missing)
            for cell, found in Tqdm.tqdm(
                zip(missing, scores), initial=len(done), total=len(cells), desc="comparing", unit="pair"
            ):
                done[cell] = found
                file.write(json.dumps({**cell._asdict(), "scores": found}) + "\n")
                file.flush()
        if len({tuple(found) for found in done.values()}) > 1:
            raise ConfigurationError(
                f"{directory / _CELLS}: what an interrupted run left has other parts than what was measured now; the "
                "same command begins anew"
            )
        return done

    def target(self, name: str) -> TargetTask:
        """What the measure wants to know of a target."""
        measure = self.measure
        batches = self.examples.batches(name, measure.examples_a_batch) if measure.needs_examples else []
        return TargetTask(name, batches, self.own_folders.get(name))

    def resident_model(self) -> Optional[ResidentModel]:
        """
        With the first source's delta in it; none if the measure needs none. All targets are read, and fit it: a bad row
        is found before anything is measured, not after the targets before it.
        """
        if not self.measure.needs_examples or self.model is None:
            return None
        model = ResidentModel(self.model, next(iter(self.sources.values())), self.measure.allow_pickle)
        for target in map(self.target, self.targets):
            try:
                for batch in target.batches:
                    model.check_length(batch)
            except ConfigurationError as error:
                raise ConfigurationError(f"the target {target.name!r}: {error}") from error
        return model

    def _save(self, directory: Path, scores: Dict[Cell, PartScores]) -> None:
        parts = list(next(iter(scores.values())))
        values = np.array(
            [
                [[scores[Cell(target, source)][part] for part in parts] for source in self.sources]
                for target in self.targets
            ]
        )
        whole = self.measure.granularity == "model"
        matrix = SimilarityMatrix(
            self.targets,
            list(self.sources),
            values[:, :, 0] if whole else values,
            self.measure.higher_is_better,
            self.measure.granularity,
            () if whole else parts,
        )
        matrix.save(directory / "similarity.npz")
        if self.heat_map:
            title = f"{type(self.measure).__name__}, {'higher' if matrix.higher_is_better else 'lower'} is closer"
            for ending in ("png", "svg"):
                draw_heat_map(directory / f"similarity.{ending}", self.targets, matrix.sources, values.mean(2), title)


class _Compare:
    """One cell after the other. The model, and what belongs to the last target, are kept between them."""

    def __init__(self, job: Similarity) -> None:
        self.job = job
        self.model: Optional[ResidentModel] = None
        self.target: Optional[TargetTask] = None
        self.reference: Any = None

    def __call__(self, cell: Cell) -> PartScores:
        measure = self.job.measure
        if self.target is None or self.target.name != cell.target:
            self.model = self.model or self.job.resident_model()
            target = self.job.target(cell.target)
            if self.model is not None:
                target = target._replace(batches=[batch.to(self.model.device) for batch in target.batches])
            self.reference = None  # That of two targets would not fit where one does.
            self.target, self.reference = target, measure.reference(target, self.model)
        source = Source(cell.source, self.job.sources[cell.source])
        return measure.compare(self.target, source, self.model, self.reference)


def _own_folders(pattern: Any, setting: str) -> Dict[str, Path]:
    if not isinstance(pattern, str):
        raise ConfigurationError(f"{setting}: this measure needs a pattern of folders, as `sources` is")
    return delta_folders(pattern, setting)


def _chosen(wanted: Optional[List[str]], there: List[str], setting: str = "target_names") -> List[str]:
    missing = [name for name in wanted or () if name not in there]
    if wanted == [] or missing:
        what = f"there is no {missing[0]!r}" if missing else "it is empty"
        raise ConfigurationError(f"{setting}: {what}; there are {', '.join(there)}")
    return wanted or there


def _has_scores(line: Any, cell: Cell) -> bool:
    """Whether a line is of this cell."""
    if not isinstance(line, dict) or line.keys() != {*Cell._fields, "scores"} or not isinstance(line["scores"], dict):
        return False
    numbers = all(isinstance(score, (int, float)) for score in line["scores"].values())
    return numbers and line["target"] == cell.target and line["source"] == cell.source


def _summary(cells: List[Cell], scores: Dict[Cell, PartScores], higher_is_better: bool) -> str:
    wrong = [cell for cell in cells if not np.isfinite(list(scores[cell].values())).all()]
    note = f"; {len(wrong)} are no numbers, the first: {wrong[0].source} on {wrong[0].target}" if wrong else ""
    return f"{len(cells)} pairs, {'higher' if higher_is_better else 'lower'} is closer{note}"


@Subcommand.register("similarity")
class SimilarityCommand(ArtefactCommand):
    """
    Compares sources with targets: `allennlp similarity CONFIG -s DIR`. `DIR/similarity.npz` is a matrix for `allennlp
    ensemble`, `.tsv`, `.png` and `.svg` are for the eye. One model is loaded, and the deltas take turns in it. If it is
    stopped at any moment, the same command goes on after the last pair, and ends with the same bytes.

    Registered as a `Subcommand` with name "similarity".
    """

    job = Similarity
    summary = "Measure how close each source, a delta say, is to each target."
