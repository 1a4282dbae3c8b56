import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.reports import Plot, SelectionSection
from attribution.reports.selection import random_information
from attribution.selection import Covariance
from tests.selection.conftest import letters, random_correlations

pytest.importorskip("matplotlib")


def _write(directory: Path, **content: Any) -> Path:
    (directory / "selected.json").write_text(json.dumps(content))
    return directory


def test_the_order_of_choice_and_what_each_adds(tmp_path: Path) -> None:
    path = _write(tmp_path, names=["bert", "t5"], indices=[0, 2], information=[0.75, 1.25])
    text, plot, table = SelectionSection(path).blocks()
    assert "no random sets are shown" in str(text)
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


@pytest.fixture
def chosen(allennlp: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What the command writes, of twelve members."""
    np.save(tmp_path / "kappa.npy", random_correlations(12, 0))
    (tmp_path / "names.txt").write_text("".join(f"{name}\n" for name in letters(12)))
    monkeypatch.setenv("COVARIANCE_PATH", str(tmp_path / "kappa.npy"))
    monkeypatch.setenv("NAMES_PATH", str(tmp_path / "names.txt"))
    config = Path(__file__).parents[2] / "training_config" / "checkpoint_zoo" / "select.jsonnet"
    assert allennlp("select", config, "-s", tmp_path / "chosen").status == 0
    return tmp_path / "chosen"


def test_beside_random_sets_and_with_the_covariance(chosen: Path) -> None:
    section = SelectionSection(chosen)
    assert [path.name for path in section.inputs()] == ["selected.json", "manifest.json", "kappa.npy", "names.txt"]
    gain, spread, covariance, table = section.blocks()
    assert isinstance(gain, Plot) and isinstance(spread, Plot) and isinstance(covariance, Plot)
    (axes,) = gain.figure.axes
    drawn = random_information(Covariance(letters(12), random_correlations(12, 0)), 5)
    np.testing.assert_allclose(axes.lines[1].get_ydata(), np.median(drawn, axis=0))
    (band,) = axes.collections
    edges = band.get_paths()[0].vertices[:, 1]
    assert edges.min() == pytest.approx(np.quantile(drawn, 0.025, axis=0).min())
    assert edges.max() == pytest.approx(np.quantile(drawn, 0.975, axis=0).max())
    selected = json.loads((chosen / "selected.json").read_text())
    below = np.mean(drawn[:, 4] < selected["information"][4])
    assert below > 0.9 and f"Of those of 5, {below:.1%} tell less than the chosen" in spread.caption
    heat = next(axes for axes in covariance.figure.axes if axes.images)
    names = [label.get_text() for label in heat.get_yticklabels()]
    for rank, name in enumerate(selected["names"], start=1):
        assert f"{name} ({rank})" in names


@pytest.mark.parametrize("gone", [True, False])
def test_the_covariance_is_not_what_it_was(gone: bool, chosen: Path) -> None:
    path = chosen.parent / "kappa.npy"
    path.unlink()
    if not gone:
        np.save(path, np.eye(12))
    section = SelectionSection(chosen)
    assert [path.name for path in section.inputs()] == ["selected.json", "manifest.json"]
    text, *_ = section.blocks()
    assert "is not there any more" in str(text)


def test_random_sets_are_what_the_definition_says() -> None:
    covariance = Covariance(letters(3), np.array([[1, 0.6, 0], [0.6, 1, 0], [0, 0, 1]]))
    drawn = random_information(covariance, 3)
    assert drawn.shape == (1000, 3)
    one = -np.log(1 - 0.36) / 2
    # The third member tells nothing; a set of one of the others and it tells as much as that one.
    assert set(drawn[:, 0].round(9)) == {0, round(one, 9)}
    assert np.mean(drawn[:, 0] > 0) == pytest.approx(2 / 3, abs=0.05)
    np.testing.assert_allclose(drawn[:, 2], 0, atol=1e-12)
