import gzip
import json
import signal
import subprocess
import sys
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pyarrow.parquet
import pytest

from attribution.commands.build_pool import PoolBuild
from attribution.common.engines import InProcessEngine
from attribution.common.manifest import MANIFEST
from attribution.common.rows import OFFSETS
from attribution.data.formats import open_rows
from attribution.data.pool_sources import RowsSource
from attribution.retrievers import Pool

ROWS = [
    {"input": f"i{n}", "target": f"t{n}", "task": "big" if n < 30 else "small", "template": f"p{n % 2}", "id": f"id{n}"}
    for n in range(40)
]


@pytest.fixture
def config(write_jsonl: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    """Settings of a pool -> its configuration file; `rows` are what its only source has."""

    def make(rows: List[Any] = ROWS, **settings: Any) -> str:
        sources = [{"type": "rows", "path": write_jsonl("source.jsonl", rows)}]
        path = tmp_path / "pool.jsonnet"
        path.write_text(json.dumps({"sources": sources, **settings}))
        return str(path)

    return make


@pytest.fixture
def build(config: Callable[..., str], allennlp: Any, tmp_path: Path) -> Callable[..., List[Any]]:
    """Settings -> the rows of the pool in `tmp_path / "pool"`."""

    def make(rows: List[Any] = ROWS, **settings: Any) -> List[Any]:
        result = allennlp("build-pool", config(rows, **settings), "-s", tmp_path / "pool", "--force")
        assert result.status == 0, result.stderr
        return _lines(tmp_path / "pool" / "pool.jsonl")

    return make


@pytest.fixture
def fails(config: Callable[..., str], allennlp: Any, tmp_path: Path) -> Callable[..., str]:
    """Settings -> the error message, after which there is nothing half-written."""

    def make(rows: List[Any] = ROWS, **settings: Any) -> str:
        result = allennlp("build-pool", config(rows, **settings), "-s", tmp_path / "pool")
        assert result.status == 1 and "Traceback" not in result.stderr
        assert not list(tmp_path.glob("*pool")) and not list(tmp_path.glob(".pool*"))
        [message, _hint] = result.stderr.rsplit("error: ", 1)[-1].strip().split("\n")
        return message

    return make


def _lines(path: Path) -> List[Any]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def _source(folder: Path) -> Dict[str, Any]:
    [source] = json.loads((folder / "pool" / "tasks.json").read_text())["sources"]
    assert source["rows_read"] == source["rows_taken"] + sum(source["rows_dropped"].values())
    return source


def test_one_directory(build: Any, tmp_path: Path) -> None:
    rows = build(shuffle=False)
    assert rows == ROWS
    folder = tmp_path / "pool"
    names = sorted(path.name for path in folder.iterdir())
    assert names == [MANIFEST, "pool.jsonl", f"pool.jsonl{OFFSETS}", "tasks.json"]
    ends = open_rows(folder / "pool.jsonl")._line_ends()  # type: ignore[attr-defined]
    assert isinstance(ends, np.memmap) and len(ends) == 40
    report = json.loads((folder / "tasks.json").read_text())
    assert report["rows"] == 40
    assert report["tasks"]["small"] == {"rows": 10, "templates": {"p0": 5, "p1": 5}}
    assert _source(tmp_path)["rows_taken"] == 40
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["command"] == "build-pool" and manifest["configuration"]["shuffle"] is False
    assert [Path(item["path"]).name for item in manifest["inputs"]] == ["source.jsonl"]
    assert [text.text for text in Pool(str(folder / "pool.jsonl")).texts("reading")] == [row["input"] for row in ROWS]


def test_the_same_configuration_gives_the_same_bytes(config: Any, allennlp: Any, tmp_path: Path) -> None:
    path = config(seed=3, max_per_task=7, deduplicate=True)
    for name in ("one", "two"):
        assert allennlp("build-pool", path, "-s", tmp_path / name).status == 0
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_shuffled_by_its_seed(build: Any) -> None:
    one, two = build(), build(seed=1)
    assert one != ROWS and two != ROWS and one != two
    assert all(sorted(rows, key=lambda row: int(row["id"][2:])) == ROWS for rows in (one, two))


def test_caps_are_uniform_samples(build: Any, tmp_path: Path) -> None:
    rows = build(max_per_task=12)
    assert Counter(row["task"] for row in rows) == {"big": 12, "small": 10}
    assert _source(tmp_path)["rows_dropped"] == {"over max_per_task": 18}
    kept = build(max_per_task=12, shuffle=False)
    assert [row for row in ROWS if row in rows] == kept and kept[:12] != ROWS[:12]
    assert len(build(max_rows=5)) == 5
    assert _source(tmp_path)["rows_dropped"] == {"over max_rows": 35}


def test_tasks(build: Any, fails: Any, tmp_path: Path) -> None:
    assert build(tasks=["small"], shuffle=False) == ROWS[30:]
    (tmp_path / "names.txt").write_text("\ufeffsmall\r\n\n", encoding="utf-8")
    assert build(tasks=str(tmp_path / "names.txt"), shuffle=False) == ROWS[30:]
    assert [Path(item["path"]).name for item in json.loads((tmp_path / "pool" / MANIFEST).read_text())["inputs"]] == [
        "source.jsonl",
        "names.txt",
    ]
    assert build(exclude_tasks=["small"], shuffle=False) == ROWS[:30]
    assert _source(tmp_path)["rows_dropped"] == {"of another task": 10}


def test_without_the_tasks_of_targets(build: Any, write_jsonl: Any, tmp_path: Path) -> None:
    triples = tmp_path / "triples.json"
    triples.write_text(json.dumps([["a ?", ["b"], "elsewhere|test|one|#0"]]))
    target = write_jsonl("target.jsonl", [{"input": "a ?", "target": "b", "task": "small"}])
    assert build(exclude_tasks_of=[str(triples), target], shuffle=False) == ROWS[:30]
    assert _source(tmp_path)["rows_dropped"] == {"of a target's task": 10}
    inputs = json.loads((tmp_path / "pool" / MANIFEST).read_text())["inputs"]
    assert [Path(item["path"]).name for item in inputs] == ["source.jsonl", "triples.json", "target.jsonl"]


def test_targets_without_a_task(fails: Any, write_jsonl: Any) -> None:
    nameless = write_jsonl("nameless.jsonl", [{"input": "a ?", "target": "b"}])
    message = fails(exclude_tasks_of=[nameless])
    assert message == f"exclude_tasks_of: {nameless} has rows that do not say of which `task` they are"


def test_duplicates(build: Any, tmp_path: Path) -> None:
    rows = [{**row, "id": number} for number, row in enumerate([*ROWS[:3], {**ROWS[1], "task": "x"}, ROWS[0]])]
    assert len(build(rows)) == 5
    assert [row["id"] for row in build(rows, deduplicate=True, shuffle=False)] == ["0", "1", "2"]
    assert _source(tmp_path)["rows_dropped"] == {"input and target of an earlier row": 2}


def test_long_inputs(build: Any, tmp_path: Path) -> None:
    rows = [*ROWS[:3], {**ROWS[3], "input": "x" * 10_001}]
    assert len(build(rows)) == 4
    assert _source(tmp_path)["inputs_over_10000_characters"] == 1
    assert len(build(rows, max_characters=10_000)) == 3
    assert _source(tmp_path)["rows_dropped"] == {"longer than max_characters": 1}


def test_several_sources_and_kept_fields(build: Any, write_jsonl: Any, tmp_path: Path) -> None:
    raw = write_jsonl("films.jsonl", [{"text": "fine", "label": 1}, {"text": "", "label": 0}])
    sources = [
        {"type": "rows", "path": write_jsonl("a.jsonl", [{**ROWS[0], "extra": 1}]), "keep": ["extra"]},
        {
            "type": "templates",
            "rows": {"type": "datasets", "path": raw},
            "templates": {"ask": "{{text}}? ||| {{text}}"},
        },
    ]
    assert build(sources=sources, shuffle=False) == [
        {**ROWS[0], "extra": 1},
        {"input": "fine?", "target": "fine", "task": "films", "template": "ask", "id": "films|train|ask|#0"},
    ]
    [one, two] = json.loads((tmp_path / "pool" / "tasks.json").read_text())["sources"]
    assert (one["name"], one["rows_taken"], two["name"], two["rows_taken"]) == ("a", 1, "films", 1)
    assert two["rows_dropped"] == {"a template gives no input, no target or an empty choice for the row": 1}


def test_parquet(config: Any, allennlp: Any, tmp_path: Path) -> None:
    path = config([{**row, "answer_choices": ["x"]} for row in ROWS], format="parquet", shuffle=False)
    assert allennlp("build-pool", path, "-s", tmp_path / "pool").status == 0
    assert pyarrow.parquet.ParquetFile(tmp_path / "pool" / "pool.parquet").metadata.num_rows == 40
    assert [row.content for row in open_rows(tmp_path / "pool" / "pool.parquet")] == [
        {**row, "answer_choices": ["x"]} for row in ROWS
    ]


BAD: List[Any] = [
    ([*ROWS[:2], {"input": [3], "target": "t"}], "source.jsonl:3: `input` is not a text", "`input` is not a text"),
    ([{**ROWS[0], "input": " "}, ROWS[1], ROWS[2]], "source.jsonl:1: `input` is empty", "`input` is empty"),
    ([ROWS[0], {"input": "a"}, ROWS[1]], "source.jsonl:2: `target` is missing", "`target` is missing"),
    ([ROWS[0], [1], ROWS[1]], "source.jsonl:2: a row must be a JSON object", "a row must be a JSON object"),
    (
        [ROWS[0], {**ROWS[1], "target": "\ud800"}, ROWS[2]],
        "source.jsonl:2: half of a character",
        "half of a character",
    ),
    ([*ROWS[:2], ROWS[0]], "source.jsonl:3: has the id 'id0', as ", "`id` of an earlier row"),
]


@pytest.mark.parametrize("rows, message, reason", BAD)
def test_bad_rows_stop_or_are_counted(
    rows: Any, message: str, reason: str, fails: Any, build: Any, tmp_path: Path
) -> None:
    error = fails(rows)
    assert message in error and "on_bad_row: 'skip'" in error
    assert len(build(rows, on_bad_row="skip")) == 2
    assert _source(tmp_path)["rows_dropped"] == {reason: 1}


def test_the_earlier_row_of_an_id_is_named_too(fails: Any) -> None:
    assert "source.jsonl:1 has (1 such rows)" in fails([*ROWS[:2], ROWS[0]])


def test_truncated_files(fails: Any, build: Any, tmp_path: Path) -> None:
    text = "".join(json.dumps(row) + "\n" for row in ROWS)
    plain, zipped = tmp_path / "cut.jsonl", tmp_path / "cut.jsonl.gz"
    plain.write_text(text[:-9])
    zipped.write_bytes(gzip.compress(text.encode())[:-30])
    for path, message in ((plain, f"{plain}:40: not valid JSON"), (zipped, f"{zipped}: truncated or not a .gz file")):
        sources = [{"type": "rows", "path": str(path)}]
        assert message in fails(sources=sources)
        rows = build(sources=sources, on_bad_row="skip", shuffle=False)
        assert rows == ROWS[: len(rows)] and 20 < len(rows) < 40
        assert list(_source(tmp_path)["rows_dropped"].values()) == [1]
        assert _source(tmp_path)["rows_read"] == len(rows) + 1
        for file in (tmp_path / "pool").iterdir():
            file.unlink()
        (tmp_path / "pool").rmdir()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"sources": []}, "sources is empty"),
        ({"format": "arrow"}, "format is 'arrow'; jsonl and parquet are possible"),
        ({"on_bad_row": "ignore"}, "on_bad_row is 'ignore'; stop and skip are possible"),
        ({"max_per_task": 0}, "max_per_task is 0"),
        ({"max_rows": -1}, "max_rows is -1"),
        (
            {"tasks": ["small", "smal"]},
            "tasks: no row is of the task 'smal' (1 such names); the tasks there are ['big'",
        ),
        ({"tasks": "/nowhere.txt"}, "tasks: /nowhere.txt is no text file of names"),
        ({"exclude_tasks": ["none"]}, "exclude_tasks: no row is of the task 'none'"),
        (
            {"exclude_tasks": ["big", "small"]},
            "no row is left for the pool; those read were dropped: source: {'of another task'",
        ),
        (
            {"sources": [{"type": "hearsay"}]},
            '"sources.0.type" is "hearsay", which is not there; there are: big_bench, datasets',
        ),
        ({"surplus": 1}, "surplus"),
    ],
)
def test_wrong_settings(settings: Any, message: str, fails: Any) -> None:
    assert message in fails(**settings)


