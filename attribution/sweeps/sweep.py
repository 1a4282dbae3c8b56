"""A grid of runs, as the configuration says it."""

import os
from contextlib import contextmanager
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Set

from allennlp.common import FromParams, Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.port import users_mistake
from allennlp.common.settings import nearest

from attribution.sweeps.grid import NAME, Axes, Point, as_text, check_axes, grid_points, point_name
from attribution.sweeps.run import Run
from attribution.sweeps.step import Step, fill, is_at, only_at, references


class PlannedPoint(NamedTuple):
    """A point of the grid."""

    point: Point
    """Its values."""
    runs: Dict[str, Run]
    """By step what is made there, each after those that it needs. Points share runs."""


class Sweep(FromParams):
    """
    The configuration of `allennlp sweep`.

    # Parameters

    axes : `Dict[str, List[Any]]`
        By name the values of each: texts, numbers or truth values. All combinations are made.
    steps : `Dict[str, Step]`
        By name what is made at a point, in the order of their references to each other.
    once : `Dict[str, Dict[str, List[Any]]]`, optional
        By an axis the points at which it makes no difference: `{ SEED: { ARM: ['none'] } }`, as nothing is drawn there.
        They share what is made at the axis's first value, and its numbers count for each of them.
    repeat : `List[str]`, optional
        Axes (a seed, say) that means and sample standard deviations are over.
    choose : `List[str]`, optional
        Axes (a learning rate, say) of whose combinations the best counts, by the mean of `development`.
    choose_within : `str`, optional
        An axis of `repeat` (a few-shot sample, say), for each value of which the best counts by itself, as a few-shot
        gym's tasks are tuned (Ye et al., 2021, https://arxiv.org/abs/2104.08835). By default one combination counts for
        all repetitions together.
    development : `str`, optional
        What chooses, as `STEP.METRIC`: a number in the `metrics.json` that the step writes, `STEP.OUTER.INNER` for one
        in an object there.
    metrics : `List[str]`, optional
        What else is reported, written in the same way.
    higher_is_better : `bool`, optional (default = `True`)
        Of `development`. Of equal ones the first counts.
    """

    def __init__(
        self,
        axes: Dict[str, Any],
        steps: Dict[str, Step],
        once: Optional[Dict[str, Any]] = None,
        repeat: Optional[List[str]] = None,
        choose: Optional[List[str]] = None,
        choose_within: Optional[str] = None,
        development: Optional[str] = None,
        metrics: Optional[List[str]] = None,
        higher_is_better: bool = True,
    ) -> None:
        check_axes(axes)
        self.axes: Axes = axes
        self.steps = steps
        self.once = {axis: only_at(where, f"once.{axis}") for axis, where in (once or {}).items()}
        self.repeat = repeat or []
        self.choose = choose or []
        self.choose_within = choose_within
        self.development = development
        self.metrics = metrics or []
        self.higher_is_better = higher_is_better
        self._check_names()
        self._check_results()
        self.order = self._order()

    @property
    def columns(self) -> List[str]:
        """What is reported: `development` first."""
        return list(dict.fromkeys([self.development, *self.metrics] if self.development else self.metrics))

    def plan(self, directory: Path) -> List[PlannedPoint]:
        """
        What is made in `directory`. All configurations are read here, before anything is made.

        # Raises

        `ConfigurationError`, naming the step and the point, if one cannot be read, or points that would share a run
        want different ones.
        """
        planner = _Planner(self, directory)
        return [PlannedPoint(point, planner.runs(self._shared(point))) for point in grid_points(self.axes)]

    def _shared(self, point: Point) -> Point:
        """The point whose runs are those of this one."""
        first = {axis: self.axes[axis][0] for axis, where in self.once.items() if is_at(point, where)}
        return {**point, **first}

    def _check_names(self) -> None:
        if not self.steps:
            raise ConfigurationError("steps: at least one is needed")
        for name, step in self.steps.items():
            where = f"steps.{name}"
            if not NAME.fullmatch(name):
                raise ConfigurationError(f"{where}: letters, digits and _ can name a step")
            if name in self.axes:
                raise ConfigurationError(f"{where}: an axis has the same name")
            self._check_axes(step.axes or [], f"{where}.axes")
            self._check_axes(step.only, f"{where}.only")
            step.axes = [axis for axis in self.axes if step.axes is None or axis in step.axes]
        self._check_axes(self.once, "once")
        for axis, there in self.once.items():
            self._check_axes(there, f"once.{axis}")
            if not there:
                raise ConfigurationError(f"once.{axis}: values of another axis are needed; of none it is everywhere")
            for other, values in there.items():
                unknown = [value for value in values if value not in map(as_text, self.axes[other])]
                if unknown or not values or other == axis:
                    meant = (
                        f"{unknown[0]!r} is no value of the axis; {nearest(unknown[0], map(as_text, self.axes[other]))}"
                        if unknown
                        else "values of another axis are needed"
                    )
                    raise ConfigurationError(f"once.{axis}.{other}: {meant}")

    def _check_axes(self, axes: Iterable[str], where: str) -> None:
        for axis in axes:
            if axis not in self.axes:
                raise ConfigurationError(f"{where}: {axis!r} is no axis; there are {', '.join(self.axes)}")

    def never(self, name: str) -> str:
        """Why a step is made at no point of the grid."""
        for axis, values in self.steps[name].only.items():
            there = [as_text(value) for value in self.axes[axis]]
            if not set(values) & set(there):
                meant = f"{values[0]!r} is no value of the axis; {nearest(values[0], there)}" if values else "is empty"
                return f"steps.{name}.only.{axis}: {meant}"
        return f"steps.{name}: no point needs it"

    def _check_results(self) -> None:
        for setting, axes in (("repeat", self.repeat), ("choose", self.choose)):
            self._check_axes(axes, setting)
        both = [axis for axis in self.choose if axis in self.repeat]
        if both:
            raise ConfigurationError(f"choose: {both[0]} is in repeat, too")
        if self.choose and not self.development:
            raise ConfigurationError("choose: needs development, which says what is best")
        if self.choose_within is not None and (self.choose_within not in self.repeat or not self.choose):
            there = ", ".join(self.repeat) or "none"
            what = "nothing is chosen" if not self.choose else f"an axis of repeat is needed; there are {there}"
            raise ConfigurationError(f"choose_within: {self.choose_within!r}: {what}")
        for column in self.columns:
            step, dot, metric = column.partition(".")
            if step not in self.steps or not metric:
                raise ConfigurationError(
                    f"{column!r}, in development or metrics, is not STEP.METRIC of a step ({', '.join(self.steps)})"
                )

    def _order(self) -> List[str]:
        needs: Dict[str, List[str]] = {}
        for name, step in self.steps.items():
            assert step.axes is not None
            for reference in sorted(step.references()):
                if reference not in self.axes and reference not in self.steps:
                    raise ConfigurationError(f"steps.{name}: {{{reference}}} is neither an axis nor a step")
                axes = [reference] if reference in self.axes else self.steps[reference].axes or []
                missing = [axis for axis in axes if axis not in step.axes]
                if missing:
                    raise ConfigurationError(
                        f"steps.{name}: {{{reference}}} depends on {missing[0]}; add that to steps.{name}.axes"
                    )
            needs[name] = sorted(step.references() & self.steps.keys())
        try:
            return list(TopologicalSorter(needs).static_order())
        except CycleError as error:
            raise ConfigurationError(f"steps: {' needs '.join(error.args[1][::-1])}: a circle") from error


