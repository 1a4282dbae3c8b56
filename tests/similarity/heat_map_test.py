import sys
from pathlib import Path

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.similarity import draw_heat_map

TARGETS, SOURCES = ["boolq", "a rather long name of a task"], [f"source{number}" for number in range(40)]
VALUES = np.arange(80.0).reshape(2, 40)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_same_values_give_the_same_bytes(ending: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    values = VALUES.copy()
    values[0, 0] = np.nan
    for name in ("one", "other"):
        draw_heat_map(tmp_path / f"{name}.{ending}", TARGETS, SOURCES, values, "weights")
    content = (tmp_path / f"one.{ending}").read_bytes()
    assert content == (tmp_path / f"other.{ending}").read_bytes()
    assert content.startswith(b"\x89PNG" if ending == "png" else b"<?xml")


def test_every_name_is_there(tmp_path: Path) -> None:
    """The published map has the first 32 rows only."""
    pytest.importorskip("matplotlib")
    draw_heat_map(tmp_path / "map.svg", TARGETS, SOURCES, VALUES, "title of it")
    text = (tmp_path / "map.svg").read_text()
    assert all(f">{name}<" in text for name in [*TARGETS, *SOURCES, "title of it"])


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigurationError, match="install the extra `plots`"):
        draw_heat_map(tmp_path / "map.png", TARGETS, SOURCES, VALUES, "title")
