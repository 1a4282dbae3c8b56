import csv
import io
from pathlib import Path
from typing import Any, List

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import RowError
from attribution.data.formats import open_rows
from attribution.data.formats.delimited import DelimitedRows

CELLS = [
    "NA",
    "",
    "null",
    "007",
    "1.50",
    "1e5",
    "2012-01-01",
    " a ",
    'a "quoted", word',
    "two\nlines",
    "a\r\n\r\nb",
    '"',
]


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def make(content: str, name: str = "rows.csv") -> DelimitedRows:
        (tmp_path / name).write_bytes(content.encode())
        rows = open_rows(tmp_path / name)
        assert isinstance(rows, DelimitedRows)
        return rows

    return make


def _contents(rows: DelimitedRows) -> List[Any]:
    return [row.reason if isinstance(row, RowError) else row.content for row in rows.each()]


def test_cells_are_the_texts_that_they_are(write: Any) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["n", "text"], *([n, cell] for n, cell in enumerate(CELLS))])
    rows = write(text.getvalue())
    assert [row.content for row in rows] == [{"n": str(n), "text": cell} for n, cell in enumerate(CELLS)]
    assert [row.where.rpartition(":")[2] for row in rows] == [str(n) for n in range(2, 12)] + ["13", "16"]
    assert len(rows) == len(CELLS) and [row.number for row in rows.take([0, 9])] == [0, 9]


STRAY = ['a "', '"I came', '"left," said', '"', '""', '"closed"']


def test_a_line_of_a_tsv_is_a_row_whatever_quotes_it_has(write: Any) -> None:
    rows = write("id\ttext\r\n" + "".join(f"{n}\t{text}\r\n" for n, text in enumerate(STRAY)), "rows.tsv")
    assert [row.content["text"] for row in rows] == STRAY


@pytest.mark.parametrize(
    "lines, found",
    [
        (["1,a", '2,"I came', "3,c"], ["1", "a quote that is not closed", "3"]),
        (["1,a", '2,"a" b', "3,c"], ["1", "a quote that is followed by other text", "3"]),
        # The second quote closes the first, and is followed by text: every line but the first is read.
        (['1,"a', '2,"b" c', '3,"c"'], ["a quote that is followed by other text"] * 2 + ["3"]),
        (['1,"a', "2,b", '3,"', "4,d"], ["1", "4"]),
        (['1,"a', "2,b", '3,""', "4,d"], ["a quote that is not closed", "2", "3", "4"]),
        (['"1,a', "2,b", "3,c", "4,d"], ["a quote that is not closed", "2", "3", "4"]),
        (['1,5" disk', '2,a "b" c'], ["1", "2"]),
        (["1,a", '2,"b', '""c"', '3,"'], ["1", "2", "a quote that is not closed"]),
    ],
)
def test_stray_quotes_swallow_nothing(lines: List[str], found: List[str], write: Any) -> None:
    contents = _contents(write("id,text\n" + "\n".join(lines)))
    assert [row["id"] if isinstance(row, dict) else row for row in contents] == found


def test_a_faulty_quote_is_named_where_it_opened(write: Any) -> None:
    with pytest.raises(RowError, match=r'rows\.csv:4: a quote that is not closed: \'"c, d\''):
        list(write('a,b\n1,"two\nlines"\n3,"c, d\n4,e\n'))
    with pytest.raises(RowError, match=r"rows\.csv:3: a quote that is followed by other text"):
        list(write('a,b\n"two\nlines","c" d\n'))


def test_long_cells(write: Any) -> None:
    long = "x, y\n" * 200_000
    assert [row.content for row in write(f'a,b\n1,"{long}"\n')] == [{"a": "1", "b": long}]
    assert [row.content for row in write(f"a\tb\n1\t{'x' * 1_000_000}\n", "rows.tsv")][0]["b"] == "x" * 1_000_000


@pytest.mark.parametrize(
    "content, reason, line",
    [
        ("a,b\n1,2\n3\n", "not as many cells as the first line has names", 3),
        ("a,b\n1,2,3\n", "not as many cells as the first line has names", 2),
        ("a,b\n1,2\n\n3,4\n", "a blank line", 3),
        ("a,b\n1,\xff\n", None, 0),
    ],
)
def test_rows_that_do_not_fit(content: str, reason: Any, line: int, write: Any) -> None:
    errors = [row for row in write(content).each() if isinstance(row, RowError)]
    assert [error.reason for error in errors] == [reason] * (reason is not None)
    assert all(f"rows.csv:{line}: " in str(error) for error in errors)


def test_byte_order_mark_blank_end_and_what_is_no_blank_line(write: Any) -> None:
    assert _contents(write("\ufeffa,b\r\n1,2\r\n\r\n\r\n")) == [{"a": "1", "b": "2"}]
    assert _contents(write("\ufeffa\tb\n1\t2\n\t\n\n", "rows.tsv")) == [{"a": "1", "b": "2"}, {"a": "", "b": ""}]


def test_no_utf8_and_columns_of_one_name(tmp_path: Path, write: Any) -> None:
    (tmp_path / "rows.csv").write_bytes("a,b\n1,2\n1,ä\n3,4\n".encode("latin-1"))
    assert _contents(open_rows(tmp_path / "rows.csv")) == [  # type: ignore[arg-type]
        {"a": "1", "b": "2"},
        "not UTF-8 text",
        {"a": "3", "b": "4"},
    ]
    with pytest.raises(ConfigurationError, match=r"rows\.csv:1: two columns are called 'a'; rename one"):
        write("a,b,a\n1,2,3\n")
