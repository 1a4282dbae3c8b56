from attribution.sweeps.check import check_runs
from attribution.sweeps.grid import Axes, Point, as_text, grid_points, point_name
from attribution.sweeps.results import RESULTS, RUNS, Results
from attribution.sweeps.run import METRICS, STEP, Run, check_finished, levels, outdated
from attribution.sweeps.step import Step
from attribution.sweeps.sweep import PlannedPoint, Sweep
from attribution.sweeps.worker import Failures, Worker, without_dependents

__all__ = [
    "METRICS",
    "RESULTS",
    "RUNS",
    "STEP",
    "Axes",
    "Failures",
    "PlannedPoint",
    "Point",
    "Results",
    "Run",
    "Step",
    "Sweep",
    "Worker",
    "as_text",
    "check_finished",
    "check_runs",
    "grid_points",
    "levels",
    "outdated",
    "point_name",
    "without_dependents",
]
