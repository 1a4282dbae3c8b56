import sys
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.figures import new_figure, save_figure


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_same_values_give_the_same_bytes(ending: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("one", "other"):
        figure = new_figure(2, 2)
        figure.add_subplot().plot([1, 2], label="a")
        save_figure(figure, tmp_path / f"{name}.{ending}")
    assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"other.{ending}").read_bytes()


def test_dollar_signs_are_no_formulas(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figure = new_figure(2, 2)
    axes = figure.add_subplot()
    axes.set_xticks([0], ["from $x_1$ to $5"])
    axes.set_title(r"$\frac{1$")  # As a formula this is an error.
    save_figure(figure, tmp_path / "plot.svg")
    text = (tmp_path / "plot.svg").read_text()
    assert ">from $x_1$ to $5<" in text and r">$\frac{1$<" in text


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigurationError, match="install the extra `plots`"):
        new_figure(1, 1)
