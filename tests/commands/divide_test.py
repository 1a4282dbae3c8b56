import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Set

import pytest
from allennlp.common import Params

from attribution.commands.divide import Division
from attribution.common.engines import Engine
from attribution.data.triples import open_triples

NAMES = ("upstream", "validation", "test")


def _rows(count: int, name: str, **more: Any) -> List[Dict[str, Any]]:
    return [{"input": f"{name} {n}", "target": "x", "task": "t", "template": "p", **more} for n in range(count)]


@pytest.fixture
def divide(write_jsonl: Callable[..., str], allennlp: Any, tmp_path: Path) -> Callable[..., Any]:
    def run(train: List[Any], validation: List[Any] = [], out: str = "out", **settings: Any) -> Any:  # noqa: B006
        source = {"type": "rows", "path": write_jsonl("train.jsonl", train), "keep": ["references"]}
        config = {"train": source, "size": 3, "shots": [2, 4], "rounds": 3, **settings}
        if validation:
            config["validation"] = {
                "type": "rows",
                "path": write_jsonl("valid.jsonl", validation),
                "split": "validation",
            }
        (tmp_path / "divide.json").write_text(json.dumps(config))
        return allennlp("divide", tmp_path / "divide.json", "-s", tmp_path / out)

    return run


def _inputs(path: Path, **settings: Any) -> List[str]:
    return [row.content["input"] for row in open_triples(path, **settings)]


def test_with_a_validation_split(divide: Any, tmp_path: Path) -> None:
    result = divide(_rows(20, "a", references=["x", "y"]), _rows(5, "b"), upstream=12)
    assert result.status == 0 and "12 upstream, 3 validation, 3 test rows; 3 rounds of 2, 4 shots" in result.stdout
    upstream, validation, test = (_inputs(tmp_path / "out" / f"{name}.json") for name in NAMES)
    assert (len(upstream), len(validation)) == (12, 3) and not {*upstream} & {*validation}
    assert {*upstream, *validation} < {f"a {n}" for n in range(20)} and upstream != sorted(upstream)
    assert test == ["b 0", "b 1", "b 2"]  # The first, as they stand.
    row = next(iter(open_triples(tmp_path / "out" / "upstream.json"))).content
    assert row["references"] == ["x", "y"] and row["id"].startswith("t|train|p|#")


def test_without_one_test_rows_are_nobodys_queries(divide: Any, tmp_path: Path) -> None:
    assert divide(_rows(20, "a"), rounds=9).status == 0
    parts = [_inputs(tmp_path / "out" / f"{name}.json") for name in NAMES]
    assert [len(part) for part in parts] == [14, 3, 3] and len({*parts[0], *parts[1], *parts[2]}) == 20
    queries: Set[str] = set()
    for number in range(9):
        few, more = (_inputs(tmp_path / "out" / "fewshot.json", shots=shots, round=number) for shots in (2, 4))
        assert more[:2] == few and len({*more}) == 4
        queries |= {*more}
    assert not queries & {*parts[2]} and queries & {*parts[1]}
    rounds = json.loads((tmp_path / "out" / "fewshot.json").read_text())
    assert list(rounds) == ["2", "4"] and len({str(some) for some in rounds["4"].values()}) == 9


def test_published_sizes(tmp_path: Path, write_jsonl: Any, engine: Any = None) -> None:
    """Of 11,500 and 3,400 rows at the published sizes."""
    for count, upstream in ((11_500, 10_000), (3_400, 2_400)):
        source = {"type": "rows", "path": write_jsonl("train.jsonl", _rows(count, "a"))}
        validation = {"type": "rows", "path": write_jsonl("valid.jsonl", _rows(1_200, "b"))}
        division = Division.from_params(Params({"train": source, "validation": validation}))
        Path(tmp_path / str(count)).mkdir()
        said = division.run(tmp_path / str(count), Engine.by_name("in_process")())
        assert (
            said
            == f"{upstream} upstream, 1000 validation, 1000 test rows; 20 rounds of 16, 32, 64, 128, 256, 512 shots"
        )


def test_ids_of_ones_own(divide: Any, tmp_path: Path) -> None:
    rows = [{**row, "id": f"my {n}"} for n, row in enumerate(_rows(9, "a"))]
    assert divide(rows).status == 0
    names = {row.content["id"] for row in open_triples(tmp_path / "out" / "test.json")}
    assert names < {f"t|train|p|#my {n}" for n in range(9)}


def test_the_same_bytes_for_the_same_seed(divide: Any, tmp_path: Path) -> None:
    for out, seed in (("one", 1), ("same", 1), ("other", 2)):
        assert divide(_rows(20, "a"), out=out, seed=seed).status == 0
    one, same, other = ((tmp_path / out / "fewshot.json").read_bytes() for out in ("one", "same", "other"))
    assert one == same != other


def test_shots_that_are_not_there(divide: Any) -> None:
    result = divide(_rows(9, "a"), shots=[2, 500, 600])
    assert result.status == 0 and "3 rounds of 2 shots (500 and more are not there)" in result.stdout


@pytest.mark.parametrize(
    "rows, settings, message",
    [
        (_rows(6, "a"), {}, "train has 6 rows, of which 6 are set aside (3 validation and as many test rows): lower"),
        (_rows(9, "a"), {"size": 0}, "size is 0"),
        (_rows(9, "a"), {"shots": []}, "shots is 0"),
        (_rows(9, "a"), {"rounds": 0}, "rounds is 0"),
        (_rows(9, "a", id="7|8"), {}, "train.jsonl:1: 't|train|p|#7|8' is not `task|split|template|#id`"),
        (_rows(9, "a", references=[""]), {}, "train.jsonl:1: `references`"),
        ([{"input": "a"}], {}, "train.jsonl:1: `target` is missing"),
    ],
)
def test_mistakes(rows: Any, settings: Any, message: str, divide: Any, tmp_path: Path) -> None:
    result = divide(rows, **settings)
    assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr
    assert not (tmp_path / "out").exists()
