from pathlib import Path
from typing import Any

import pytest
from allennlp.common import Params

LIBRARY = Path(__file__).parents[2] / "training_config" / "common" / "env.libsonnet"


def _number(text: str, monkeypatch: Any, tmp_path: Path) -> Any:
    monkeypatch.setenv("RATE", text)
    (tmp_path / "x.jsonnet").write_text(f"{{ rate: (import '{LIBRARY}').number('RATE', 7) }}")
    return Params.from_file(tmp_path / "x.jsonnet").as_dict()["rate"]


@pytest.mark.parametrize("text, value", [("0.5", 0.5), ("-2", -2), ("1e-3", 0.001), ("5E-4", 0.0005), ("1e+2", 100)])
def test_numbers(text: str, value: float, monkeypatch: Any, tmp_path: Path) -> None:
    assert _number(text, monkeypatch, tmp_path) == value


@pytest.mark.parametrize("text", ["abc", ".1", "1.", "1.2.3", "", "1e999", "1e", "e5", "0x1", "1 2"])
def test_other_texts(text: str, monkeypatch: Any, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match='RATE is "'):
        _number(text, monkeypatch, tmp_path)
