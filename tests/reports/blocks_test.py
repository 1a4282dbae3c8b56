import math

import pytest

from attribution.reports import Number, Table
from attribution.reports.blocks import number_text, plain


@pytest.mark.parametrize(
    "value, form, text",
    [
        (0.12345, ".3f", "0.123"),
        (-0.5, ".3f", "−0.500"),
        (0.0, ".3f", "0.000"),
        (0.00012345, ".3f", "0.000123"),
        (1234567.0, ".3f", "1.23e+06"),
        (12.5, "+.1f", "+12.5"),
        (math.nan, "+.1f", "–"),
    ],
)
def test_numbers(value: float, form: str, text: str) -> None:
    assert number_text(value, form) == text


def test_a_number_with_its_spread() -> None:
    assert str(Number(0.5, 0.25)) == "0.500 ± 0.250"
    assert str(Number(0.5)) == "0.500"
    assert str(Number(math.nan)) == "–"
    assert str(plain(3)) == "3"


def test_csv_has_all_digits_and_nothing_for_what_is_missing() -> None:
    rows = [["a", Number(1 / 3, 0.1), plain(2)], ["b", Number(math.nan), plain(0)]]
    table = Table("t", "c", ["TASK", "bm25", "n"], rows, ["average", Number(0.5), plain(1)])
    assert table.csv_rows() == [
        ["TASK", "bm25", "bm25_std", "n"],
        ["a", "0.3333333333333333", "0.1", "2"],
        ["b", "", "", "0"],
        ["average", "0.5", "", "1"],
    ]
