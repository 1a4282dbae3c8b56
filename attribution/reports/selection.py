"""Selections in a report."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.json_files import read_json_object
from attribution.common.manifest import MANIFEST, fingerprint, read_manifest
from attribution.reports.blocks import Block, Cell, Number, Plot, Table, plain
from attribution.reports.plots import Curve, cluster, curves, heat_map
from attribution.reports.report_section import ReportSection
from attribution.reports.violins import is_spread, violins
from attribution.selection import Covariance, read_covariance

SELECTED = "selected.json"

_RANDOM_SETS = 1000
_MOST_VIOLINS = 20
_MOST_DRAWN = 200  # Members, in a heat map.


class Selected(NamedTuple):
    """What `allennlp select` writes."""

    names: List[str]
    indices: List[int]
    information: np.ndarray


@ReportSection.register("selection")
class SelectionSection(ReportSection):
    """
    What `allennlp select` writes: the members in the order of choice, and how much each adds. If the covariance that
    they were chosen by is still where it was, beside what random sets tell, and with the covariance itself in the order
    of a dendrogram.

    Registered as a `ReportSection` with name "selection".
    """

    needs = SELECTED

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return (path / SELECTED).is_file()

    def inputs(self) -> List[Path]:
        manifest = self.path / MANIFEST
        settings = self._settings() or {}
        files = [settings[name] for name in ("path", "names") if settings.get(name)]
        return [self.path / SELECTED, *([manifest] if manifest.is_file() else []), *files]

    def blocks(self) -> Iterator[Block]:
        selected = self._selected()
        settings = self._settings()
        if settings is None:
            yield "The covariance that they were chosen by is not there any more: no random sets are shown."
        covariance = read_covariance(**settings) if settings else None
        drawn = random_information(covariance, len(selected.names)) if covariance else None
        of = f"mutual information of those chosen so far with the rest, in nats. From {self.path}."
        yield _gain(selected, drawn, of)
        if drawn is not None and is_spread(list(drawn.T)):
            yield _spread(selected, drawn, of)
        if covariance and 2 < len(covariance) <= _MOST_DRAWN:
            yield _clustered(selected, covariance, self.linkage)
        gains = np.diff(selected.information, prepend=0)
        cells: List[List[Cell]] = [
            [name, plain(row), Number(nats, form=".4f"), Number(gain, form="+.4f")]
            for name, row, nats, gain in zip(
                selected.names, selected.indices, selected.information.tolist(), gains.tolist()
            )
        ]
        caption = f"In the order of choice: the row in the covariance (from 0), the {of}"
        yield Table("Members", caption, ["name", "row", "information", "gain"], cells)

    def _selected(self) -> Selected:
        path = self.path / SELECTED
        content, _ = read_json_object(path)
        try:
            names = [str(name) for name in content["names"]]
            information = np.array([float(nats) for nats in content["information"]])
            indices = [int(index) for index in content["indices"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"{path}: not what `allennlp select` writes ({error!r})") from error
        if not names or not len(names) == len(information) == len(indices):
            raise ConfigurationError(f"{path}: names, indices and information must be as many, and at least one")
        return Selected(names, indices, information)

    def _settings(self) -> Optional[Dict[str, Any]]:
        """Those of `read_covariance`, if the files are what they were when the choice was made."""
        if not (self.path / MANIFEST).is_file():
            return None
        manifest = read_manifest(self.path)
        settings = manifest["configuration"]
        files = dict(zip(("path", "names") if settings.get("names") else ("path",), manifest["inputs"]))
        for file in files.values():
            path = Path(file["path"])
            if not path.is_file() or fingerprint(path)["sha256"] != file["sha256"]:
                return None
        others = {name: settings[name] for name in ("part", "tolerance", "normalize") if name in settings}
        return {**{name: Path(file["path"]) for name, file in files.items()}, **others}


def random_information(covariance: Covariance, k: int) -> np.ndarray:
    """The mutual information of 1,000 random sets of 1 to k members with the rest. Shape: (1000, k)"""
    numbers = np.tile(np.arange(len(covariance)), (_RANDOM_SETS, 1))
    orders = np.random.default_rng(0).permuted(numbers, axis=1)[:, :k]
    return np.array([covariance.information(order) for order in orders.tolist()])


def _gain(selected: Selected, drawn: Optional[np.ndarray], of: str) -> Plot:
    x = np.arange(1, len(selected.names) + 1)
    lines = [Curve("chosen", x, selected.information)]
    caption = f"The {of}"
    if drawn is not None:
        low, middle, high = np.quantile(drawn, [0.025, 0.5, 0.975], axis=0)
        lines.append(Curve("random", x, middle, low, high))
        caption += f" Random: the median of {_RANDOM_SETS} random sets of as many, band: 95% of them."
    return Plot("Gain", caption, curves({"": lines}, "members chosen", "nats", selected.names))


def _spread(selected: Selected, drawn: np.ndarray, of: str) -> Plot:
    count = len(selected.names)
    sizes = np.unique(np.linspace(1, count, min(count, _MOST_VIOLINS)).round().astype(int))
    series = {
        "chosen": [selected.information[size - 1 : size] for size in sizes],
        "random": [drawn[:, size - 1] for size in sizes],
    }
    below = np.mean(drawn[:, -1] < selected.information[-1])
    caption = (
        f"The {of} Violins: {_RANDOM_SETS} random sets of each size, with their median. Of those of {count}, "
        f"{below:.1%} tell less than the chosen."
    )
    return Plot("Random sets", caption, violins([str(size) for size in sizes], series, "members", "nats"))


def _clustered(selected: Selected, covariance: Covariance, linkage: str) -> Plot:
    ranks = {index: rank for rank, index in enumerate(selected.indices, start=1)}
    names = [f"{name} ({ranks[row]})" if row in ranks else name for row, name in enumerate(covariance.names)]
    tree, order = cluster(covariance.values, True, linkage)
    caption = (
        f"All members in the order of a dendrogram: {linkage} linkage, where the distance of two is one minus their "
        "covariance. In brackets: which choice it was."
    )
    figure = heat_map(names, names, covariance.values, "covariance", order=order, tree=tree)
    figure = heat_map(names, names, covariance.values, "covariance", order=order, tree=tree)
    return Plot("Covariance", caption, figure)
