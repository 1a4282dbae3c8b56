import csv
from pathlib import Path
from typing import Any, List

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from attribution.common.tables import read_table, write_table

_CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.text("'=+-@\t\r1.e\n\",", max_size=4)


@given(st.lists(st.lists(_CELL, min_size=1, max_size=3).filter(any), max_size=4), st.sampled_from(["csv", "tsv"]))
def test_what_is_written_is_read(tmp_path_factory: Any, rows: List[List[str]], ending: str) -> None:
    path = tmp_path_factory.mktemp("tables") / f"table.{ending}"
    write_table(path, rows)
    assert [cells for _, cells in read_table(path)] == rows


@pytest.mark.parametrize(
    "cell, written",
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+x", "'+x"),
        ("-x", "'-x"),
        ("-0.5", "-0.5"),
        ("-1e-05", "-1e-05"),
        ("-inf", "-inf"),
        ("'=1", "''=1"),
        ("'tis", "'tis"),
        ("a=1", "a=1"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
    ],
)
def test_no_cell_is_a_formula(cell: str, written: str, tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv", [["x", cell]])
    with (tmp_path / "table.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["x", written]]


def test_what_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b'a\n"b\n')
    with pytest.raises(ConfigurationError, match=r"table\.csv:2: not CSV"):
        list(read_table(path))
    path.write_bytes(b"a\n\xff\n")
    with pytest.raises(ConfigurationError, match=r"table\.csv: not UTF-8 text"):
        list(read_table(path))
