import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional
from unittest.mock import Mock

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader

from attribution.commands import build_gym
from attribution.commands.build_gym import GymBuild, GymRow, GymTask, draw
from attribution.common.manifest import MANIFEST
from attribution.common.rows import Row
from attribution.data.dataset_readers import FewShotGymReader, P3JsonlReader, PromptedExample
from attribution.data.few_shot_gym import file_name, read_lines

FIXTURES = Path(__file__).parents[1] / "fixtures"
ANSWERS = ["yes", "no", "maybe"]
ROWS = [{"input": f"row {n} ?", "target": ANSWERS[n % 3], "answer_choices": ANSWERS} for n in range(60)]
TEST = [{"input": f"test {n} ?", "target": ANSWERS[n % 2], "answer_choices": ANSWERS} for n in range(10)]


@pytest.fixture
def config(write_jsonl: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    """Rows, settings of the only task, `nli`, and of the gym -> the configuration file."""

    def make(rows: List[Any] = ROWS, test: List[Any] = TEST, task: Any = None, **settings: Any) -> str:
        nli = {
            "reader": {"type": "p3_jsonl"},
            "train_data_path": write_jsonl("train.jsonl", rows),
            "test_data_path": write_jsonl("test.jsonl", test),
            "shots": 4,
            "per_class": True,
            **(task or {}),
        }
        path = tmp_path / "gym.jsonnet"
        path.write_text(json.dumps({"tasks": {"nli": nli}, "seeds": [13, 42], **settings}))
        return str(path)

    return make


@pytest.fixture
def build(config: Callable[..., str], allennlp: Any, tmp_path: Path) -> Callable[..., Dict[str, Any]]:
    """The same -> what `gym.json` says of the task in `tmp_path / "gym"`."""

    def make(*arguments: Any, **settings: Any) -> Dict[str, Any]:
        result = allennlp("build-gym", config(*arguments, **settings), "-s", tmp_path / "gym", "--force")
        assert result.status == 0, result.stderr
        return json.loads((tmp_path / "gym" / "gym.json").read_text())["nli"]

    return make


@pytest.fixture
def fails(config: Callable[..., str], allennlp: Any, tmp_path: Path) -> Callable[..., str]:
    """The same -> the error message, after which there is nothing half-written."""

    def make(*arguments: Any, **settings: Any) -> str:
        result = allennlp("build-gym", config(*arguments, **settings), "-s", tmp_path / "gym")
        assert result.status == 1 and "Traceback" not in result.stderr
        assert not list(tmp_path.glob("gym")) and not list(tmp_path.glob(".gym*"))
        return result.stderr.rsplit("error: ", 1)[-1]

    return make


def _inputs(folder: Path, split: str, seed: int = 13, shots: int = 4) -> List[str]:
    return [line.input for line in read_lines(folder / "gym" / "nli" / file_name("nli", shots, seed, split))]


def test_one_directory(build: Any, tmp_path: Path) -> None:
    report = build()
    assert sorted(str(path.relative_to(tmp_path / "gym")) for path in (tmp_path / "gym").rglob("*.*")) == [
        "gym.json",
        MANIFEST,
        *(f"nli/nli_4_{seed}_{split}.tsv" for seed in (13, 42) for split in ("dev", "test", "train")),
    ]
    assert report == {
        "shots": 4,
        "seeds": [13, 42],
        "train": 12,
        "dev": 12,
        "test": 10,
        "rows_to_draw_from": 60,
        "classes": {"maybe": 20, "no": 20, "yes": 20},
        "rows_left_out": {},
    }


def test_shots_of_each_class_in_disjoint_splits(build: Any, tmp_path: Path) -> None:
    build()
    samples = []
    for seed in (13, 42):
        train, dev, test = (_inputs(tmp_path, split, seed) for split in ("train", "dev", "test"))
        for chosen in (train, dev):
            numbers = [int(text.split()[1]) for text in chosen]
            assert Counter(number % 3 for number in numbers) == {0: 4, 1: 4, 2: 4}
            assert [number % 3 for number in numbers] != sorted(number % 3 for number in numbers)
        assert not set(train) & set(dev) and test == [row["input"] for row in TEST]
        samples.append((train, dev))
    assert samples[0] != samples[1]


def test_shots_in_all(build: Any, tmp_path: Path) -> None:
    report = build(task={"per_class": False, "shots": 30})
    assert (report["train"], report["dev"], "classes" in report) == (30, 30, False)
    numbers = [_inputs(tmp_path, split, shots=30) for split in ("train", "dev")]
    assert sorted(numbers[0] + numbers[1]) == sorted(row["input"] for row in ROWS)


def test_the_same_again_is_the_same_bytes(config: Any, allennlp: Any, tmp_path: Path) -> None:
    path = config()
    for folder in ("one", "two"):
        assert allennlp("build-gym", path, "-s", tmp_path / folder).status == 0
    files = [file for file in (tmp_path / "one").rglob("*") if file.is_file()]
    assert len(files) == 8
    for file in files:
        assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes()
    assert "finished already" in allennlp("build-gym", path, "-s", tmp_path / "one").stdout
    # One seed's sample does not depend on which others there are.
    assert allennlp("build-gym", path, "-s", tmp_path / "three", "-o", '{"seeds": [42]}').status == 0
    for split in ("train", "dev", "test"):
        name = file_name("nli", 4, 42, split)
        assert (tmp_path / "three" / "nli" / name).read_bytes() == (tmp_path / "one" / "nli" / name).read_bytes()


def test_a_run_that_failed_leaves_nothing(
    config: Any, allennlp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config()
    assert allennlp("build-gym", path, "-s", tmp_path / "whole").status == 0
    with monkeypatch.context() as patch:
        patch.setattr(build_gym, "write_json", Mock(side_effect=OSError("no space left on device")))
        assert allennlp("build-gym", path, "-s", tmp_path / "gym").status == 1
    assert not (tmp_path / "gym").exists() and not (tmp_path / ".gym.part").exists()
    assert allennlp("build-gym", path, "-s", tmp_path / "gym").status == 0
    for file in (tmp_path / "whole").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "gym" / file.relative_to(tmp_path / "whole")).read_bytes()


def test_fewshot_gym_reads_what_the_source_gave(build: Any, write_jsonl: Any, tmp_path: Path) -> None:
    build(task={"shots": 10})
    source = {
        example.input: example.options[example.answer or 0]
        for name in ("train.jsonl", "test.jsonl")
        for example in P3JsonlReader("unused").examples(str(tmp_path / name))
    }
    found = {}
    for split in ("train", "dev", "test"):
        reader = FewShotGymReader("unused", split=split, seeds=[42], input_prefix="")
        for example in reader.examples(str(tmp_path / "gym")):
            found[example.input] = example.options[0]
            assert example.details and example.details["references"] == [example.options[0]]
    assert found == source


def test_all_references_are_kept_and_white_space_fits_the_format(build: Any, tmp_path: Path) -> None:
    test = str(FIXTURES / "recross_triples" / "test-1000.json")
    queries = {"type": "recross_triples", "model_name": "unused", "shots": 4}
    report = build(
        task={
            "reader": queries,
            "train_data_path": str(FIXTURES / "recross_triples" / "fewshot.json"),
            "test_reader": {"type": "recross_triples", "model_name": "unused"},
            "test_data_path": test,
            "shots": 2,
            "per_class": False,
        }
    )
    assert (report["train"], report["dev"], report["test"]) == (2, 2, 5)
    reader = FewShotGymReader("unused", split="test", input_prefix="")
    third = list(reader.examples(str(tmp_path / "gym")))[2]
    assert third.input == 'The film was good. Question: does this imply that "the film was bad"?'
    assert third.details and third.details["references"] == ["No", "no", "It does not"]


def test_no_input_twice_and_none_of_the_test(build: Any, tmp_path: Path) -> None:
    again = [{**ROWS[0], "target": "no"}, {**ROWS[1], "input": "row\t1 ?"}, TEST[0]]
    report = build([*ROWS[:24], *again], task={"per_class": False, "shots": 12})
    assert report["rows_left_out"] == {"input of a test row": 1, "input of an earlier row": 2}
    chosen = _inputs(tmp_path, "train", shots=12) + _inputs(tmp_path, "dev", shots=12)
    assert sorted(chosen) == sorted(row["input"] for row in ROWS[:24])


def test_fewer_shots_where_there_are_no_more(build: Any, fails: Any, tmp_path: Path) -> None:
    rows = [*ROWS[:24], {"input": "rare 1", "target": "rare"}, {"input": "rare 2", "target": "rare"}, ROWS[27]]
    rows.append({"input": "rare 3", "target": "rare"})
    message = fails(rows)
    assert "tasks.nli: 8 rows of the answer 'rare' (1 such answers) are needed for training and development" in message
    assert "and 3 different ones that are no test rows are there; lower `shots`, or set `allow_fewer_shots`" in message
    report = build(rows, allow_fewer_shots=True)
    assert (report["train"], report["dev"]) == (3 * 4 + 2, 3 * 4 + 1)


def test_a_sample_of_the_test_rows(build: Any, tmp_path: Path) -> None:
    assert build(max_test_rows=4)["test"] == 4
    first, second = (_inputs(tmp_path, "test", seed) for seed in (13, 42))
    assert first == second == sorted(first) and set(first) < {row["input"] for row in TEST}
    build(max_test_rows=4, seed=1)
    assert _inputs(tmp_path, "test") != first
    assert build(max_test_rows=40)["test"] == 10


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"tasks": {}}, "tasks is empty"),
        ({"seeds": []}, "seeds is []"),
        ({"seeds": [1, 1]}, "seeds is [1, 1]"),
        ({"seeds": [-1]}, "seeds is [-1]"),
        ({"max_test_rows": 0}, "max_test_rows is 0"),
        ({"task": {"shots": 0}}, "shots is 0"),
        ({"task": {"reader": {"type": "sequence_tagging"}}}, "does not make prompts"),
    ],
)
def test_wrong_settings(settings: Any, message: str, config: Any) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        GymBuild.from_params(Params.from_file(config(**settings)))


