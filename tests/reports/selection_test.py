import json
from pathlib import Path
from typing import Any

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.reports import SelectionSection

pytest.importorskip("matplotlib")


def _write(directory: Path, **content: Any) -> Path:
    (directory / "selected.json").write_text(json.dumps(content))
    return directory


def test_the_order_of_choice_and_what_each_adds(tmp_path: Path) -> None:
    path = _write(tmp_path, names=["bert", "t5"], indices=[0, 2], information=[0.75, 1.25])
    plot, table = SelectionSection(path).blocks()
    assert [[str(cell) for cell in row] for row in table.rows] == [  # type: ignore[union-attr]
        ["bert", "0", "0.7500", "+0.7500"],
        ["t5", "2", "1.2500", "+0.5000"],
    ]
    (axes,) = plot.figure.axes  # type: ignore[union-attr]
    assert axes.lines[0].get_ydata().tolist() == [0.75, 1.25]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["bert", "t5"]


@pytest.mark.parametrize(
    "content, message",
    [
        ({"names": ["a"]}, "not what `allennlp select` writes"),
        ({"names": ["a"], "indices": [0], "information": ["much"]}, "not what `allennlp select` writes"),
        ({"names": ["a"], "indices": [0], "information": []}, "must be as many"),
    ],
)
def test_something_else(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"selected.json: .*{message}"):
        list(SelectionSection(_write(tmp_path, **content)).blocks())
