import base64
import datetime
import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List

import pyarrow
import pyarrow.parquet
import pytest

from attribution.common.manifest import MANIFEST
from attribution.similarity import SimilarityMatrix
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
        "queries": {"used": 3},
        "dropped": {},
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
            '"retriever.type" is "psychic", which is not there; there are: balanced_random, bm25',
        ),
        ({"queries": {"path": "/nowhere.jsonl", "reader": READER}}, "/nowhere.jsonl: no such file"),
        ({"surplus": 1}, "surplus"),
        ({"neighbours": None}, '"neighbours" is null'),
        ({"pool": None}, '"pool" is null'),
        ({"retriever": None}, '"retriever" is null'),
        ({"retriever": {"type": "exact", "encoder": None}}, '"retriever.encoder" is null'),
        ({"pool": {"path": "POOL", "exclude_tasks": "low"}}, '"pool.exclude_tasks" is "low"; a list is needed'),
        ({"seed": -1}, "seed is -1; a whole number from 0 to 2^32 - 1"),
        ({"retriever": {"type": "random", "seed": None}}, "retriever.seed is None; a whole number"),
    ],
)
def test_mistakes_leave_nothing(changes: Any, message: str, config: Any, allennlp: Any, tmp_path: Path) -> None:
    if "POOL" in str(changes):
        changes = {"pool": {**changes["pool"], "path": json.loads(Path(config()).read_text())["pool"]["path"]}}
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


