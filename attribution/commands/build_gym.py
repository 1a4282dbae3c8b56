"""
`allennlp build-gym`: few-shot tasks, in the format of the NLP Few-shot Gym, from any reader of prompted rows.
"""

import logging
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.engines import Engine
from attribution.common.manifest import write_json
from attribution.common.names import check_names
from attribution.data.dataset_readers import PromptedExample, PromptedReader
from attribution.data.few_shot_gym import GymLine, file_name

logger = logging.getLogger(__name__)

REPORT = "gym.json"


class GymRow(NamedTuple):
    """A labelled row as the gym will have it."""

    input: bytes
    target: str
    """The answer to train on: its class, where there are classes."""
    line: bytes


class GymTask(FromParams):
    """
    One task of a gym.

    # Parameters

    reader : `DatasetReader`
        A reader of prompted rows (`prompted_reader`, `p3_jsonl`, `recross_triples`, ...). A row's input is the prompt;
        its answers are the `references` of its details, where it has some, and otherwise the right option.
    train_data_path : `str`
        Where training and development rows are drawn from.
    test_data_path : `str`
        The test rows.
    test_reader : `DatasetReader`, optional (default = `reader`)
        The reader of the test rows, where it is another one.
    shots : `int`, optional (default = `16`)
        So many training rows, and as many development rows.
    per_class : `bool`, optional (default = `False`)
        `shots` is for each answer there is: for classification.
    """

    def __init__(
        self,
        reader: DatasetReader,
        train_data_path: str,
        test_data_path: str,
        test_reader: Optional[DatasetReader] = None,
        shots: int = 16,
        per_class: bool = False,
    ) -> None:
        if shots < 1:
            raise ConfigurationError(f"shots is {shots}; at least one is needed")
        self._train = _prompted(reader), train_data_path
        self._test = _prompted(test_reader or reader), test_data_path
        self.shots = shots
        self.per_class = per_class

    def inputs(self) -> List[Path]:
        """The files that the rows come from."""
        return [file for reader, path in (self._train, self._test) for file in reader.open(path).files()]

    def train_rows(self) -> Iterator[GymRow]:
        return _rows(*self._train)

    def test_rows(self) -> Iterator[GymRow]:
        return _rows(*self._test)


class GymBuild(ArtefactJob):
    """
    The configuration of `allennlp build-gym`.

    # Parameters

    tasks : `Dict[str, GymTask]`
        The tasks, by the names that their folders and files get.
    seeds : `List[int]`, optional (default = `[13, 21, 42, 87, 100]`)
        A sample of training and development rows for each; the default are those of the published gym.
    max_test_rows : `int`, optional
        At most so many test rows, a uniform sample of them.
    allow_fewer_shots : `bool`, optional (default = `False`)
        A task, or a class, without enough rows for training and development divides what it has; otherwise that is
        an error.
    seed : `int`, optional (default = `0`)
        For the sample of test rows.
    """

    def __init__(
        self,
        tasks: Dict[str, GymTask],
        seeds: Optional[List[int]] = None,
        max_test_rows: Optional[int] = None,
        allow_fewer_shots: bool = False,
        seed: int = 0,
    ) -> None:
        seeds = [13, 21, 42, 87, 100] if seeds is None else seeds
        if not tasks:
            raise ConfigurationError("tasks is empty; name at least one")
        check_names(tasks, "tasks", [REPORT])
        if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
            raise ConfigurationError(f"seeds is {seeds}; different whole numbers from 0 on are needed, at least one")
        if max_test_rows is not None and max_test_rows < 1:
            raise ConfigurationError(f"max_test_rows is {max_test_rows}; at least one is needed")
        self.tasks = tasks
        self.seeds = seeds
        self.max_test_rows = max_test_rows
        self.allow_fewer_shots = allow_fewer_shots
        self.seed = seed

    def inputs(self) -> List[Path]:
        return list(dict.fromkeys(path for task in self.tasks.values() for path in task.inputs()))

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes the tasks' folders and `gym.json`."""
        report = {
            name: self._build(directory / name, name, task)
            for name, task in Tqdm.tqdm(self.tasks.items(), desc="building tasks", unit="task")
        }
        write_json(directory / REPORT, report)
        lines = [f"{len(report)} tasks, {len(self.seeds)} samples of each"]
        for name, counts in report.items():
            lines.append(f"  {name}: {counts['train']} train, {counts['dev']} dev, {counts['test']} test rows")
        return "\n".join(lines)

    def _build(self, folder: Path, name: str, task: GymTask) -> Dict[str, Any]:
        test = list(task.test_rows())
        rows, left_out = _distinct(task.train_rows(), {row.input for row in test})
        classes = Counter(row.target if task.per_class else "" for row in rows)
        self._check_shots(name, task, classes)
        test = self._sample(test)
        folder.mkdir(exist_ok=True)
        for seed in self.seeds:
            train, dev = draw(rows, task.shots, task.per_class, seed)
            if not dev or not test:
                raise ConfigurationError(f"tasks.{name}: no row is left for {'test' if dev else 'development'}")
            for split, chosen in (("train", train), ("dev", dev), ("test", test)):
                lines = b"".join(row.line for row in chosen)
                (folder / file_name(name, task.shots, seed, split)).write_bytes(lines)
        return {
            "shots": task.shots,
            "seeds": self.seeds,
            "train": len(train),
            "dev": len(dev),
            "test": len(test),
            "rows_to_draw_from": len(rows),
            **({"classes": dict(sorted(classes.items()))} if task.per_class else {}),
            "rows_left_out": left_out,
        }

    def _check_shots(self, name: str, task: GymTask, classes: "Counter[str]") -> None:
        few = [(answer, count) for answer, count in sorted(classes.items()) if count < 2 * task.shots]
        if few and not self.allow_fewer_shots:
            place = f" of the answer {few[0][0]!r:.60} ({len(few)} such answers)" if task.per_class else ""
            raise ConfigurationError(
                f"tasks.{name}: {2 * task.shots} rows{place} are needed for training and development, and {few[0][1]} "
                "different ones that are no test rows are there; lower `shots`, or set `allow_fewer_shots`"
            )

    def _sample(self, test: List[GymRow]) -> List[GymRow]:
        if self.max_test_rows is None or len(test) <= self.max_test_rows:
            return test
        chosen = np.random.default_rng(self.seed).permutation(len(test))[: self.max_test_rows]
        return [test[place] for place in sorted(chosen)]


