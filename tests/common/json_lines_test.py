import json
from typing import Any

import pytest

from attribution.common.json_lines import json_line
from attribution.common.rows import RowError


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [{"a": -float("inf")}], {1, 2}])
def test_what_json_does_not_have(value: Any) -> None:
    with pytest.raises(RowError, match=r"rows\.jsonl:3: cannot be written as JSON .*the row has \['a', 'b'\]"):
        json_line({"b": 1, "a": value}, "rows.jsonl:3")


def test_a_row() -> None:
    assert json.loads(json_line({"a": "é", "b": [1.5, None]}, "here")) == {"a": "é", "b": [1.5, None]}
    assert json_line({"a": {1}}, "here", default=lambda value: sorted(value)) == '{"a": [1]}'