def test_parquet_keeps_nothing_more(fails: Any, write_jsonl: Any) -> None:
    source = {"type": "rows", "path": write_jsonl("a.jsonl", ROWS), "keep": ["extra"]}
    assert "source a: `keep` needs the format jsonl" in fails(sources=[source], format="parquet")


def test_an_occupied_directory_is_kept_without_force(config: Any, allennlp: Any, tmp_path: Path) -> None:
    command = ["build-pool", config(), "-s", tmp_path / "pool"]
    assert allennlp(*command).status == 0
    before = (tmp_path / "pool" / "pool.jsonl").read_bytes()
    result = allennlp(*command, "-o", '{"seed": 5}')
    assert result.status == 1 and "was made from something else: configuration.seed" in result.stderr
    assert (tmp_path / "pool" / "pool.jsonl").read_bytes() == before
    assert allennlp(*command, "-o", '{"seed": 5}', "--force").status == 0
    assert (tmp_path / "pool" / "pool.jsonl").read_bytes() != before


def test_a_killed_run_leaves_no_pool_and_the_next_ends_with_the_same_bytes(
    config: Any, allennlp: Any, tmp_path: Path
) -> None:
    path = config([{**row, "id": f"{row['id']}.{again}"} for again in range(500) for row in ROWS])
    assert allennlp("build-pool", path, "-s", tmp_path / "whole").status == 0
    command = [sys.executable, "-m", "allennlp", "build-pool", path, "-s", str(tmp_path / "pool")]
    for stage in ("reading source", "writing the pool"):
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            assert process.stderr is not None
            seen = b""
            while stage.encode() not in seen:
                read = process.stderr.read1(4096)  # type: ignore[attr-defined]
                assert read, seen
                seen += read
            process.kill()
            process.stderr.read()
            assert process.wait() == -signal.SIGKILL
        assert not (tmp_path / "pool").exists()
    assert allennlp("build-pool", path, "-s", tmp_path / "pool").status == 0
    for file in (tmp_path / "whole").iterdir():
        assert file.read_bytes() == (tmp_path / "pool" / file.name).read_bytes()


