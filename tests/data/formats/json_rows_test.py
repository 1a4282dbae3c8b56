import json
from pathlib import Path
from typing import Any

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import RowError
from attribution.data.formats import json_rows, open_rows
from tests.common.compression_test import compressed

ROWS = [{"n": number, "text": "[{, ünï" * number} for number in range(20)]


@pytest.mark.parametrize("ending", ["", ".gz", ".bz2", ".zst"])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("characters", [1, 7, 1 << 20])
def test_a_list_is_read_in_parts(
    ending: str, indent: Any, characters: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_rows, "_CHARACTERS", characters)
    path = tmp_path / f"rows.json{ending}"
    text = "\ufeff \n" + json.dumps(ROWS, indent=indent, ensure_ascii=False) + "\n"
    path.write_bytes(compressed(ending, text.encode()))
    rows = open_rows(path)
    assert [row.content for row in rows] == ROWS and len(rows) == 20
    assert [(row.number, row.where) for row in rows.take([3, 19])] == [
        (3, f"{path}: row 4"),
        (19, f"{path}: row 20"),
    ]


@pytest.mark.parametrize(
    "text, rows, message",
    [
        ('[{"a": 1}, {"a": 2', 1, "rows.json: row 2: not valid JSON"),
        ('[{"a": 1}, 7, {"a": 2}]', 2, "rows.json: row 2: a row must be a JSON object, this is int"),
        ('[{"a": "\\\\ud83d"}]', 0, "rows.json: row 1: half of a character"),
    ],
)
def test_faulty_lists(text: str, rows: int, message: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text.replace("\\\\u", "\\u"))
    found = list(open_rows(path).each())
    assert sum(not isinstance(row, RowError) for row in found) == rows
    with pytest.raises(ConfigurationError, match=message):
        list(open_rows(path))


def test_a_list_that_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "rows.json.gz"
    text = json.dumps([{"n": number, "text": str(number) * 50} for number in range(50_000)])
    path.write_bytes(compressed(".gz", text.encode())[:-30])
    *good, error = open_rows(path).each()
    assert good and isinstance(error, RowError) and f"truncated or not a .gz file after row {len(good)} (" in str(error)


@pytest.mark.parametrize("between", ["", "\n", " \n, "])
def test_a_list_after_a_list(between: str, tmp_path: Path) -> None:
    """It is no row among others that can be counted."""
    path = tmp_path / "rows.json"
    path.write_text(f'[{{"a": 1}}, {{"a": 2}}]{between}[{{"a": 3}}, {{"a": 4}}]')
    with pytest.raises(
        ConfigurationError, match="rows.json: text after the end of the list, which has 2 rows: .*; such a"
    ):
        list(open_rows(path).each())
