"""How many retrieved rows two tasks share."""

from pathlib import Path
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional

from allennlp.common.checks import ConfigurationError

from attribution.common.manifest import MANIFEST, read_manifest
from attribution.common.rows import RowError
from attribution.data.formats import open_rows
from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.target_task import TargetTask
from attribution.similarity.task_similarity import PartScores, Source, TaskSimilarity, check_choice

_ROWS = "retrieved.jsonl"
_COEFFICIENTS = ("jaccard", "overlap")


class _Retrieved(NamedTuple):
    pool: str
    """The hash of its file."""
    rows: FrozenSet[int]
    """Their numbers in the pool."""


@TaskSimilarity.register("retrieval_overlap")
class RetrievalOverlap(TaskSimilarity):
    """
    What share of the pool's rows that were retrieved for either task were retrieved for both. Sources and targets are
    folders of `allennlp retrieve`, from one pool. No model and no examples are needed.

    Registered as a `TaskSimilarity` with name "retrieval_overlap".

    # Parameters

    coefficient : `str`, optional (default = `"jaccard"`)
        `jaccard`: rows of both / rows of either; `overlap`: rows of both / rows of the one that has fewer.
    """

    higher_is_better = True
    needs_examples = False
    own_folders = "targets"

    def __init__(self, coefficient: str = "jaccard") -> None:
        super().__init__()
        check_choice("coefficient", coefficient, _COEFFICIENTS)
        self.coefficient = coefficient
        self._read: Dict[Path, _Retrieved] = {}

    def files(self, folder: Path) -> List[Path]:
        if not (folder / _ROWS).is_file():
            raise ConfigurationError(f"{folder}: has no {_ROWS}; name folders of `allennlp retrieve`")
        return [folder / _ROWS, _manifest_folder(folder) / MANIFEST]

    def compare(self, target: TargetTask, source: Source, model: Optional[ResidentModel], reference: Any) -> PartScores:
        assert target.folder is not None
        one, other = (self._retrieved(folder) for folder in (target.folder, source.folder))
        if one.pool != other.pool:
            raise ConfigurationError(
                f"{target.folder} and {source.folder} have rows of different pools, whose numbers mean nothing to each "
                "other; retrieve both from one"
            )
        both = len(one.rows & other.rows)
        if self.coefficient == "jaccard":
            return {"model": both / len(one.rows | other.rows)}
        return {"model": both / min(len(one.rows), len(other.rows))}

    def _retrieved(self, folder: Path) -> _Retrieved:
        if folder not in self._read:
            self._read[folder] = _Retrieved(_pool(_manifest_folder(folder)), _row_numbers(folder / _ROWS))
        return self._read[folder]


def _manifest_folder(folder: Path) -> Path:
    """Of several targets that were retrieved for at once, each has a folder in the one that has the manifest."""
    return folder if (folder / MANIFEST).is_file() else folder.parent


def _pool(folder: Path) -> str:
    manifest = read_manifest(folder)
    if manifest.get("command") != "retrieve":
        raise ConfigurationError(f"{folder}: what {manifest.get('command')} wrote; retrieved rows are retrieve's")
    return manifest["inputs"][0]["sha256"]


def _row_numbers(path: Path) -> FrozenSet[int]:
    numbers = set()
    for row in open_rows(path).shard(0, 1):
        if type(row.content.get("index_id")) is not int:
            raise RowError(row.where, "has no `index_id`", ", the row's number in the pool, as retrieve writes it")
        numbers.add(row.content["index_id"])
    return frozenset(numbers)
