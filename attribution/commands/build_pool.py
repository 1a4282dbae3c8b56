"""
`allennlp build-pool`: prompted examples from many sources as one pool to retrieve from.
"""

import json
from pathlib import Path
from typing import List, Optional, Set, Union

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.engines import Engine
from attribution.common.manifest import write_json
from attribution.common.row_store import RowStore
from attribution.common.row_writers import WRITERS
from attribution.common.rows import RowError, Rows, label_of
from attribution.common.text_lines import read_lines
from attribution.data.formats import open_rows
from attribution.data.gathered_pool import GatheredPool
from attribution.data.pool_sources import PoolRow, PoolSource, Skipped
from attribution.data.row_choice import repeats, within_cap
from attribution.data.triples import open_triples

TASKS = "tasks.json"

_LONG = 10_000
_SKIP = "on_bad_row: 'skip' leaves such rows out and counts them"


class PoolBuild(ArtefactJob):
    """
    The configuration of `allennlp build-pool`.

    # Parameters

    sources : `List[PoolSource]`
        Where the rows come from.
    format : `str`, optional (default = `"jsonl"`)
        `jsonl`, with an index of its lines beside it, or `parquet`.
    shuffle : `bool`, optional (default = `True`)
        A uniform permutation of all rows. Without it they are in the order of the sources.
    seed : `int`, optional (default = `0`)
        For the permutation and the samples.
    max_per_task : `int`, optional
        At most so many rows of a task, a uniform sample of them.
    max_rows : `int`, optional
        At most so many rows, a uniform sample.
    tasks : `Union[str, List[str]]`, optional
        Keep the rows of these tasks only: names, or a text file with a name a line.
    exclude_tasks : `List[str]`, optional
        Leave out the rows of these tasks.
    exclude_tasks_of : `List[str]`, optional
        Files of targets, prompted rows or ReCross's triples (`.json`): leave out (and count) the rows of their tasks.
    deduplicate : `bool`, optional (default = `False`)
        Of the rows with the same input and target keep the first.
    max_characters : `int`, optional
        Leave out rows with a longer input. Without it those of more than 10,000 characters are counted only.
    on_bad_row : `str`, optional (default = `"stop"`)
        `stop`, or `skip` (and count) rows that cannot be read, lack a text, or have the `id` of an earlier row.
    """

    def __init__(
        self,
        sources: List[PoolSource],
        format: str = "jsonl",
        shuffle: bool = True,
        seed: int = 0,
        max_per_task: Optional[int] = None,
        max_rows: Optional[int] = None,
        tasks: Optional[Union[str, List[str]]] = None,
        exclude_tasks: Optional[List[str]] = None,
        exclude_tasks_of: Optional[List[str]] = None,
        deduplicate: bool = False,
        max_characters: Optional[int] = None,
        on_bad_row: str = "stop",
    ) -> None:
        limits = {"max_per_task": max_per_task, "max_rows": max_rows, "max_characters": max_characters}
        for name, limit in limits.items():
            if limit is not None and limit < 1:
                raise ConfigurationError(f"{name} is {limit}; at least one is needed")
        if format not in WRITERS:
            raise ConfigurationError(f"format is {format!r}; {' and '.join(WRITERS)} are possible")
        if on_bad_row not in ("stop", "skip"):
            raise ConfigurationError(f"on_bad_row is {on_bad_row!r}; stop and skip are possible")
        if not sources:
            raise ConfigurationError("sources is empty; name at least one")
        kept = [source.name for source in sources if source.keep]
        if kept and format != "jsonl":
            raise ConfigurationError(f"source {kept[0]}: `keep` needs the format jsonl; {format} has the pool's fields")
        self.sources = sources
        self.format = format
        self.shuffle = shuffle
        self.seed = seed
        self.max_per_task = max_per_task
        self.max_rows = max_rows
        self.tasks_file = [Path(tasks)] if isinstance(tasks, str) else []
        names = _read_names(tasks) if isinstance(tasks, str) else tasks
        self.tasks = None if names is None else frozenset(names)
        self.exclude_tasks = frozenset(exclude_tasks or ())
        self.targets = [_open(path) for path in exclude_tasks_of or ()]
        self.tasks_of_targets = frozenset(task for rows in self.targets for task in _tasks(rows))
        self.deduplicate = deduplicate
        self.max_characters = max_characters
        self.skip_bad_rows = on_bad_row == "skip"

    def inputs(self) -> List[Path]:
        """The local files that the pool is made from."""
        listed = [path for source in self.sources for path in source.inputs()]
        of_targets = [path for rows in self.targets for path in rows.files()]
        return list(dict.fromkeys([*listed, *self.tasks_file, *of_targets]))

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes the pool and `tasks.json`."""
        with RowStore(directory) as store:
            gathered = self._gather(store)
            chosen = self._choose(gathered)
            with WRITERS[self.format](directory / f"pool.{self.format}") as write:
                for number in Tqdm.tqdm(chosen, desc="writing the pool", unit="row"):
                    write(store[number].line)
        report = gathered.report(chosen, self.max_characters or _LONG)
        write_json(directory / TASKS, report)
        lines = [f"pool.{self.format}, {report['rows']} rows of {len(report['tasks'])} tasks"]
        for source in report["sources"]:
            dropped = "".join(f"; {count} {reason}" for reason, count in source["rows_dropped"].items())
            lines.append(f"  {source['name']}: {source['rows_taken']} of {source['rows_read']} rows{dropped}")
        return "\n".join(lines)

    def _gather(self, store: RowStore) -> GatheredPool:
        gathered = GatheredPool(store, self.deduplicate)
        for source in self.sources:
            counts = gathered.begin(source.name)
            for item in Tqdm.tqdm(source.rows(), desc=f"reading {source.name}", unit="row", total=source.total()):
                counts.read += 1
                try:
                    reason = self._take(item, gathered)
                except RowError as error:
                    if not self.skip_bad_rows:
                        raise ConfigurationError(f"{error}. {_SKIP}") from error
                    reason = error.reason
                if reason:
                    counts.dropped[reason] += 1
        store.finish()
        for setting, names in (("tasks", self.tasks), ("exclude_tasks", self.exclude_tasks)):
            unknown = sorted((names or frozenset()) - set(gathered.tasks))
            if unknown:
                all_of_them = "; without `tasks` (ReCross: TASKS=all) every one is taken" if setting == "tasks" else ""
                raise ConfigurationError(
                    f"{setting}: no row is of the task {unknown[0]!r} ({len(unknown)} such names); "
                    f"the tasks there are {sorted(gathered.tasks)}{all_of_them}"
                )
        return gathered

    def _take(self, item: Union[PoolRow, Skipped, RowError], gathered: GatheredPool) -> str:
        """Why the row is not wanted; empty if it was taken."""
        if isinstance(item, RowError):
            raise item
        if isinstance(item, Skipped):
            return item.reason
        task = item.content["task"]
        gathered.tasks[task] += 1
        if task in self.exclude_tasks or (self.tasks is not None and task not in self.tasks):
            return "of another task"
        if task in self.tasks_of_targets:
            return "of a target's task"
        if len(item.content["input"]) > (self.max_characters or _LONG):
            gathered.sources[-1].long += 1
            if self.max_characters is not None:
                return "longer than max_characters"
        gathered.append(item)
        return ""

    def _choose(self, gathered: GatheredPool) -> np.ndarray:
        """The numbers of the pool's rows, in the pool's order."""
        rows = self._with_own_ids(gathered)
        if self.deduplicate:
            first = repeats(gathered.contents.array()[rows])
            rows = _keep(gathered, rows, first == np.arange(len(rows)), "input and target of an earlier row")
        rows = np.random.default_rng(self.seed).permutation(rows)
        if self.max_per_task is not None:
            kept = within_cap(gathered.task_numbers()[rows], self.max_per_task)
            rows = _keep(gathered, rows, kept, "over max_per_task")
        if self.max_rows is not None:
            rows = _keep(gathered, rows, np.arange(len(rows)) < self.max_rows, "over max_rows")
        if not len(rows):
            dropped = (f"{source.name}: {dict(source.dropped) or 'has no rows'}" for source in gathered.sources)
            raise ConfigurationError(f"no row is left for the pool; those read were dropped: {'; '.join(dropped)}")
        return rows if self.shuffle else np.sort(rows)

    def _with_own_ids(self, gathered: GatheredPool) -> np.ndarray:
        rows = np.arange(len(gathered.store))
        first = repeats(gathered.ids.array())
        again = np.flatnonzero(first != rows)
        if len(again) and not self.skip_bad_rows:
            earlier, later = gathered.store[first[again[0]]], gathered.store[again[0]]
            name = json.loads(later.line)["id"]
            raise ConfigurationError(
                f"{later.where}: has the id {name!r}, as {earlier.where} has ({len(again)} such rows). "
                f"Rows without an id get one from task, split and template: give one source another. {_SKIP}"
            )
        return _keep(gathered, rows, first == rows, "`id` of an earlier row")


def _keep(gathered: GatheredPool, rows: np.ndarray, kept: np.ndarray, reason: str) -> np.ndarray:
    gathered.drop(rows[~kept], reason)
    return rows[kept]


def _open(path: str) -> Rows:
    return open_triples(path) if path.endswith(".json") else open_rows(path)


def _tasks(rows: Rows) -> Set[str]:
    tasks = {label_of(row, "task") for row in rows}
    if "" in tasks:
        raise ConfigurationError(f"exclude_tasks_of: {rows.path} has rows that do not say of which `task` they are")
    return tasks


def _read_names(path: str) -> List[str]:
    try:
        names = [line.text.strip() for line in read_lines(path)]
    except ConfigurationError as error:
        raise ConfigurationError(f"tasks: {path} is no text file of names, one a line ({error})") from error
    return [name for name in names if name]


@Subcommand.register("build-pool")
class BuildPool(ArtefactCommand):
    """
    Composes a pool of prompted rows: `allennlp build-pool CONFIG -s DIR`. DIR then holds `pool.jsonl` (with an index
    of its lines) or `pool.parquet`, what it is made of (`tasks.json`) and `manifest.json`. A row's number is its id in
    all that is made from the pool; its own `id` says where it came from.

    Registered as a `Subcommand` with name "build-pool".
    """

    job = PoolBuild
    summary = "Compose a pool of prompted rows from files, datasets and templates."