@pytest.mark.parametrize("name", ["../nli", "a b", ".nli", ""])
def test_a_name_that_is_no_folder(name: str) -> None:
    task = GymTask(P3JsonlReader("unused"), "train.jsonl", "test.jsonl")
    with pytest.raises(ConfigurationError, match=re.escape(f"tasks: {name!r} cannot be the name of a file")):
        GymBuild({name: task})


@pytest.mark.parametrize(
    "arguments, settings, message",
    [
        ((), {"task": {"shots": 11}}, "tasks.nli: 22 rows of the answer 'maybe' (3 such answers)"),
        ((), {"task": {"shots": 31, "per_class": False}}, "tasks.nli: 62 rows are needed"),
        ((), {"task": {"train_data_path": "/nowhere.jsonl"}}, "/nowhere.jsonl: no such file"),
        ((ROWS, [{"input": "a"}]), {}, "tasks.nli: no row is left for test"),
        ((TEST, TEST), {"allow_fewer_shots": True}, "tasks.nli: no row is left for development"),
        (([{"input": "\ud800", "target": "a"}],), {}, "train.jsonl:1: half of a character"),
    ],
)
def test_bad_input(arguments: Any, settings: Any, message: str, fails: Any) -> None:
    assert message in fails(*arguments, **settings)


