import json
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.reports.conftest import write_composition, write_epochs, write_matrix, write_sweep

pytest.importorskip("matplotlib")


@pytest.fixture
def fails(allennlp: Any, tmp_path: Path) -> Callable[..., None]:
    def check(*arguments: Any, message: str) -> None:
        result = allennlp("report", *arguments, "-s", tmp_path / "out")
        assert result.status == 1 and "Traceback" not in result.stderr, result.stderr
        *_, last = result.stderr.rsplit("error: ", 1)
        assert message in last, last
        assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*.part"))

    return check


def test_directories_to_a_page(allennlp: Any, tmp_path: Path) -> None:
    write_sweep(tmp_path / "sweep")
    write_matrix(tmp_path / "similarity.npz")
    write_epochs(tmp_path / "model" / "TASK=rte", [{"training_loss": 1.0}])  # A directory with `=` in its name.
    arguments = [f"The sweep={tmp_path / 'sweep'}", tmp_path / "similarity.npz", tmp_path / "model" / "TASK=rte"]
    command = ["report", *arguments, "--baseline", "ARM=none", "--title", "What won", "-s", tmp_path / "out"]
    result = allennlp(*command)
    assert result.status == 0, result.stderr
    assert "3 sections: index.html" in result.stdout
    text = (tmp_path / "out" / "index.html").read_text()
    assert (
        "<title>What won</title>" in text
        and ">The sweep</h2>" in text
        and f">{tmp_path / 'model'}/TASK=rte</h2>" in text
    )
    assert "<strong>0.620 ± 0.028</strong>" in text and "+21.6" in text
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    names = {Path(file["path"]).name for file in manifest["inputs"]}
    assert names == {
        "sweep.json",
        "runs.csv",
        "results.csv",
        "similarity.npz",
        *(f"metrics_epoch_{epoch}.json" for epoch in range(4)),
    }
    assert "finished already" in allennlp(*command).stdout
    (tmp_path / "sweep" / "runs.csv").write_text((tmp_path / "sweep" / "runs.csv").read_text().replace("0.6", "0.7"))
    assert allennlp(*command).status == 1
    assert allennlp(*command, "--force").status == 0


def test_the_published_dendrogram(allennlp: Any, fails: Any, tmp_path: Path) -> None:
    write_matrix(tmp_path / "similarity.npz")
    for linkage in ("average", "ward"):
        flags = [] if linkage == "average" else ["--linkage", linkage]
        assert allennlp("report", tmp_path / "similarity.npz", *flags, "-s", tmp_path / linkage).status == 0
        assert f"order of the dendrogram: {linkage} linkage" in (tmp_path / linkage / "index.html").read_text()
    fails(tmp_path / "similarity.npz", "--linkage", "single", message="linkage is 'single'; average and ward")


def test_a_configuration_does_the_same(allennlp: Any, tmp_path: Path) -> None:
    write_sweep(tmp_path / "sweep")
    settings = {"directories": [str(tmp_path / "sweep")], "rows": "ARM"}
    (tmp_path / "report.jsonnet").write_text(json.dumps(settings))
    assert allennlp("report", tmp_path / "report.jsonnet", "-s", tmp_path / "one").status == 0
    assert allennlp("report", tmp_path / "sweep", "--rows", "ARM", "-s", tmp_path / "other").status == 0
    for path in (tmp_path / "one").iterdir():
        if path.name != "manifest.json":
            assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes(), path.name


def test_a_wrong_call(fails: Any, tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep")
    write_composition(tmp_path / "rows")
    (tmp_path / "report.jsonnet").write_text(json.dumps({"directories": []}))
    (tmp_path / "empty").mkdir()
    fails(tmp_path / "nowhere", message="nowhere: there is no such directory")
    fails(tmp_path / "empty", message="empty: nothing that a report knows. It knows agents (accuracy.json)")
    fails(sweep, "--baseline", "ORM=none", message="baseline: there is no axis 'ORM'")
    fails(sweep, "--rows", "SEED", message="rows: there is no 'SEED'")
    fails(tmp_path / "rows", "--baseline", "ARM=none", message="baseline: none of the directories is a sweep")
    fails(f"a={sweep}", f"a={tmp_path / 'rows'}", message="two have the same title")
    fails(tmp_path / "report.jsonnet", message="directories is empty")
    fails(tmp_path / "report.jsonnet", sweep, message="is a configuration; name it alone")
    fails(tmp_path / "report.jsonnet", "--rows", "TASK", message="--rows beside a configuration")
    (sweep / "results.csv").unlink()
    fails(sweep, message="results.csv: missing; the sweep has not ended a run yet")


def test_without_matplotlib(fails: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("attribution.commands.report.find_spec", lambda name: None)
    fails(write_sweep(tmp_path / "sweep"), message="install the extra `plots`")
