import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from attribution.common.artefacts import MANIFEST
from tests.retrievers import conftest  # noqa: F401  registers the encoder "tests_number"

READER = {"type": "prompted_reader", "model_name": "unused", "template": "{{number}}", "options": ["x"]}


@pytest.fixture
def config(write_jsonl: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    pool = [{"input": str(n), "target": f"t{n}", "task": "low" if n < 10 else "high", "kept": n} for n in range(20)]
    queries = [{"number": 3}, {"number": 4}, {"number": 15}]
    settings: Dict[str, Any] = {
        "pool": {"path": write_jsonl("pool.jsonl", pool)},
        "queries": {"path": write_jsonl("queries.jsonl", queries), "reader": READER},
        "retriever": {"type": "exact", "encoder": "tests_number"},
        "neighbours": 2,
    }

    def make(**changes: Any) -> str:
        path = tmp_path / "retrieve.jsonnet"
        path.write_text(json.dumps({**settings, **changes}))
        return str(path)

    return make


def _lines(path: Path) -> List[Dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_writes_rows_in_pool_order_with_their_provenance(config: Any, allennlp: Any, tmp_path: Path) -> None:
    folder = tmp_path / "retrieved"
    result = allennlp("retrieve", config(neighbours=1), "-s", folder)
    assert result.status == 0, result.stderr
    assert "3 rows" in result.stdout
    rows = _lines(folder / "retrieved.jsonl")
    assert [row.pop("best_score") for row in rows] == pytest.approx([1, 1, 1])
    assert rows == [
        {"input": str(n), "target": f"t{n}", "task": task, "kept": n, "index_id": n, "attribution_frequency": 1}
        for n, task in ((3, "low"), (4, "low"), (15, "high"))
    ]
    assert json.loads((folder / "composition.json").read_text()) == {
        "rows": 3,
        "tasks": {
            "low": {"rows": 2, "share": 2 / 3, "pool_rows": 10, "pool_share": 0.5},
            "high": {"rows": 1, "share": 1 / 3, "pool_rows": 10, "pool_share": 0.5},
        },
    }
    log = _lines(folder / "search_log.jsonl")
    assert [(line["input"], line["ids"]) for line in log] == [("3", [3]), ("4", [4]), ("15", [15])]
    assert [line["scores"] for line in log] == [pytest.approx([1])] * 3
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["command"] == "retrieve"
    assert [Path(item["path"]).name for item in manifest["inputs"]] == ["pool.jsonl", "queries.jsonl"]
    assert manifest["configuration"]["neighbours"] == 1


def test_the_same_configuration_gives_the_same_bytes(config: Any, allennlp: Any, tmp_path: Path) -> None:
    settings = config(retriever={"type": "random", "seed": 3}, aggregator={"type": "frequency", "size": 5})
    for name in ("one", "two"):
        assert allennlp("retrieve", settings, "-s", tmp_path / name).status == 0
    for product in ("retrieved.jsonl", "composition.json", "search_log.jsonl", MANIFEST):
        assert (tmp_path / "one" / product).read_bytes() == (tmp_path / "two" / product).read_bytes()
    assert len((tmp_path / "one" / "retrieved.jsonl").read_text().splitlines()) == 5


def test_overrides_and_query_size(config: Any, allennlp: Any, tmp_path: Path) -> None:
    overrides = json.dumps({"queries.size": 1, "pool.exclude_tasks": ["low"]})
    assert allennlp("retrieve", config(), "-s", tmp_path / "out", "-o", overrides).status == 0
    [line] = _lines(tmp_path / "out" / "search_log.jsonl")
    assert len(line["ids"]) == 2 and min(line["ids"]) >= 10


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"neighbours": 0}, "neighbours is 0"),
        ({"pool": {"path": "/nowhere.jsonl"}}, "/nowhere.jsonl: no such file"),
        (
            {"retriever": {"type": "psychic"}},
            "psychic not in acceptable choices for retriever.type: ['bm25'",
        ),
        ({"queries": {"path": "/nowhere.jsonl", "reader": READER}}, "/nowhere.jsonl: no such file"),
        ({"surplus": 1}, "surplus"),
    ],
)
def test_mistakes_leave_nothing(changes: Any, message: str, config: Any, allennlp: Any, tmp_path: Path) -> None:
    result = allennlp("retrieve", config(**changes), "-s", tmp_path / "out")
    assert result.status == 1
    assert message in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_occupied_directory_is_kept(config: Any, allennlp: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    result = allennlp("retrieve", config(), "-s", tmp_path / "out")
    assert result.status == 1 and "exists already and is not empty" in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]
