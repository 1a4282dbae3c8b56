import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from tests.commands.retrieve_test import _lines
from tests.retrievers import conftest  # noqa: F401  registers the encoder "tests_number"


@pytest.fixture
def config(write_jsonl: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    rows = [{"input": f"number {n}", "target": "x", "kept": n} for n in range(40)]
    settings: Dict[str, Any] = {
        "rows": {"path": write_jsonl("rows.jsonl", rows)},
        "encoder": "tests_number",
        "batch": 8,
    }

    def make(**changes: Any) -> str:
        path = tmp_path / "novelty.jsonnet"
        path.write_text(json.dumps({**settings, **changes}))
        return str(path)

    return make


def _kept(path: Path) -> List[int]:
    return [row["kept"] for row in _lines(path)]


def test_all_rows_in_growing_files(config: Any, allennlp: Any, write_jsonl: Any, tmp_path: Path) -> None:
    # The numbers lie on a circle, and 0 to 19 are there already.
    retrieved = {"path": write_jsonl("retrieved.jsonl", [{"input": f"number {n}", "target": "x"} for n in range(20)])}
    result = allennlp("novelty", config(retrieved=retrieved, separate_files=True), "-s", tmp_path / "out")
    assert result.status == 0 and "40 rows of 40" in result.stdout, result.stderr
    order = _kept(tmp_path / "out" / "rows.jsonl")
    assert sorted(order) == list(range(40)) and min(order[:20]) >= 20 and set(order[20:]) == set(range(20))
    for number in range(1, 6):
        assert _kept(tmp_path / "out" / f"rows_{number}.jsonl") == order[: 8 * number]
    assert allennlp("novelty", config(retrieved=retrieved), "-s", tmp_path / "again").status == 0
    assert _kept(tmp_path / "again" / "rows.jsonl") == order


def test_few_shots_are_spread_out(config: Any, allennlp: Any, write_jsonl: Any, tmp_path: Path) -> None:
    # Of copies one is enough.
    numbers = [0] * 10 + [13] + [0] * 10 + [27] + [0] * 10
    rows = {"path": write_jsonl("copies.jsonl", [{"input": f"number {n}", "target": "x", "kept": n} for n in numbers])}
    assert allennlp("novelty", config(rows=rows, size=3, batch=1), "-s", tmp_path / "out").status == 0
    assert sorted(_kept(tmp_path / "out" / "rows.jsonl")) == [0, 13, 27]
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == ["manifest.json", "rows.jsonl"]


def test_a_size_that_is_no_multiple_of_the_batch(config: Any, allennlp: Any, tmp_path: Path) -> None:
    assert allennlp("novelty", config(size=11, separate_files=True), "-s", tmp_path / "out").status == 0
    lengths = [len(_kept(tmp_path / "out" / f"{name}.jsonl")) for name in ("rows", "rows_1", "rows_2")]
    assert lengths == [11, 8, 11]


def test_mistakes(config: Any, allennlp: Any, tmp_path: Path) -> None:
    result = allennlp("novelty", config(batch=0), "-s", tmp_path / "out")
    assert result.status == 1 and "batch is 0" in result.stderr and not (tmp_path / "out").exists()
