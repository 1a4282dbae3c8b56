import json
from pathlib import Path
from typing import Any, Callable, List

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.manifest import write_manifest
from attribution.similarity import RetrievalOverlap, TargetTask
from tests.similarity.conftest import source_of


@pytest.fixture
def retrieved(tmp_path: Path) -> Callable[..., Path]:
    """(name, numbers of its rows, hash of the pool) -> a folder as `allennlp retrieve` leaves it."""

    def write(name: str, numbers: List[Any], pool: str = "a", command: str = "retrieve") -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        rows = [{"input": "a film", "target": "good", "index_id": number} for number in numbers]
        (folder / "retrieved.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        write_manifest(folder, command, [{"sha256": pool}, {"sha256": name}], {}, {})
        return folder

    return write


def _score(one: Path, other: Path, **settings: Any) -> float:
    return RetrievalOverlap(**settings).compare(TargetTask("one", [], one), source_of(other), None, None)["model"]


def test_by_hand(retrieved: Callable[..., Path]) -> None:
    """Of 1, 2, 3, 4 and 3, 4, 5 two are in both, five in either, and the smaller has three."""
    one, other, third = retrieved("one", [1, 2, 3, 4]), retrieved("other", [5, 4, 3]), retrieved("third", [9])
    assert _score(one, other) == _score(other, one) == pytest.approx(2 / 5)
    assert _score(one, other, coefficient="overlap") == pytest.approx(2 / 3)
    assert _score(one, third) == 0 and _score(one, one) == 1


def test_several_targets_have_one_manifest(retrieved: Callable[..., Path], tmp_path: Path) -> None:
    for name in ("rte", "cb"):
        (retrieved(f"rows/{name}", [1, 2]) / "manifest.json").rename(tmp_path / "rows" / "manifest.json")
    rte, cb = tmp_path / "rows" / "rte", tmp_path / "rows" / "cb"
    assert _score(rte, cb) == 1
    assert RetrievalOverlap().files(rte) == [rte / "retrieved.jsonl", tmp_path / "rows" / "manifest.json"]


def test_rows_that_cannot_be_compared(retrieved: Callable[..., Path], tmp_path: Path) -> None:
    one = retrieved("one", [1, 2])
    with pytest.raises(ConfigurationError, match="one and .*other have rows of different pools"):
        _score(one, retrieved("other", [1, 2], "b"))
    with pytest.raises(ConfigurationError, match="retrieved.jsonl:2: has no `index_id`, the row's number"):
        _score(one, retrieved("unnumbered", [1, None]))
    with pytest.raises(ConfigurationError, match="novel: what novelty wrote; retrieved rows are retrieve's"):
        _score(one, retrieved("novel", [1], command="novelty"))
    with pytest.raises(ConfigurationError, match="has no retrieved.jsonl; name folders of `allennlp retrieve`"):
        RetrievalOverlap().files(tmp_path)
    with pytest.raises(ConfigurationError, match="measure.coefficient: 'dice' is none of jaccard, overlap"):
        RetrievalOverlap("dice")
