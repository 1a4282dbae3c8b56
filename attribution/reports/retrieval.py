"""Retrievals in a report."""

import json
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple

from allennlp.common.checks import ConfigurationError

from attribution.common.json_files import read_json_object
from attribution.reports.blocks import Block, Cell, Number, Plot, Table, plain
from attribution.reports.matrix import matrix_blocks
from attribution.reports.plots import paired_bars
from attribution.reports.report_section import ReportSection
from attribution.similarity import SimilarityMatrix

COMPOSITION = "composition.json"
MATRIX = "composition.npz"
SEARCH = "search.json"

_MOST_TASKS = 20


class Composition(NamedTuple):
    """What the rows of a target are made of."""

    rows: int
    dropped: Dict[str, int]
    """How many rows of its evaluation were found, and left out."""
    found_fewer: int
    """Queries that found fewer rows than they were to find."""
    tasks: Dict[str, Dict[str, float]]
    """`rows`, `share`, `pool_rows` and `pool_share`, by task, most rows first."""


@ReportSection.register("retrieval")
class RetrievalSection(ReportSection):
    """
    What `allennlp retrieve` writes: which tasks the rows of each target are from, beside the pool's.

    Registered as a `ReportSection` with name "retrieval".
    """

    needs = f"{COMPOSITION}, or TARGET/{COMPOSITION}"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return (path / COMPOSITION).is_file() or any(path.glob(f"*/{COMPOSITION}"))

    def inputs(self) -> List[Path]:
        optional = [path for path in (self.path / MATRIX, self.path / SEARCH) if path.is_file()]
        return [*self._compositions(), *optional]

    def blocks(self) -> Iterator[Block]:
        if (self.path / SEARCH).is_file():
            search, _ = read_json_object(self.path / SEARCH)
            yield "Search: " + ", ".join(f"{name} {json.dumps(value)}" for name, value in search.items())
        for path in self._compositions():
            yield from _blocks(_read(path), path.parent, "" if path.parent == self.path else f"{path.parent.name}: ")
        if len(self._compositions()) > 1 and (self.path / MATRIX).is_file():
            yield from matrix_blocks(
                SimilarityMatrix.load(self.path / MATRIX),
                "share of rows",
                f"each row is one target's rows. From {self.path}.",
                self.linkage,
            )

    def _compositions(self) -> List[Path]:
        alone = self.path / COMPOSITION
        return [alone] if alone.is_file() else sorted(self.path.glob(f"*/{COMPOSITION}"))


def _blocks(found: Composition, folder: Path, target: str) -> Iterator[Block]:
    dropped = [f"{count} {kind.replace('_', ' ')} to evaluation rows left out" for kind, count in found.dropped.items()]
    fewer = [f"{found.found_fewer} queries found fewer rows than asked for"] if found.found_fewer else []
    yield target + "; ".join([f"{found.rows} rows of {len(found.tasks)} tasks", *fewer, *dropped]) + "."
    tasks = found.tasks
    if not tasks:
        return
    shown = dict(list(tasks.items())[:_MOST_TASKS])
    others = list(tasks.values())[_MOST_TASKS:]
    if others:
        shown[f"({len(others)} others)"] = {
            kind: sum(task[kind] for task in others) for kind in ("share", "pool_share")
        }
    series = {
        "of the retrieved rows": [100 * task["share"] for task in shown.values()],
        "of the pool": [100 * task["pool_share"] for task in shown.values()],
    }
    caption = (
        f"Share of each task in percent, most rows first, among the {found.rows} retrieved rows and in the pool. "
        f"Tasks of which no row was found are not there. From {folder}."
    )
    yield Plot(f"{target}Composition", caption, paired_bars(list(shown), series, "percent of rows"))
    rows: List[List[Cell]] = [
        [
            name or "(no task)",
            plain(task["rows"]),
            Number(100 * task["share"], form=".1f"),
            plain(task["pool_rows"]),
            Number(100 * task["pool_share"], form=".1f"),
            Number(task["share"] / task["pool_share"] if task["pool_share"] else float("nan"), form=".2f"),
        ]
        for name, task in tasks.items()
    ]
    header = ["task", "rows", "percent", "pool rows", "pool percent", "ratio"]
    caption = f"Rows and shares; ratio: how much more often than in the pool. From {folder}."
    yield Table(f"{target}Rows by task", caption, header, rows, folded=len(rows) > 12)


def _read(path: Path) -> Composition:
    content, _ = read_json_object(path)
    kinds = ("rows", "share", "pool_rows", "pool_share")
    try:
        tasks = {str(name): {kind: float(task[kind]) for kind in kinds} for name, task in content["tasks"].items()}
        fewer = int(content.get("queries", {}).get("found_fewer", 0))
        return Composition(int(content["rows"]), dict(content.get("dropped", {})), fewer, tasks)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{path}: not what `allennlp retrieve` writes ({error!r})") from error