class _Planner:
    def __init__(self, sweep: Sweep, directory: Path) -> None:
        self.sweep = sweep
        self.directory = directory
        self._made: Dict[Path, Run] = {}
        self._wanted: Dict[Path, Any] = {}

    def runs(self, point: Point) -> Dict[str, Run]:
        """By step what is made there."""
        runs: Dict[str, Run] = {}
        for name in self.sweep.order:
            step = self.sweep.steps[name]
            values = {**point, **{other: str(run.directory) for other, run in runs.items()}}
            if step.applies(point) and references([step.config, step.archive, step.input]) <= values.keys():
                needs = [run for other, run in runs.items() if other in step.references()]
                runs[name] = self._run(name, step, values, needs)
        return runs

    def _run(self, name: str, step: Step, values: Mapping[str, Any], needs: List[Run]) -> Run:
        assert step.axes is not None
        place = point_name(values, step.axes)
        directory = self.directory / name / place
        settings = ("config", "archive", "input", "environment", "overrides")
        wanted = {setting: fill(getattr(step, setting), values) for setting in settings}
        if directory not in self._made:
            variables = {**{axis: values[axis] for axis in step.axes}, **wanted["environment"]}
            environment = {variable: as_text(value) for variable, value in variables.items()}
            made_of: Dict[str, Any] = {"command": step.command}
            if step.command == "evaluate":
                made_of.update({key: wanted[key] for key in ("archive", "input", "overrides")})
                made_of["predictions"] = step.predictions
            else:
                unset = {*self.sweep.axes, *step.environment} - environment.keys()
                made_of["configuration"] = _read(wanted, environment, unset, f"{name}/{place}")
            made_of["steps"] = {run.step: run.fingerprint() for run in needs}
            run = Run(name, directory, made_of, environment, tuple(run.directory for run in needs))
            self._made[directory], self._wanted[directory] = run, wanted
        elif wanted != self._wanted[directory]:
            raise ConfigurationError(
                f"steps.{name}: points that share {place} refer to different things, as one of its references has "
                f"`only`; add the axes of that to steps.{name}.axes"
            )
        return self._made[directory]


def _read(wanted: Mapping[str, Any], environment: Dict[str, str], unset: Set[str], where: str) -> Dict[str, Any]:
    path = Path(as_text(wanted["config"]))
    if not path.is_file():
        raise ConfigurationError(f"{where}: {path}: no such file in {Path.cwd()}, where the sweep is run")
    try:
        with _environment(environment, unset):
            return Params.from_file(str(path), wanted["overrides"] or "").as_dict(quiet=True)
    except Exception as error:
        message = users_mistake(error)
        if message is None:
            raise
        raise ConfigurationError(f"{where}: {message}") from error


@contextmanager
def _environment(variables: Dict[str, str], unset: Set[str]) -> Iterator[None]:
    before = dict(os.environ)
    try:
        for name in unset & os.environ.keys():
            del os.environ[name]
        os.environ.update(variables)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
