from pathlib import Path
from typing import Iterator, List

import pytest
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

from attribution.reports import (
    AgentsSection,
    CovariancesSection,
    DisabledExpertsSection,
    EnsembleSection,
    ReportSection,
    RetrievalSection,
    SelectionSection,
    SimilaritySection,
    SweepSection,
    TrainingSection,
)
from attribution.reports.blocks import Block
from tests.reports.conftest import write_composition, write_ensemble, write_epochs, write_matrix, write_sweep


def test_each_kind_is_known_by_its_files(tmp_path: Path) -> None:
    write_matrix(tmp_path / "similarity" / "similarity.npz")
    write_composition(tmp_path / "rows")
    write_composition(tmp_path / "several" / "rte")
    write_ensemble(tmp_path / "merged")
    write_epochs(tmp_path / "run", [{"training_loss": 1.0}])
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen" / "selected.json").write_text("{}")
    write_sweep(tmp_path / "sweep")
    for name, file in (("compared", "comparisons.json"), ("agents", "accuracy.json"), ("disabled", "effects.npz")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("{}")
    for name, kind in {
        "similarity": SimilaritySection,
        "similarity/similarity.npz": SimilaritySection,
        "rows": RetrievalSection,
        "several": RetrievalSection,
        "merged": EnsembleSection,
        "run": TrainingSection,
        "chosen": SelectionSection,
        "sweep": SweepSection,
        "compared": CovariancesSection,
        "agents": AgentsSection,
        "disabled": DisabledExpertsSection,
    }.items():
        assert type(ReportSection.of(tmp_path / name)) is kind, name


def test_a_directory_of_nothing_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        ReportSection.of(tmp_path)
    for name in ("sweep (sweep.json)", "similarity (similarity.npz", "retrieval (", "ensemble (", "selection ("):
        assert name in str(error.value)
    with pytest.raises(ConfigurationError, match="nowhere: there is no such directory"):
        ReportSection.of(tmp_path / "nowhere")


def test_another_system_adds_a_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Registrable._registry, ReportSection, dict(Registrable._registry[ReportSection]))

    @ReportSection.register("planets")
    class Planets(ReportSection):
        needs = "planets.json"

        @classmethod
        def recognises(cls, path: Path) -> bool:
            return (path / cls.needs).is_file()

        def inputs(self) -> List[Path]:
            return [self.path / self.needs]

        def blocks(self) -> Iterator[Block]:
            yield "text"

    (tmp_path / "planets.json").write_text("{}")
    assert list(ReportSection.of(tmp_path).blocks()) == ["text"]
