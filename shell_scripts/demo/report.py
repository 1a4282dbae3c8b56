"""The demo's table and plot: `python shell_scripts/demo/report.py RUNS TARGET...`."""

import json
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Dict, List

ARMS = {"none": "no training", "random": "random rows", "retrieved": "retrieved rows"}


def accuracies(folder: Path, arm: str) -> List[float]:
    return [json.loads(path.read_text())["accuracy"] for path in sorted(folder.glob(f"{arm}_[0-9]*.json"))]


def cell(values: List[float]) -> str:
    spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
    return f"{mean(values):.3f}{spread}"


def table(runs: Path, targets: List[str]) -> str:
    """Accuracy on each target's test rows: mean and standard deviation over seeds."""
    lines = ["| target | " + " | ".join(ARMS.values()) + " | seeds |", "|---|" + "---|" * (len(ARMS) + 1)]
    for target in targets:
        found = {arm: accuracies(runs / target, arm) for arm in ARMS}
        lines.append(f"| {target} | " + " | ".join(map(cell, found.values())) + f" | {len(found['retrieved'])} |")
    return "\n".join(lines)


def plot(runs: Path, targets: List[str], path: Path) -> None:
    """Accuracies, and which data sets the retrieved and the random rows came from."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 1.6 + 1.1 * len(targets)), layout="constrained")
    colors = {"none": "#b8b8b8", "random": "#7a9cc6", "retrieved": "#d1603d"}
    for position, arm in enumerate(ARMS):
        values = [accuracies(runs / target, arm) for target in targets]
        places = [-(row + 0.27 * (position - 1)) for row in range(len(targets))]
        spread = [stdev(value) if len(value) > 1 else 0 for value in values]
        left.barh(places, [mean(value) for value in values], 0.25, xerr=spread, color=colors[arm], label=ARMS[arm])
    left.set_yticks([-row for row in range(len(targets))], targets)
    left.set(xlim=(0, 1), xlabel="accuracy on the target's test rows")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=3, frameon=False)

    rows: Dict[str, Dict[str, Any]] = {}
    for target in targets:
        for name, folder in ((f"{target}: retrieved", "retrieved"), (f"{target}: random", "random_rows_0")):
            found = json.loads((runs / target / folder / "composition.json").read_text())["tasks"]
            rows[name] = {task: part["rows"] for task, part in found.items()}
    tasks = sorted(
        {task for row in rows.values() for task in row},
        key=lambda task: (-sum(r.get(task, 0) for r in rows.values()), task),
    )
    start = [0.0] * len(rows)
    palette = plt.get_cmap("tab10")
    for number, task in enumerate(tasks):
        share = [row.get(task, 0) / sum(row.values()) for row in rows.values()]
        right.barh(
            [-place for place in range(len(rows))], share, 0.7, left=start, label=task, color=palette(number % 10)
        )
        start = [begin + width for begin, width in zip(start, share)]
    right.set_yticks([-place for place in range(len(rows))], list(rows))
    right.set(xlim=(0, 1), xlabel="where the training rows came from")
    figure.legend(*right.get_legend_handles_labels(), loc="outside right center", frameon=False, title="data set")
    figure.savefig(path, dpi=150)


def main() -> None:
    runs, targets = Path(sys.argv[1]), sys.argv[2:]
    report = table(runs, targets)
    (runs / "report.md").write_text(report + "\n")
    plot(runs, targets, runs / "report.png")
    print(f"\n{report}\n\nplot: {runs / 'report.png'}")


if __name__ == "__main__":
    main()