def test_flags_instead_of_a_configuration(config: Any, allennlp: Any, tmp_path: Path) -> None:
    config()
    files = ["--pool", tmp_path / "pool.jsonl", "--queries", tmp_path / "inputs.jsonl"]
    (tmp_path / "inputs.jsonl").write_text('{"input": "7"}\n{"input": "9"}\n')
    result = allennlp("retrieve", *files, "--retriever", "bm25", "--neighbours", 3, "--size", 1, "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    assert [row["index_id"] for row in _lines(tmp_path / "out" / "retrieved.jsonl")] == [7]
    result = allennlp("retrieve", *files, "--retriever", "bm25", "-o", '{"neighbours": 1}', "-s", tmp_path / "one")
    assert [len(line["ids"]) for line in _lines(tmp_path / "one" / "search_log.jsonl")] == [1, 1], result.stderr
    result = allennlp("retrieve", config(), "--neighbours", 1, "-s", tmp_path / "other")
    assert result.status == 1 and "--neighbours beside a configuration" in result.stderr
    for flags, message in (
        (["--retriever", "bm25", "--neighbours", 0], "neighbours is 0"),
        (["--retriever", "bm25", "--encoder", "x"], "--encoder is for exact and faiss, not bm25"),
        ([], "retrieve: the retriever exact needs --encoder MODEL (--retriever bm25 needs none)"),
        (["--encoder", "models/none"], "model_name models/none: no such folder"),
    ):
        result = allennlp("retrieve", *files, *flags, "-s", tmp_path / "other")
        assert result.status == 1 and message in result.stderr
    result = allennlp("retrieve", "--pool", tmp_path / "pool.jsonl", "-s", tmp_path / "other")
    assert result.status == 1 and "name a configuration, or --pool and --queries" in result.stderr


def test_the_same_command_again_and_force(config: Any, allennlp: Any, tmp_path: Path) -> None:
    allennlp("retrieve", config(), "-s", tmp_path / "out")
    before = (tmp_path / "out" / "retrieved.jsonl").read_text()
    again = allennlp("retrieve", config(), "-s", tmp_path / "out")
    assert again.status == 0 and "finished already" in again.stdout
    other = allennlp("retrieve", config(neighbours=1), "-s", tmp_path / "out")
    assert other.status == 1 and "neighbours is 2 there and 1 here" in other.stderr
    assert (tmp_path / "out" / "retrieved.jsonl").read_text() == before
    assert allennlp("retrieve", config(neighbours=1), "-s", tmp_path / "out", "--force").status == 0
    assert len(_lines(tmp_path / "out" / "retrieved.jsonl")) == 3


def test_several_targets_in_one_search(config: Any, allennlp: Any, write_jsonl: Any, tmp_path: Path) -> None:
    low = {"path": write_jsonl("one.jsonl", [{"number": 2}, {"number": 3}]), "reader": READER}
    high = {"path": write_jsonl("two.jsonl", [{"number": 17}]), "reader": READER}
    together = config(queries=None, targets={"low": low, "high": high})
    assert allennlp("retrieve", together, "-s", tmp_path / "both").status == 0
    for name, queries in (("low", low), ("high", high)):
        assert allennlp("retrieve", config(queries=queries), "-s", tmp_path / name).status == 0
        for product in ("retrieved.jsonl", "search_log.jsonl", "composition.json"):
            alone, beside = tmp_path / name / product, tmp_path / "both" / name / product
            assert alone.read_text() == beside.read_text()
    matrix = SimilarityMatrix.load(tmp_path / "both" / "composition.npz")
    assert (matrix.targets, matrix.sources) == (["high", "low"], ["high", "low"])
    assert matrix.scores.tolist() == [[1, 0], [0, 1]]
    result = allennlp("retrieve", config(targets={"low": low}), "-s", tmp_path / "neither")
    assert result.status == 1 and "either queries" in result.stderr


def test_a_target_that_finds_nothing_leaves_the_others(config: Any, allennlp: Any, tmp_path: Path) -> None:
    queries = json.loads(Path(config()).read_text())["queries"]
    nothing = {**queries, "overlap": {"path": json.loads(Path(config()).read_text())["pool"]["path"]}}
    together = config(queries=None, targets={"some": queries, "none": nothing})
    result = allennlp("retrieve", together, "-s", tmp_path / "both")
    assert result.status == 0 and "none: 0 rows" in result.stdout, result.stderr
    assert (tmp_path / "both" / "some" / "retrieved.jsonl").read_text()
    assert (tmp_path / "both" / "none" / "retrieved.jsonl").read_text() == ""
    result = allennlp("retrieve", config(queries=nothing), "-s", tmp_path / "alone")
    assert result.status == 1 and "its queries found no row" in result.stderr


def test_what_json_does_not_have_is_text(config: Any, allennlp: Any, tmp_path: Path) -> None:
    rows = {
        "input": [str(n) for n in range(4)],
        "target": ["x"] * 4,
        "day": [datetime.date(2026, 1, 2)] * 4,
        "image": [b"\xff"] * 4,
    }
    pyarrow.parquet.write_table(pyarrow.table(rows), tmp_path / "pool.parquet")
    result = allennlp("retrieve", config(pool={"path": str(tmp_path / "pool.parquet")}), "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    row = _lines(tmp_path / "out" / "retrieved.jsonl")[0]
    assert row["day"] == "2026-01-02" and base64.b64decode(row["image"]) == b"\xff"


def test_evaluation_rows_are_left_out(config: Any, allennlp: Any, write_jsonl: Any, tmp_path: Path) -> None:
    evaluation = {"path": write_jsonl("test.jsonl", [{"number": 3}, {"number": 15}]), "reader": READER}
    queries = {**json.loads(Path(config()).read_text())["queries"], "overlap": evaluation}
    result = allennlp("retrieve", config(queries=queries), "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    assert not {3, 15} & {row["index_id"] for row in _lines(tmp_path / "out" / "retrieved.jsonl")}
    assert json.loads((tmp_path / "out" / "composition.json").read_text())["dropped"] == {"equal": 2, "nearly_equal": 0}
    assert "2 equal to evaluation rows left out" in result.stdout
    # Another evaluation under the same name is another retrieval.
    write_jsonl("test.jsonl", [{"number": 3}])
    result = allennlp("retrieve", config(queries=queries), "-s", tmp_path / "out")
    assert result.status == 1 and "inputs." in result.stderr
    # Each target has its own.
    targets = {"one": queries, "two": {key: queries[key] for key in ("path", "reader")}}
    assert allennlp("retrieve", config(queries=None, targets=targets), "-s", tmp_path / "both").status == 0
    found = {
        name: {row["index_id"] for row in _lines(tmp_path / "both" / name / "retrieved.jsonl")} for name in targets
    }
    assert 3 not in found["one"] and found["two"] == found["one"] | {3}


def test_wrong_answers_of_the_pool_are_counted(config: Any, allennlp: Any, write_jsonl: Any, tmp_path: Path) -> None:
    pool = [{"input": str(n), "target": "x", "task": "t", "is_correct": n % 2 == 0} for n in range(6)]
    (tmp_path / "shards").mkdir()
    write_jsonl("shards/part-0.jsonl", pool[:4])
    write_jsonl("shards/part-1.jsonl", pool[4:])
    folder = tmp_path / "retrieved"
    result = allennlp("retrieve", config(pool={"path": str(tmp_path / "shards")}), "-s", folder)
    assert result.status == 0, result.stderr
    assert "3 not marked as correct left out" in result.stdout
    assert {row["index_id"] for row in _lines(folder / "retrieved.jsonl")} <= {0, 2, 4}
    composition = json.loads((folder / "composition.json").read_text())
    assert composition["dropped"] == {"not_correct": 3} and composition["tasks"]["t"]["pool_rows"] == 3
    inputs = json.loads((folder / MANIFEST).read_text())["inputs"]
    assert [Path(file["path"]).name for file in inputs] == ["part-0.jsonl", "part-1.jsonl", "queries.jsonl"]


def test_the_targets_own_task_in_the_pool(config: Any, allennlp: Any, write_jsonl: Any, tmp_path: Path) -> None:
    reader = {"type": "p3_jsonl", "keep": ["task"]}
    low, high, other = (
        {"path": write_jsonl(f"{task}.jsonl", [{"input": "9", "task": task}]), "reader": reader}
        for task in ("low", "high", "other")
    )
    result = allennlp("retrieve", config(queries=low, own_task="refuse"), "-s", tmp_path / "out")
    assert result.status == 1
    assert "pool.jsonl: has 10 rows of the target's own task low. own_task: 'drop' leaves them out" in result.stderr
    assert not (tmp_path / "out").exists()
    result = allennlp("retrieve", config(queries=low, own_task="drop"), "-s", tmp_path / "out")
    assert result.status == 0 and "10 of the target's own task left out" in result.stdout, result.stderr
    assert [row["index_id"] for row in _lines(tmp_path / "out" / "retrieved.jsonl")] == [10, 11]
    composition = json.loads((tmp_path / "out" / "composition.json").read_text())
    assert composition["dropped"] == {"own_task": 10}
    assert composition["tasks"] == {"high": {"rows": 2, "share": 1.0, "pool_rows": 10, "pool_share": 1.0}}
    for own_task, queries in (("keep", low), ("refuse", other), ("drop", other)):
        folder = tmp_path / f"{own_task}_{Path(queries['path']).stem}"
        result = allennlp("retrieve", config(queries=queries, own_task=own_task), "-s", folder)
        assert result.status == 0, result.stderr
        assert {row["index_id"] for row in _lines(folder / "retrieved.jsonl")} == {8, 9}
    both = config(queries=None, targets={"low": low, "high": high}, own_task="drop")
    result = allennlp("retrieve", both, "-s", tmp_path / "both")
    assert result.status == 1 and "no row is left" in result.stderr
    result = allennlp("retrieve", config(own_task="hide"), "-s", tmp_path / "none")
    assert result.status == 1 and "own_task is 'hide'; keep, drop and refuse are possible" in result.stderr


def test_fewer_queries_than_asked_and_queries_in_the_evaluation(
    config: Any, allennlp: Any, write_jsonl: Any, tmp_path: Path
) -> None:
    evaluation = {"path": write_jsonl("test.jsonl", [{"number": 3}]), "reader": READER}
    queries = {**json.loads(Path(config()).read_text())["queries"], "overlap": evaluation, "size": 16}
    result = allennlp("retrieve", config(queries=queries), "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    composition = json.loads((tmp_path / "out" / "composition.json").read_text())
    assert composition["queries"] == {"used": 3, "asked": 16, "in_evaluation": 1}
    assert "3 queries, where 16 were asked for" in result.stdout
    assert "1 of its 3 queries are evaluation inputs" in result.stdout


def test_a_measured_index_is_told_of(config: Any, allennlp: Any, tmp_path: Path) -> None:
    retriever = {"type": "faiss", "encoder": "tests_number", "factory": "auto"}
    result = allennlp("retrieve", config(retriever=retriever), "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    told = json.loads((tmp_path / "out" / "search.json").read_text())
    assert told["factory"] == "Flat" and told["recall"] == {"10": 1.0} and told["bytes_per_vector"] > 8
    assert f"search: {json.dumps(told)}" in result.stdout


def test_only_what_positive_queries_find(config: Any, allennlp: Any, write_jsonl: Any, tmp_path: Path) -> None:
    rows = [{"input": str(n), "target": "Yes" if n in (3, 15) else "No"} for n in (3, 9, 15, 11)]
    queries = {"path": write_jsonl("qasper.jsonl", rows), "reader": {"type": "p3_jsonl"}, "positive": "Yes"}
    settings = config(queries={**queries, "positive_only": True}, neighbours=1)
    assert allennlp("retrieve", settings, "-s", tmp_path / "out").status == 0
    assert [row["index_id"] for row in _lines(tmp_path / "out" / "retrieved.jsonl")] == [3, 15]
    assert [line["ids"] for line in _lines(tmp_path / "out" / "search_log.jsonl")] == [[3], [9], [15], [11]]


def test_a_coreset_of_what_was_found(config: Any, allennlp: Any, tmp_path: Path) -> None:
    coreset = {"encoder": "tests_number", "size": 4, "seed": 1}
    assert allennlp("retrieve", config(neighbours=20, coreset=coreset), "-s", tmp_path / "out").status == 0
    assert len(_lines(tmp_path / "out" / "retrieved.jsonl")) == 4


def test_queries_that_find_fewer_rows_are_counted(config: Any, allennlp: Any, tmp_path: Path, write_jsonl: Any) -> None:
    pool = write_jsonl("words.jsonl", [{"input": f"word{n % 2} word", "target": "x", "task": "a"} for n in range(8)])
    queries = [{"number": text} for text in ("word", "word1", "unheard", "the")]
    for name, settings, wanted, said in (
        (
            "bm25",
            {"type": "bm25"},
            {"used": 4, "found_fewer": 3, "found_none": 2},
            "3 of its 4 queries found fewer rows",
        ),
        ("random", {"type": "random"}, {"used": 4}, ""),
    ):
        path = config(
            pool={"path": pool},
            queries={"path": write_jsonl("queries.jsonl", queries), "reader": READER},
            retriever=settings,
            neighbours=6,
        )
        result = allennlp("retrieve", path, "-s", tmp_path / name)
        assert result.status == 0, result.stderr
        assert json.loads((tmp_path / name / "composition.json").read_text())["queries"] == wanted
        assert said in result.stdout and ("of them none" in result.stdout) == bool(said)
    found = [len(line["ids"]) for line in _lines(tmp_path / "bm25" / "search_log.jsonl")]
    assert found == [6, 4, 0, 0]


def test_killed_it_gives_the_same_bytes(
    config: Any, allennlp: Any, run_and_kill: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = config(retriever={"type": "exact", "encoder": "tests_slow_number"})
    run_and_kill(
        ["retrieve", settings, "-s", tmp_path / "parts"], when=lambda: list(tmp_path.glob(".parts.part/plan*"))
    )
    assert not (tmp_path / "parts").exists()
    for name in ("parts", "whole"):
        assert allennlp("retrieve", settings, "-s", tmp_path / name).status == 0
    for product in (path.name for path in (tmp_path / "whole").iterdir()):
        assert (tmp_path / "parts" / product).read_bytes() == (tmp_path / "whole" / product).read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("name", ["../elsewhere", "composition.npz"])
def test_a_target_is_a_folder_of_the_product(name: str, config: Any, allennlp: Any, tmp_path: Path) -> None:
    settings = json.loads(Path(config()).read_text())
    queries = settings["queries"]
    result = allennlp("retrieve", config(queries=None, targets={name: queries}), "-s", tmp_path / "out")
    assert result.status == 1 and f"targets: {name!r}" in result.stderr
    assert not (tmp_path / "out").exists()


def test_another_encoder_in_the_same_folder_is_another_retrieval(
    config: Any, allennlp: Any, tiny_model: Any, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_model("bert"), tmp_path / "encoder"))
    settings = config(retriever={"type": "exact", "encoder": {"type": "transformer", "model_name": str(folder)}})
    assert allennlp("retrieve", settings, "-s", tmp_path / "out").status == 0
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    result = allennlp("retrieve", settings, "-s", tmp_path / "out")
    assert result.status == 1 and "retriever.encoder.model.files" in result.stderr
