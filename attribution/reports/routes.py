"""Routes of a mixture of experts in a report."""

from pathlib import Path
from typing import Dict, Iterator, List, Sequence

import numpy as np

from attribution.reports.blocks import Block, Cell, Number, Plot, Table
from attribution.reports.plots import heat_map, small_heat_maps
from attribution.reports.report_section import ReportSection
from attribution.reports.route_map import draw_route_map
from attribution.similarity import TaskRoutes, correlate, correlate_features, read_features

ROUTES = "routes.npz"
FEATURES = "features.json"
EPOCHS = "epochs"

_MOST_EPOCHS = 12


@ReportSection.register("routes")
class RoutesSection(ReportSection):
    """
    What `allennlp routes` writes: which experts tasks take, in the order of their categories, how that came about over
    a training, and how weights go with categories and with other features of tasks.

    Registered as a `ReportSection` with name "routes".
    """

    needs = ROUTES

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return (path / ROUTES).is_file()

    def inputs(self) -> List[Path]:
        features = [self.path / FEATURES] if (self.path / FEATURES).is_file() else []
        return [self.path / ROUTES, *features, *epoch_files(self.path / EPOCHS).values()]

    def blocks(self) -> Iterator[Block]:
        routes = TaskRoutes.load(self.path / ROUTES)
        tasks, layers, experts = routes.weights.shape
        yield f"{tasks} tasks, {layers} layers of {experts} experts."
        of = f"The weight of each expert, a row for each task, and columns by layer. From {self.path}."
        yield Plot("Routes", of, draw_route_map(routes).figure)
        yield from self._epochs(routes)
        yield from self._categories(routes)
        yield from self._features(routes)
        rows: List[List[Cell]] = [
            [routes.tasks[row], routes.categories[row] if routes.categories else "", *map(Number, routes.flat[row])]
            for row in routes.order()
        ]
        yield Table("Weights", of, ["task", "category", *routes.experts], rows, folded=True)

    def _epochs(self, routes: TaskRoutes) -> Iterator[Block]:
        files = epoch_files(self.path / EPOCHS)
        if files:
            places = np.unique(np.linspace(0, len(files) - 1, min(len(files), _MOST_EPOCHS)).round().astype(int))
            chosen = [list(files)[place] for place in places]
            weights = [TaskRoutes.load(files[epoch]).flat[routes.order()] for epoch in chosen]
            caption = f"The same after epochs of the training, rows and columns as above. From {self.path / EPOCHS}."
            titles = [f"epoch {epoch}" for epoch in chosen]
            yield Plot("Over the training", caption, small_heat_maps(titles, np.stack(weights, 2), "weight"))

    def _categories(self, routes: TaskRoutes) -> Iterator[Block]:
        if not any(routes.categories):
            return
        try:
            found = correlate(routes.flat, routes.categories)
        except ValueError as error:
            yield f"There is no correlation with categories: {error}."
            return
        yield (
            f"Categories explain {found.explained:.1%} of the variance of the weights of {found.tasks} tasks (p = "
            f"{found.explained_p:.3g}; permutations of the categories; Anderson, 2001)."
        )
        caption = (
            "Point-biserial correlation of each expert's weight with being in each category, over "
            f"{found.tasks} tasks; missing where all tasks give an expert the same weight. From {self.path}."
        )
        yield from _correlations("categories", routes.experts, found.categories, found.r, found.p, caption)

    def _features(self, routes: TaskRoutes) -> Iterator[Block]:
        if not (self.path / FEATURES).is_file():
            return
        tasks_with = read_features(self.path / FEATURES)
        has = np.array([[task in tasks for tasks in tasks_with.values()] for task in routes.tasks])
        try:
            found = correlate_features(routes.flat, has)
        except ValueError as error:
            yield f"There is no correlation with features: {error}."
            return
        caption = (
            "Point-biserial correlation of each expert's weight with having each feature, of which a task may have "
            f"several, over {len(has)} tasks, {int(has.any(1).sum())} with any; missing where all tasks give an expert "
            f"the same weight, or have a feature. From {self.path}."
        )
        yield from _correlations("features", routes.experts, list(tasks_with), found.r, found.p, caption)


def _correlations(
    what: str, experts: Sequence[str], names: Sequence[str], r: np.ndarray, p: np.ndarray, caption: str
) -> Iterator[Block]:
    if np.isfinite(r).any():
        figure = heat_map(names, experts, r.T, "r", centre=0.0, form="+.2f")
        yield Plot(f"Experts and {what}", caption, figure)
    cells: List[List[Cell]] = [
        [expert, *(cell for pair in zip(*of) for cell in (Number(pair[0], form="+.2f"), Number(pair[1])))]
        for expert, *of in zip(experts, r.tolist(), p.tolist())
    ]
    header = ["expert", *(text for name in names for text in (name, f"p of {name}"))]
    p_values = (
        f"p: of the largest |r| of all experts and {what} in 9,999 permutations of the {what} (Westfall and Young, "
        "1993), so corrected for their number."
    )
    yield Table(f"Correlations with {what}", f"{caption} {p_values}", header, cells, folded=len(cells) > 12)


def epoch_files(folder: Path) -> Dict[int, Path]:
    """By epoch, in order, the routes that the callback `save_routes` wrote."""
    found = {path.stem.removeprefix("epoch_"): path for path in folder.glob("epoch_*.npz")}
    return {int(number): found[number] for number in sorted(filter(str.isdecimal, found), key=int)}
