"""The few-shot gym's files."""

import shutil
from pathlib import Path
from typing import Any, List

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.few_shot_gym import GymLine, file_name, gym_files, read_lines

FIXTURES = Path(__file__).parents[1] / "fixtures" / "fewshot_gym"


@pytest.mark.parametrize(
    "line, text, again",
    [
        (GymLine("a", ["b"]), "a\tb\n", GymLine("a", ["b"])),
        (GymLine("a", ["b", "c"]), "a\tb\tc\n", GymLine("a", ["b", "c"])),
        (GymLine(" a\tb\r\nc ", ["d\ne"]), " a b  c \td e\n", GymLine(" a b  c ", ["d e"])),
        (GymLine("a\u2028b\x85", ["c\x0b"]), "a\u2028b\x85\tc\x0b\n", GymLine("a\u2028b\x85", ["c\x0b"])),
        # Where a line is stripped before it is split, as published, these lose their answer, or the input its tab.
        (GymLine("a", [""]), "a\t\n", GymLine("a", [""])),
        (GymLine("", ["b"]), "\tb\n", GymLine("", ["b"])),
        (GymLine("a", ["", "b"]), "a\tb\n", GymLine("a", ["b"])),
    ],
)
def test_a_line_there_and_back(line: GymLine, text: str, again: GymLine, tmp_path: Path) -> None:
    assert line.encode() == text.encode()
    path = tmp_path / "t_1_2_dev.tsv"
    path.write_bytes(line.encode())
    assert list(read_lines(path)) == [again]


def test_byte_order_mark_line_ends_of_windows_and_blank_lines_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "t_1_2_dev.tsv"
    path.write_bytes(b"\xef\xbb\xbfa\tb\r\nc\td\n\r\n\n")
    assert list(read_lines(path)) == [GymLine("a", ["b"]), GymLine("c", ["d"])]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"a\tb\nc d\n", "t.tsv:2: no tab between an input and its answer: 'c d'"),
        (b"a\tb\n\nc\td\n", "t.tsv:2: no tab"),
        (b"a\tb\n\xff\td\n", "t.tsv:2: not UTF-8"),
    ],
)
def test_a_bad_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        list(read_lines(path))


def _names(*arguments: Any) -> List[str]:
    return [path.name for path in gym_files(FIXTURES, *arguments)]


def test_which_files() -> None:
    assert file_name("boolq", 1, 13, "dev") == "boolq_1_13_dev.tsv"
    assert _names("boolq", "train") == ["boolq_1_13_train.tsv", "boolq_1_42_train.tsv"]
    assert _names("boolq", "dev", 1, [42]) == ["boolq_1_42_dev.tsv"]
    assert _names("boolq", "test") == ["boolq_1_13_test.tsv"]
    assert _names("boolq", "test", None, [42, 13]) == ["boolq_1_13_test.tsv", "boolq_1_42_test.tsv"]


def test_several_numbers_of_shots(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "boolq", tmp_path / "boolq")
    (tmp_path / "boolq" / "boolq_32_13_train.tsv").write_text("a\tb\n")
    with pytest.raises(ConfigurationError, match=r"boolq: has files of \[1, 32\] shots; say which with `shots`"):
        gym_files(tmp_path, "boolq", "train")
    assert gym_files(tmp_path, "boolq", "train", 32) == [tmp_path / "boolq" / "boolq_32_13_train.tsv"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("glue-cola", "train"), "glue-cola: no such folder; .*fewshot_gym has boolq, split.json, web_questions$"),
        (("boolq", "train", 16), r"boolq: no boolq_16_\*_train.tsv in this folder; it has boolq_1_13_dev.tsv, boolq_1"),
        (("boolq", "train", 1, [13, 7]), "boolq: no boolq_1_7_train.tsv in this folder; it has boolq_1_13_dev.tsv"),
        (("boolq", "train", None, [7]), r"boolq: no boolq_\*_7_train.tsv in this folder"),
    ],
)
def test_what_is_not_there(arguments: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        gym_files(FIXTURES, *arguments)


def test_many_names_are_not_all_told(tmp_path: Path) -> None:
    for number in range(25):
        (tmp_path / f"task{number:02}").mkdir()
    with pytest.raises(ConfigurationError, match="task00, .*, task19 and 5 more"):
        gym_files(tmp_path, "other", "train")


def test_files_of_another_prefix_and_without_a_number_of_shots(tmp_path: Path) -> None:
    folder = tmp_path / "alpha"
    folder.mkdir()
    for name in ("abductive_nli_fulldata_dev.tsv", "abductive_nli_16_13_train.tsv", "abductive_nli_fulldata_train.tsv"):
        (folder / name).write_text("a\tb\n")
    assert [path.name for path in gym_files(tmp_path, "alpha", "dev")] == ["abductive_nli_fulldata_dev.tsv"]
    with pytest.raises(ConfigurationError, match=r"has files of \[0, 16\] shots; say which with `shots`"):
        gym_files(tmp_path, "alpha", "train")
    for shots, name in ((0, "abductive_nli_fulldata_train.tsv"), (16, "abductive_nli_16_13_train.tsv")):
        assert [path.name for path in gym_files(tmp_path, "alpha", "train", shots)] == [name]
    (folder / "alpha_dev.tsv").write_text("a\tb\n")
    assert [path.name for path in gym_files(tmp_path, "alpha", "dev")] == ["alpha_dev.tsv"]
    (folder / "alpha_fulldata_dev.tsv").write_text("a\tb\n")
    with pytest.raises(ConfigurationError, match="several files of a split, .*'alpha_dev.tsv'"):
        gym_files(tmp_path, "alpha", "dev")
