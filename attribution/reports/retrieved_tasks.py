"""Which tasks the rows are from that the retrievals of a sweep have found."""

from collections import defaultdict
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.json_files import read_json_object
from attribution.reports.blocks import Block, Cell, Number, Plot, Table
from attribution.reports.plots import heat_map
from attribution.reports.retrieval import COMPOSITION, MATRIX
from attribution.reports.sweep_results import SweepResults, read_place
from attribution.similarity import SimilarityMatrix

_MOST_TASKS = 40
_COUNTS = ["rows", "queries", "queries in the evaluation", "pool rows left out"]


class _Found(NamedTuple):
    """What one retrieval has found for a target."""

    shares: Dict[str, float]
    """Of its rows, by task of the pool."""
    counts: List[float]
    """As `_COUNTS` names them."""


def composition_files(directory: Path) -> List[Path]:
    """What the retrievals in a sweep's directory are made of."""
    matrices = sorted(directory.glob(f"*/*/{MATRIX}"))
    return [path for matrix in matrices for path in (matrix, *sorted(matrix.parent.rglob(COMPOSITION)))]


def retrieved_tasks(results: SweepResults, rows: Optional[str]) -> Iterator[Block]:
    """
    For each step that retrieves, and each combination of the axes that are neither `rows` nor repeated, a heat map of
    targets and the pool's tasks, means over repetitions; and what was found and left out.

    # Parameters

    rows : `str`, optional
        The axis whose values are the targets; those of a step without it are named by their retrievals.
    """
    steps: Dict[str, Dict[str, Dict[str, List[_Found]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    left_out = {rows or "", *results.repeat, *results.choose}
    for path in sorted(results.directory.glob(f"*/*/{MATRIX}")):
        place = read_place(path.parent.name)
        if results.counts(place):
            label = ", ".join(f"{axis}={value}" for axis, value in place.items() if axis not in left_out)
            for target, found in _read(path, place.get(rows or "")).items():
                steps[path.parent.parent.name][label][target].append(found)
    order = results.values(rows) if rows else []
    for step, labels in steps.items():
        where = f"From {results.directory / step}."
        for label, targets in labels.items():
            names = sorted(targets, key=lambda name: (order.index(name) if name in order else len(order), name))
            yield from _shares(f"Retrieved tasks, {label or step}", {name: targets[name] for name in names}, where)
        yield _counts(f"Retrieved rows of {step}", labels, where)


def _read(path: Path, name: Optional[str]) -> Dict[str, _Found]:
    """By target; of a retrieval for one, that is the name."""
    matrix = SimilarityMatrix.load(path)
    alone = (path.parent / COMPOSITION).is_file()
    found = {}
    for target, shares in zip(matrix.targets, matrix.scores.tolist()):
        composition = path.parent / ("" if alone else target) / COMPOSITION
        content, _ = read_json_object(composition)
        try:
            queries, dropped = content["queries"], content["dropped"]
            counts = [content["rows"], queries["used"], queries.get("in_evaluation", np.nan), sum(dropped.values())]
            numbers = [float(count) for count in counts]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigurationError(f"{composition}: not what `allennlp retrieve` writes ({error!r})") from error
        found[name if alone and name else target] = _Found(dict(zip(matrix.sources, shares)), numbers)
    return found


def _shares(title: str, targets: Dict[str, List[_Found]], where: str) -> Iterator[Block]:
    means = {
        target: {task: float(np.mean([one.shares.get(task, 0.0) for one in found])) for task in found[0].shares}
        for target, found in targets.items()
    }
    total = {
        task: sum(shares.get(task, 0.0) for shares in means.values()) for shares in means.values() for task in shares
    }
    tasks = sorted(total, key=lambda task: (-total[task], task))
    # Shape: (targets, tasks)
    values = 100 * np.array([[shares.get(task, np.nan) for task in tasks] for shares in means.values()])
    counts = [len(found) for found in targets.values()]
    runs = " to ".join(map(str, dict.fromkeys((min(counts), max(counts)))))
    caption = (
        f"Percent of each target's retrieved rows that are of each task of the pool, the mean over {runs} retrievals; "
        "the tasks with most rows first"
    )
    first = f", the first {_MOST_TASKS} of {len(tasks)}" if len(tasks) > _MOST_TASKS else ""
    shown = values[:, :_MOST_TASKS]
    figure = heat_map(list(means), tasks[:_MOST_TASKS], shown, "percent of rows", form=".1f")
    yield Plot(title, f"{caption}{first}. {where}", figure)
    cells: List[List[Cell]] = [
        [target, *(Number(value, form=".1f") for value in row)] for target, row in zip(means, values.tolist())
    ]
    yield Table(f"{title}: all", f"{caption}. {where}", ["", *tasks], cells, folded=True)


def _counts(title: str, labels: Dict[str, Dict[str, List[_Found]]], where: str) -> Table:
    cells: List[List[Cell]] = []
    for label, targets in labels.items():
        for target, found in targets.items():
            means = np.mean([one.counts for one in found], axis=0).tolist()
            cells.append([label, target, *(Number(mean, form=".1f") for mean in means)])
    caption = (
        "Means over retrievals: rows retrieved; queries, and how many of them are test inputs; pool rows left out "
        f"because they are test inputs, nearly so, or of the target's own task. {where}"
    )
    return Table(title, caption, ["", "target", *_COUNTS], cells, folded=True)
