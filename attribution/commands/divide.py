"""
`allennlp divide`: the rows of a task as upstream rows, validation, test and rounds of query sets.
"""

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.engines import Engine
from attribution.common.rows import RowError
from attribution.data.layouts import NO_TEXTS, are_texts
from attribution.data.pool_sources import PoolRow, PoolSource

FEW_SHOT = "fewshot.json"


class Parts(NamedTuple):
    """Of each part the numbers of its rows among those of training (`test` too, where it has no rows of its own)."""

    upstream: np.ndarray
    validation: np.ndarray
    test: np.ndarray


class Division(ArtefactJob):
    """
    The configuration of `allennlp divide`: how ReCross (Lin et al., 2022, https://arxiv.org/abs/2204.07937) divides the
    prompted rows of a task.

    # Parameters

    train : `PoolSource`
        The rows that upstream rows, validation rows and query sets are drawn from. `keep: ['references']` keeps all of
        a row's references; a triple has its target alone otherwise.
    validation : `PoolSource`, optional
        The rows that the test rows are the first of. Without it they are set aside from `train`, and no query set has
        one of them. (Of a task with nothing else, as Story Cloze, give parts of it, `validation[1000:]` and
        `validation[:1000]`.)
    upstream : `int`, optional (default = `10000`)
        The most upstream rows.
    size : `int`, optional (default = `1000`)
        Validation rows, and the most test rows.
    shots : `List[int]`, optional (default = `[16, 32, 64, 128, 256, 512]`)
        Sizes of query sets. Those of a round begin with the same rows. More than there are rows are left out.
    rounds : `int`, optional (default = `20`)
        Query sets of each size, each of a permutation of its own.
    seed : `int`, optional (default = `42`)
    """

    def __init__(
        self,
        train: PoolSource,
        validation: Optional[PoolSource] = None,
        upstream: int = 10000,
        size: int = 1000,
        shots: Optional[List[int]] = None,
        rounds: int = 20,
        seed: int = 42,
    ) -> None:
        shots = [16, 32, 64, 128, 256, 512] if shots is None else shots
        for name, value in {
            "upstream": upstream,
            "size": size,
            "rounds": rounds,
            "shots": min(shots, default=0),
        }.items():
            if value < 1:
                raise ConfigurationError(f"{name} is {value}; at least one is needed")
        self.sources = {"train": train, "validation": validation}
        self.upstream = upstream
        self.size = size
        self.shots = sorted(set(shots))
        self.rounds = rounds
        self.seed = seed

    def inputs(self) -> List[Path]:
        return list(dict.fromkeys(file for source in self.sources.values() if source for file in source.inputs()))

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes `upstream.json`, `validation.json`, `test.json` and `fewshot.json`."""
        rows, test = (list(_triples(source)) if source else [] for source in self.sources.values())
        generator = np.random.default_rng(self.seed)
        parts = self._parts(len(rows), generator, bool(test))
        files = {
            "upstream": [rows[number] for number in parts.upstream],
            "validation": [rows[number] for number in parts.validation],
            "test": test[: self.size] or [rows[number] for number in parts.test],
        }
        for name, triples in files.items():
            (directory / f"{name}.json").write_bytes(_listed(triples))
        free = np.setdiff1d(np.arange(len(rows)), parts.test)
        shots = [number for number in self.shots if number <= len(free)]
        with (directory / FEW_SHOT).open("wb") as file:
            orders = [generator.permutation(free) for _ in range(self.rounds)]
            of_shots = {
                str(number): {f"round#{n}": [rows[row] for row in order[:number]] for n, order in enumerate(orders)}
                for number in shots
            }
            file.write(b"{")
            for place, (number, rounds) in enumerate(of_shots.items()):
                file.write(b"%b\n%b: {" % (b"," * bool(place), json.dumps(number).encode()))
                listed = (b"%b: %b" % (json.dumps(name).encode(), _listed(some)) for name, some in rounds.items())
                file.write(b",\n".join(listed) + b"}")
            file.write(b"}\n")
        counts = ", ".join(f"{len(triples)} {name}" for name, triples in files.items())
        missing = [number for number in self.shots if number not in shots]
        fewer = f" ({missing[0]} and more are not there)" if missing else ""
        return f"{counts} rows; {self.rounds} rounds of {', '.join(map(str, shots)) or 'no'} shots{fewer}"

    def _parts(self, count: int, generator: np.random.Generator, has_test: bool) -> Parts:
        set_aside = self.size if has_test else 2 * self.size
        if count <= set_aside:
            rows = "validation rows" if has_test else "validation and as many test rows"
            raise ConfigurationError(
                f"train has {count} rows, of which {set_aside} are set aside ({self.size} {rows}): lower `size`"
            )
        order = generator.permutation(count)
        validation = order[count - set_aside : count - set_aside + self.size]
        return Parts(order[: min(self.upstream, count - set_aside)], validation, order[count - set_aside + self.size :])


def _triples(source: PoolSource) -> Iterator[bytes]:
    """ReCross's `[input, [references], id]`, as JSON; an id of another form becomes the last part of one."""
    for row in Tqdm.tqdm(source.rows(), desc=f"reading {source.name}", unit="row", total=source.total()):
        if isinstance(row, RowError):
            raise ConfigurationError(str(row)) from row
        if isinstance(row, PoolRow):
            content: Dict[str, Any] = row.content
            name = content["id"]
            if name.count("|") != 3:
                name = f"{content['task']}|{source.split}|{content['template']}|#{name}"
            if name.count("|") != 3:
                raise ConfigurationError(
                    f"{row.where}: {name!r} is not `task|split|template|#id`, as ReCross's triples have it; "
                    "give the source a `task` and a `template` without |"
                )
            references = content.get("references") or [content["target"]]
            if not are_texts(references):
                raise ConfigurationError(f"{row.where}: `references` {NO_TEXTS}: {references!r:.80}")
            yield json.dumps([content["input"], references, name], ensure_ascii=False).encode()


def _listed(triples: List[bytes]) -> bytes:
    return b"[" + b",\n".join(triples) + b"]\n"


@Subcommand.register("divide")
class Divide(ArtefactCommand):
    """
    Divides a task's prompted rows as ReCross does: `allennlp divide CONFIG -s DIR`. DIR then holds `upstream.json`,
    `validation.json` and `test.json`, lists of triples, and `fewshot.json`, a query file.

    Registered as a `Subcommand` with name "divide".
    """

    job = Division
    summary = "Divide a task's prompted rows into upstream, validation and test rows, and rounds of query sets."
