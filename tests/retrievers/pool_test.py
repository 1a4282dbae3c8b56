import json
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.retrievers import Pool


def test_texts_are_the_inputs_with_their_row_numbers(pool_path: str) -> None:
    texts = [(row.id, row.text) for row in Pool(pool_path, ["a"]).texts("test")]
    assert texts == [(30 + number, f"number {number}") for number in range(10)]


def test_pool_errors(pool_path: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"exclude_tasks names \['c'\]; the tasks there are \['a', 'b'\]"):
        list(Pool(pool_path, ["c"]).texts("test"))
    with pytest.raises(ConfigurationError, match="no row is left"):
        list(Pool(pool_path, ["a", "b"]).texts("test"))
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps({"text": "x"}) + "\n")
    with pytest.raises(ConfigurationError, match=r"bad\.jsonl:1: a pool row needs a text under 'input'"):
        list(Pool(str(bad)).texts("test"))