def draw(rows: List[GymRow], shots: int, per_class: bool, seed: int) -> Tuple[List[GymRow], List[GymRow]]:
    """
    Training and development rows, both in a random order. Of each class, or of all rows, `shots` and the next `shots`;
    where there are fewer than twice `shots`, half of them each.
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    of_class: Dict[str, List[int]] = {}
    for rank, place in enumerate(order):
        of_class.setdefault(rows[place].target if per_class else "", []).append(rank)
    halves = [(ranks, min(shots, (len(ranks) + 1) // 2)) for ranks in of_class.values()]
    train = sorted(chain(*(ranks[:half] for ranks, half in halves)))
    dev = sorted(chain(*(ranks[half : half + shots] for ranks, half in halves)))
    return [rows[order[rank]] for rank in train], [rows[order[rank]] for rank in dev]


def _distinct(rows: Iterator[GymRow], test: Set[bytes]) -> Tuple[List[GymRow], Dict[str, int]]:
    """The first row of each input that is no test row's, and how many were left out for which reason."""
    kept: Dict[bytes, GymRow] = {}
    left_out: "Counter[str]" = Counter()
    for row in rows:
        if row.input in test:
            left_out["input of a test row"] += 1
        elif row.input in kept:
            left_out["input of an earlier row"] += 1
        else:
            kept[row.input] = row
    return list(kept.values()), dict(sorted(left_out.items()))


def _rows(reader: PromptedReader, path: str) -> Iterator[GymRow]:
    reader.counts.clear()
    for example in reader.examples(path):
        answers = _answers(example)
        line = GymLine(example.input, answers).encode()
        yield GymRow(line.split(b"\t", 1)[0], answers[0], line)
    for reason, count in sorted((+reader.counts).items()):
        logger.warning("%s: %d %s", path, count, reason)


def _answers(example: PromptedExample) -> List[str]:
    """All that count as right, the one to train on first."""
    references: List[str] = (example.details or {}).get("references") or []
    if example.answer is None and not references:
        raise ConfigurationError(f"{example.where}: a row without an answer; build-gym needs labelled rows")
    target = references[0] if example.answer is None else example.options[example.answer]
    return [target, *(one for one in references if one != target)] if target in references else references or [target]


def _prompted(reader: DatasetReader) -> PromptedReader:
    if not isinstance(reader, PromptedReader):
        raise ConfigurationError(
            f"tasks: a {type(reader).__name__} does not make prompts; use prompted_reader, p3_jsonl or recross_triples"
        )
    return reader


@Subcommand.register("build-gym")
class BuildGym(ArtefactCommand):
    """
    Few-shot tasks from any reader of prompted rows: `allennlp build-gym CONFIG -s DIR`. DIR then holds
    `{task}/{task}_{shots}_{seed}_{split}.tsv`, which `fewshot_gym` reads, what they are made of (`gym.json`) and
    `manifest.json`. No input is in two of a sample's splits. Tabs and line ends inside a text become spaces, and empty
    answers beside others are left out: the format cannot hold them.

    Registered as a `Subcommand` with name "build-gym".
    """

    job = GymBuild
    summary = "Make few-shot tasks, in the format of the NLP Few-shot Gym, from any reader of prompted rows."
