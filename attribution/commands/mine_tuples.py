"""
`allennlp mine-tuples`: what a reranker is trained on.
"""

from pathlib import Path
from typing import Any, Dict, Iterable, List

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import lazy_groups_of

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.engines import Engine
from attribution.common.json_lines import json_line
from attribution.common.manifest import Identity, write_json
from attribution.common.pretrained import model_identity
from attribution.common.rows import Row
from attribution.mining import MinedTuple, TupleMiner
from attribution.retrievers import Pool

_TUPLES_PER_BLOCK = 1000
_SPLITS = ("dev", "train", "test")


class TupleMining(ArtefactJob):
    """
    The configuration of `allennlp mine-tuples`.

    # Parameters

    pool : `Pool`
        The upstream rows. Targets of yours do not belong into it: `exclude_tasks`.
    miner : `TupleMiner`
    dev_share : `float`, optional (default = `0.15`)
        The first tuples, this share of them and at least one, are for validation.
    seed : `int`, optional (default = `0`)
        For whatever draws random numbers and has no seed of its own.
    """

    goes_on = True

    def __init__(self, pool: Pool, miner: TupleMiner, dev_share: float = 0.15, seed: int = 0) -> None:
        if not 0 <= dev_share < 1:
            raise ConfigurationError(f"dev_share is {dev_share}; 0 <= dev_share < 1 is needed")
        self.pool = pool
        self.miner = miner
        self.dev_share = dev_share

    def inputs(self) -> List[Path]:
        return self.pool.files

    def identity(self, configuration: Dict[str, Any]) -> Identity:
        identity = {**super().identity(configuration), "miner": self.miner.identity()}
        name = configuration["miner"].get("model", {}).get("model_name")
        return {**identity, "model": model_identity(name)} if name else identity

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes `train.jsonl`, `dev.jsonl` and `test.jsonl`, each if it has a tuple, and `tuples.json`, about them."""
        tuples = list(self.miner.mine(self.pool, directory, engine))
        own = [mined for mined in tuples if not mined.reserved]
        dev = min(len(own) - 1, max(1, round(self.dev_share * len(own)))) if self.dev_share else 0
        splits = dict(zip(_SPLITS, (own[:dev], own[dev:], [mined for mined in tuples if mined.reserved])))
        for name, some in splits.items():
            if some:
                self._write(some, directory / f"{name}.jsonl")
        about = {**{name: len(some) for name, some in splits.items()}, **self.miner.about()}
        write_json(directory / "tuples.json", about)
        return ", ".join(f"{what}: {value if isinstance(value, int) else len(value)}" for what, value in about.items())

    def _write(self, tuples: Iterable[MinedTuple], path: Path) -> None:
        """One line a tuple, as ReCross writes them; their rows are `index_ids`, in the same order."""
        with path.open("w", encoding="utf-8") as file:
            for block in lazy_groups_of(tuples, _TUPLES_PER_BLOCK):
                numbers = {number for mined in block for number in [*mined.queries, *mined.positives, *mined.negatives]}
                triples = {row.number: _triple(row) for row in self.pool.rows.take(sorted(numbers))}
                for mined in block:
                    examples = {
                        "query_examples": mined.queries,
                        "positive_examples": mined.positives,
                        "negative_examples": mined.negatives,
                    }
                    line: Dict[str, Any] = {"task": mined.task, "index_ids": [*examples.values()]}
                    line.update({kind: [triples[number] for number in some] for kind, some in examples.items()})
                    file.write(json_line(line, f"a tuple of {mined.task}") + "\n")


def _triple(row: Row) -> List[Any]:
    """`[input, [references], "dataset|split|template|#number"]`."""
    content = row.content
    task, split, template = (str(content.get(key) or "").replace("|", "/") for key in ("task", "split", "template"))
    references = content.get("references") or [content["target"]]
    return [content["input"], references, f"{task}|{split}|{template}|#{row.number}"]


@Subcommand.register("mine-tuples")
class MineTuples(ArtefactCommand):
    """
    Makes tuples of queries, rows that help them and rows that do not: `allennlp mine-tuples CONFIG -s DIR`. `DIR` then
    has `train.jsonl` and `dev.jsonl`, which a `pair_classifier` is trained on. If it is stopped at any moment, the same
    command goes on after the last query set, and ends with the same bytes.

    Registered as a `Subcommand` with name "mine-tuples".
    """

    job = TupleMining
    summary = "Mine tuples of queries, helpful and other rows, to train a reranker on."
