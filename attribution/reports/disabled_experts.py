"""Experts that were switched off, in a report."""

from pathlib import Path
from typing import Iterator, List

import numpy as np

from attribution.common.manifest import MANIFEST, read_manifest
from attribution.reports.blocks import DASH, Block, Cell, Number, Plot, Table, plain
from attribution.reports.plots import heat_map
from attribution.reports.report_section import ReportSection
from attribution.similarity import SimilarityMatrix

EFFECTS = "effects.npz"


@ReportSection.register("disabled_experts")
class DisabledExpertsSection(ReportSection):
    """
    What `allennlp disable-experts` writes: what each task loses without each expert, and which it needs most (Ye et
    al., 2022, https://arxiv.org/abs/2205.12701).

    Registered as a `ReportSection` with name "disabled_experts".
    """

    needs = EFFECTS

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return (path / EFFECTS).is_file()

    def inputs(self) -> List[Path]:
        return [self.path / EFFECTS, self.path / MANIFEST]

    def blocks(self) -> Iterator[Block]:
        metric = read_manifest(self.path)["configuration"].get("metric", "loss")
        effects = SimilarityMatrix.load(self.path / EFFECTS)
        lost = 0.0 - effects.scores if effects.higher_is_better else effects.scores  # Never -0.
        sign = "how far it falls" if effects.higher_is_better else "how far it rises"
        of = f"A row for each task, a column for each expert that is switched off; {metric}, {sign}. From {self.path}."
        tasks, experts = lost.shape
        yield f"{tasks} tasks, {experts} experts. Above 0 a task is worse without the expert."
        yield Plot("What tasks lose", of, heat_map(effects.targets, effects.sources, lost, metric, centre=0.0))
        most: List[List[Cell]] = [
            [
                task,
                effects.sources[int(np.argmax(row))] if row.max() > 0 else DASH,
                Number(float(row.max()), form="+.3f"),
                plain(int((row > 0).sum())),
                plain(int((row < 0).sum())),
            ]
            for task, row in zip(effects.targets, lost)
        ]
        caption = f"The expert without which {metric} suffers most, and how many it is worse and better without. {of}"
        yield Table("Needed most", caption, ["task", "expert", "lost", "worse without", "better without"], most)
        rows: List[List[Cell]] = [
            [task, *(Number(value, form="+.3f") for value in row)] for task, row in zip(effects.targets, lost.tolist())
        ]
        yield Table("Lost", of, ["task", *effects.sources], rows, folded=True)
