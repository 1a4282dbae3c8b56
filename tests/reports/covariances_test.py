import json
from pathlib import Path
from typing import Any

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.reports import CovariancesSection, Plot, Table

pytest.importorskip("matplotlib")


def _write(directory: Path, *names: str) -> Path:
    others = {name: {"kl": 1 / (place + 1), "correlation": 0.5, "repaired": None} for place, name in enumerate(names)}
    others[names[0]]["repaired"] = -2e-9
    content = {"others": others, "isotropic": {"kl": 8.5, "correlation": 0.25}}
    (directory / "comparisons.json").write_text(json.dumps(content))
    return directory


def test_the_curve_over_sizes(tmp_path: Path) -> None:
    plot, table = CovariancesSection(_write(tmp_path, "100", "200", "1000")).blocks()
    assert isinstance(plot, Plot) and isinstance(table, Table)
    (axes,) = plot.figure.axes
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert axes.lines[0].get_xdata().tolist() == [100, 200, 1000]
    assert axes.lines[0].get_ydata().tolist() == [1, 0.5, 1 / 3]
    assert axes.lines[1].get_ydata().tolist() == [8.5] * 3
    assert [[str(cell) for cell in row] for row in table.rows] == [
        ["100", "1.0000", "0.5000", "−2.0e−09"],
        ["200", "0.5000", "0.5000", "–"],
        ["1000", "0.3333", "0.5000", "–"],
        ["independent members", "8.5000", "0.2500", "–"],
    ]


def test_of_others_than_sizes_there_is_no_curve(tmp_path: Path) -> None:
    (table,) = CovariancesSection(_write(tmp_path, "100", "rbf")).blocks()
    assert isinstance(table, Table) and len(table.rows) == 3


@pytest.mark.parametrize("content", [{}, {"others": {"1": {"kl": 1}}}, {"others": [], "isotropic": {}}])
def test_something_else(content: Any, tmp_path: Path) -> None:
    (tmp_path / "comparisons.json").write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match="comparisons.json: not what `allennlp compare-covariances` writes"):
        list(CovariancesSection(tmp_path).blocks())
