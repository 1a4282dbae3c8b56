"""
`allennlp routes`: which experts each task takes.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.params import parse_overrides, with_overrides

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.commands.mixture_archive import archive_files, check_archive, load_mixture
from attribution.common.engines import Engine
from attribution.common.manifest import write_json
from attribution.reports.route_map import film
from attribution.reports.routes import EPOCHS, FEATURES, ROUTES, epoch_files
from attribution.similarity import TaskRoutes, read_categories, read_features, routes_of_model
from attribution.training.save_routes import ROUTES as SAVED

SIMILARITY = "task_similarity.npz"
FILM = "routes.gif"

_SETTINGS = ("archive", "tasks", "unseen_tasks", "temperature", "categories", "features")


class Routes(ArtefactJob):
    """
    What `allennlp routes` was asked for.

    # Parameters

    archive : `str`
        Of a `task_moe_seq2seq`: `model.tar.gz`, or the directory of a training. If the training had the callback
        `save_routes`, its directory has the routes after each epoch, too.
    tasks : `List[str]`, optional (default = all of its task table)
        Whose routes.
    unseen_tasks : `str`, optional
        A table with vectors of further tasks, to be named in `tasks`.
    temperature : `float`, optional
        Instead of the routes that evaluation takes, the softmax of the router's logits at this temperature.
    categories : `str`, optional
        A JSON file that says the category of tasks: `data/few_shot_gym.json`, `{task: category}` or
        `{category: [task, ...]}`.
    features : `str`, optional
        A JSON file with features of tasks, of which each may have several: `{feature: [task, ...]}`, or
        `data/few_shot_gym.json`. The report says how experts go with these.
    """

    def __init__(
        self,
        archive: str,
        tasks: Optional[List[str]] = None,
        unseen_tasks: Optional[str] = None,
        temperature: Optional[float] = None,
        categories: Optional[str] = None,
        features: Optional[str] = None,
    ) -> None:
        check_archive(archive)
        self.archive = archive
        self.tasks = tasks
        self.unseen_tasks = unseen_tasks
        self.temperature = temperature
        self.categories = categories
        self.features = features

    def inputs(self) -> List[Path]:
        lists = [Path(name) for name in dict.fromkeys((self.categories, self.features)) if name]
        missing = [path for path in lists if not path.is_file()]
        if missing:
            raise ConfigurationError(f"{missing[0]}: no such file")
        epochs = epoch_files(Path(self.archive) / SAVED).values()
        return [*archive_files(self.archive, self.unseen_tasks), *lists, *epochs]

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes the routes, how alike tasks are in these, and the film if there is one to make."""
        model, _ = load_mixture(self.archive, unseen_tasks=self.unseen_tasks)
        routes = routes_of_model(model, self.tasks, self.temperature)
        if self.categories:
            category_of = read_categories(self.categories)
            routes = replace(routes, categories=[category_of.get(task, "") for task in routes.tasks])
            if not any(routes.categories):
                raise ConfigurationError(f"{self.categories}: has none of the {len(routes.tasks)} tasks")
        if self.features:
            write_json(directory / FEATURES, self._features(routes.tasks))
        routes.save(directory / ROUTES)
        routes.similarity().save(directory / SIMILARITY)
        epochs = self._epochs(routes)
        if epochs:
            (directory / EPOCHS).mkdir(exist_ok=True)
            for epoch, then in epochs.items():
                then.save(directory / EPOCHS / f"epoch_{epoch}.npz")
            film(directory / FILM, epochs)
        tasks, layers, experts = routes.weights.shape
        return f"routes of {tasks} tasks through {layers} layers of {experts} experts" + (
            f", and of {len(epochs)} epochs" if epochs else ""
        )

    def _features(self, tasks: List[str]) -> Dict[str, List[str]]:
        """By feature those of these tasks that have it."""
        found = {
            feature: [task for task in tasks if task in with_it]
            for feature, with_it in read_features(self.features or "").items()
        }
        if not any(found.values()):
            raise ConfigurationError(f"{self.features}: has none of the {len(tasks)} tasks")
        return {feature: with_it for feature, with_it in found.items() if with_it}

    def _epochs(self, routes: TaskRoutes) -> Dict[int, TaskRoutes]:
        """Those of the same tasks; none if one was not saved."""
        found: Dict[int, TaskRoutes] = {}
        for epoch, path in epoch_files(Path(self.archive) / SAVED).items():
            then = TaskRoutes.load(path)
            if not set(routes.tasks) <= set(then.tasks) or then.layers != routes.layers:
                return {}
            if then.weights.shape[2] != routes.weights.shape[2]:
                raise ConfigurationError(
                    f"{path}: has {then.weights.shape[2]} experts a layer, the model {routes.weights.shape[2]}"
                )
            places = np.array([then.tasks.index(task) for task in routes.tasks])
            found[epoch] = replace(routes, weights=then.weights[places])
        return found


@Subcommand.register("routes")
class RoutesCommand(ArtefactCommand):
    """
    Writes which experts each task takes: `allennlp routes ARCHIVE -s DIR [--categories JSON] [--features JSON]`. DIR
    then holds `routes.npz` and `.tsv`, `task_similarity.npz` and `.tsv` (a similarity matrix of the tasks), the tasks'
    `features.json` and, of a training with the callback `save_routes`, `epochs/` and the film `routes.gif`. `allennlp
    report DIR` shows them.

    Registered as a `Subcommand` with name "routes".
    """

    job = Routes
    summary = "Write which experts of a mixture each task takes."

    def add_arguments(self, subparser: argparse.ArgumentParser) -> None:
        subparser.add_argument("archive", type=str, help="model.tar.gz of a task_moe_seq2seq, or its directory")
        subparser.add_argument("--tasks", type=str, nargs="+", help="the tasks (all of the model's task table)")
        subparser.add_argument("--unseen-tasks", type=str, help="a task table with the vectors of further tasks")
        subparser.add_argument("--temperature", type=float, help="the softmax at it, not what evaluation takes")
        subparser.add_argument("--categories", type=str, help="a JSON file with tasks' categories")
        subparser.add_argument("--features", type=str, help="one with their features, of which a task may have several")

    def params(self, args: argparse.Namespace) -> Params:
        settings: Dict[str, Any] = {name: getattr(args, name) for name in _SETTINGS if getattr(args, name) is not None}
        return Params(with_overrides(settings, parse_overrides(args.overrides)))