def test_a_gym_of_a_gym(build: Any, config: Any, allennlp: Any, tmp_path: Path) -> None:
    build(task={"per_class": False, "shots": 10})
    settings = json.loads(Path(config()).read_text())
    reader = {"type": "fewshot_gym", "model_name": "unused", "input_prefix": ""}
    task = {"reader": {**reader, "seeds": [13]}, "test_reader": {**reader, "split": "test"}, "shots": 5}
    folder = str(tmp_path / "gym")
    settings["tasks"] = {"again": {**task, "train_data_path": folder, "test_data_path": folder}}
    (tmp_path / "again.json").write_text(json.dumps(settings))
    result = allennlp("build-gym", tmp_path / "again.json", "-s", tmp_path / "again")
    assert result.status == 0, result.stderr
    chosen = [
        line.input
        for split in ("train", "dev")
        for line in read_lines(tmp_path / "again" / "again" / file_name("again", 5, 42, split))
    ]
    assert sorted(chosen) == sorted(_inputs(tmp_path, "train", shots=10))
    manifest = json.loads((tmp_path / "again" / MANIFEST).read_text())
    assert [Path(file["path"]).name for file in manifest["inputs"]] == ["nli_10_13_train.tsv", "nli_10_13_test.tsv"]


@DatasetReader.register("tests_unlabelled")
class Unlabelled(P3JsonlReader):
    """Rows whose answers are not known."""

    def row_to_example(self, row: Row, labelled: bool = True) -> Optional[PromptedExample]:
        return super().row_to_example(row, labelled=False)


def test_rows_without_an_answer(fails: Any) -> None:
    message = fails(task={"reader": {"type": "tests_unlabelled"}})
    assert "test.jsonl:1: a row without an answer; build-gym needs labelled rows" in message


def test_rows_that_the_reader_skips_are_told(build: Any, caplog: pytest.LogCaptureFixture) -> None:
    build([*ROWS, {"input": "a"}])
    assert "train.jsonl: 1 rows skipped: no target, or not a string" in caplog.text


def test_a_draw_is_half_where_there_is_little() -> None:
    rows = [GymRow(b"%d" % number, "a", b"") for number in range(5)]
    train, dev = draw(rows, 16, False, 0)
    assert (len(train), len(dev)) == (3, 2) and sorted(train + dev) == rows