def test_real_rows(build: Any, shared_data: Path, tmp_path: Path) -> None:
    sources = [{"type": "rows", "path": str(shared_data / "p3" / "pool.jsonl.gz")}]
    rows = build(sources=sources, max_per_task=50)
    assert Counter(Counter(row["task"] for row in rows).values()) == {50: 34}
    assert _source(tmp_path)["rows_read"] == 118_000
    assert all(row["id"].startswith(f"{row['task']}|train|{row['template']}|#") for row in rows)


def test_memory_grows_by_less_than_a_hundred_bytes_a_row(tmp_path: Path) -> None:
    """Whatever the rows' length: these are of 300 characters and more."""

    def peak(rows: int) -> int:
        folder = tmp_path / str(rows)
        folder.mkdir()
        lines = (json.dumps({"input": f"{n} " + "x" * 300, "target": "y", "task": f"t{n % 7}"}) for n in range(rows))
        (folder / "rows.jsonl").write_text("\n".join(lines))
        settings = {"deduplicate": True, "max_per_task": rows, "max_rows": rows - 1}
        job = PoolBuild([RowsSource(str(folder / "rows.jsonl"))], **settings)  # type: ignore[arg-type]
        tracemalloc.start()
        job.run(folder, InProcessEngine())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    growth = (peak(20_000) - peak(5_000)) / 15_000
    assert growth < 100
