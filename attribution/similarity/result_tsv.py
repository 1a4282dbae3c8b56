"""`result.tsv`, in which the published program for weight ensembling (Lv et al., 2023) keeps scores."""

import re
from collections import defaultdict
from math import isinf
from pathlib import Path
from typing import Any, DefaultDict, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import RowError
from attribution.common.text_lines import Line, read_lines
from attribution.similarity.parts import GRANULARITIES
from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.similarity_matrix import SimilarityMatrix
from attribution.similarity.target_task import TargetTask
from attribution.similarity.task_similarity import PartScores, Source, TaskSimilarity

_BLOCK_FILE = re.compile(r"(encoder|decoder)_block_(\d+)(?:_layer_(\d+))?_result\.tsv")


@TaskSimilarity.register("result_tsv")
class ResultTsv(TaskSimilarity):
    """
    Scores that were measured before, from files of `read_result_tsv`: as a `SimilarityMatrix` everything here takes
    them. Of the sources only the names count.

    Registered as a `TaskSimilarity` with name "result_tsv".

    # Parameters

    path : `str`
        The file, or, by block or layer, the folder of `encoder_block_0_result.tsv`, `decoder_block_0_result.tsv`, ...
        or `encoder_block_0_layer_0_result.tsv`, ...
    higher_is_better : `bool`
        The files do not say. Of the published measures it holds of both cosines and of the performance.
    names : `List[str]`, optional
        The tasks, in their order, where a file has values only.
    granularity : `str`, optional (default = `"model"`)
        `model`, `block` or `layer`.
    """

    granularities = GRANULARITIES
    needs_examples = False

    def __init__(
        self, path: str, higher_is_better: bool, names: Optional[List[str]] = None, granularity: str = "model"
    ) -> None:
        super().__init__(granularity)
        self.paths = {"model": Path(path)} if granularity == "model" else _block_files(Path(path), granularity)
        self.higher_is_better = higher_is_better
        self.names = names
        self._matrices: Dict[str, SimilarityMatrix] = {}

    def files(self, folder: Path) -> List[Path]:
        return []

    def pair_files(self, target: str, source: str) -> List[Path]:
        return [path for path in self.paths.values() if path.is_file()]

    def compare(self, target: TargetTask, source: Source, model: Optional[ResidentModel], reference: Any) -> PartScores:
        if not self._matrices:
            self._matrices = {
                part: read_result_tsv(path, self.higher_is_better, self.names) for part, path in self.paths.items()
            }
        return {part: self._score(part, target.name, source.name) for part in self.paths}

    def _score(self, part: str, target: str, source: str) -> float:
        matrix = self._matrices[part]
        for kind, name, there in (("target", target, matrix.targets), ("source", source, matrix.sources)):
            if name not in there:
                raise ConfigurationError(f"{self.paths[part]}: has no {kind} {name!r}; there are {', '.join(there)}")
        return float(matrix.scores[matrix.targets.index(target), matrix.sources.index(source)])


def read_result_tsv(path: Path, higher_is_better: bool, names: Optional[Sequence[str]] = None) -> SimilarityMatrix:
    """
    Scores in either layout: of each target a line with its name, then lines `source,score`; or values only, one a
    line, of the first target all sources, then of the next.

    # Parameters

    names : `Sequence[str]`, optional
        The targets, which are the sources, too, in the order of the values. Needed where the file has no names.

    # Raises

    `ConfigurationError`, naming the line, if one is neither or beyond all numbers; or if a pair is missing or there
    twice.
    """
    lines = [line for line in read_lines(path) if line.text.strip()]
    values = [_number(line.text) for line in lines]
    for line in lines:
        if isinf(_number(line.text.rpartition(",")[2]) or 0):
            raise RowError(line.where, "no measured score", f": {line.text!r:.80}")
    if None not in values:
        if names is None:
            raise ConfigurationError(f"{path}: has {len(values)} values and no names; give `names`, in their order")
        if len(values) != len(names) ** 2:
            raise ConfigurationError(f"{path}: has {len(values)} values; {len(names)} names need {len(names) ** 2}")
        square = np.array(values, dtype=float).reshape(len(names), len(names))
        return SimilarityMatrix(list(names), list(names), square, higher_is_better, "model")
    found: DefaultDict[str, Dict[str, float]] = defaultdict(dict)
    for line, target, source, score in _named(lines):
        if source in found[target]:
            raise RowError(line.where, "a pair that was there before", f": {source!r} on {target!r}")
        found[target][source] = score
    sources = list(dict.fromkeys(source for scores in found.values() for source in scores))
    for target, scores in found.items():
        missing = [source for source in sources if source not in scores]
        if missing:
            raise ConfigurationError(f"{path}: the target {target!r} has no score of {', '.join(missing)}")
    rows = np.array([[scores[source] for source in sources] for scores in found.values()])
    return SimilarityMatrix(list(found), sources, rows, higher_is_better, "model")


def write_result_tsv(matrix: SimilarityMatrix, path: Path) -> None:
    """In the layout with names: of parts the mean."""
    flat = matrix.scores.reshape(*matrix.scores.shape[:2], -1).mean(-1)
    with path.open("w", encoding="utf-8") as file:
        for target, scores in zip(matrix.targets, flat.tolist()):
            file.write(f"{target}\n")
            file.writelines(f"{source},{score!r}\n" for source, score in zip(matrix.sources, scores))


def _named(lines: Sequence[Line]) -> Iterator[Tuple[Line, str, str, float]]:
    target = None
    for line in lines:
        source, comma, score = line.text.strip().rpartition(",")
        if not comma:
            target = score
            continue
        value = _number(score)
        if target is None or value is None:
            raise RowError(line.where, "neither a target nor `source,score`", f": {line.text!r}")
        yield line, target, source, value


def _number(text: str) -> Optional[float]:
    try:
        return float(text)
    except ValueError:
        return None


def _block_files(folder: Path, granularity: str) -> Dict[str, Path]:
    """By the names of a T5's parts: the encoder's first, each stack in the order of its blocks."""
    found = [(match, path) for path in folder.glob("*") if (match := _BLOCK_FILE.fullmatch(path.name))]
    files = []
    for match, path in found:
        stack, block, layer = match.groups()
        if (layer is None) == (granularity == "block"):
            part = f"{stack}.block.{block}" + (f".layer.{layer}" if layer is not None else "")
            files.append(((stack != "encoder", int(block), int(layer or 0)), part, path))
    if not files:
        wanted = "encoder_block_0_result.tsv" if granularity == "block" else "encoder_block_0_layer_0_result.tsv"
        raise ConfigurationError(f"measure.path: {folder} has no scores by {granularity} ({wanted}, ...)")
    return {part: path for _, part, path in sorted(files)}
