import json
from pathlib import Path
from typing import Any, Dict

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.sweeps.check import check_runs
from attribution.sweeps.run import Run
from tests.shell_scripts.allennlp_port.settings_test import EXPERIMENT


def _run(made_of: Dict[str, Any], step: str = "model") -> Run:
    return Run(step, Path("/out") / step / "SEED=1", json.loads(json.dumps(made_of)), {}, ())


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").touch()
    return {"command": "train", "configuration": EXPERIMENT}


def test_what_is_right(experiment: Dict[str, Any]) -> None:
    retrieval = {"pool": {"path": "rows.jsonl"}, "retriever": "bm25", "engine": {"type": "ray", "workers": 2}}
    test = {"command": "evaluate", "archive": "/out/model/SEED=1/model.tar.gz", "input": "rows.jsonl", "overrides": {}}
    check_runs([_run(experiment), _run({"command": "retrieve", "configuration": retrieval}), _run(test)], Path("/out"))


@pytest.mark.parametrize(
    "command, changes, message",
    [
        ("train", {"trainer": {"num_epoch": 2}}, 'model/SEED=1: "trainer.num_epoch" is no setting of GradientDescent'),
        ("retrieve", {"pool": {"paht": "x"}}, 'model/SEED=1: "pool.paht" is no setting of Pool; did you mean "path"?'),
        ("embed", {"words": {"paht": "x"}, "encoder": {"type": "transformer"}}, '"words.paht" is no setting of'),
        ("train", {"train_data_path": "row.jsonl"}, "row.jsonl: no such file (model/SEED=1)"),
        ("retrieve", {"pool": {"path": "a/pool.jsonl.gz"}}, "a/pool.jsonl.gz: no such file (model/SEED=1)"),
    ],
)
def test_what_is_wrong(command: str, changes: Any, message: str, experiment: Dict[str, Any]) -> None:
    settings = {**(EXPERIMENT if command == "train" else {}), **changes}
    with pytest.raises(ConfigurationError) as refused:
        check_runs([_run({"command": command, "configuration": settings})], Path("/out"))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"dataset_reader.keepp": ["id"]}, 'test/SEED=1: "dataset_reader.keepp" is no setting of P3JsonlReader; did'),
        ({"model.loss": 3}, 'test/SEED=1: "model.loss" is 3; a text is needed'),
        ({"evaluation.nonsense": 3}, 'test/SEED=1: "evaluation.nonsense" is no setting of SimpleEvaluator'),
        ({"trainer.num_epochs": 3}, "test/SEED=1: -o: evaluate does not use 'trainer.num_epochs'"),
        ({"modl.loss": "sum"}, "test/SEED=1: -o: evaluate does not use 'modl.loss'"),
        ({"model.delta.x.y": 1}, 'test/SEED=1: -o: "model.delta.x.y" changes "model.delta.x", which is not there'),
    ],
)
def test_what_is_overridden_of_a_training(overrides: Any, message: str, experiment: Dict[str, Any]) -> None:
    test = {"command": "evaluate", "archive": "/out/model/SEED=1/model.tar.gz", "input": "rows.jsonl"}
    runs = [_run(experiment), _run({**test, "overrides": {"model.label_smoothing": 0.1}}, "test")]
    check_runs(runs, Path("/out"))
    with pytest.raises(ConfigurationError) as refused:
        check_runs([runs[0], _run({**test, "overrides": overrides}, "test")], Path("/out"))
    assert message in str(refused.value)


def test_each_missing_file_is_named_once(experiment: Dict[str, Any], tmp_path: Path) -> None:
    tests = [
        _run({"command": "evaluate", "archive": "x.tar.gz", "input": f"test/{task}.jsonl", "overrides": {}}, "test")
        for task in ("rte", "rte", "cb")
    ]
    with pytest.raises(ConfigurationError) as refused:
        check_runs([_run(experiment), *tests], Path("/out"))
    assert str(refused.value).splitlines() == [
        "x.tar.gz: no such file (test/SEED=1)",
        "test/rte.jsonl: no such file (test/SEED=1)",
        "test/cb.jsonl: no such file (test/SEED=1)",
        f"paths are relative to {tmp_path}, where the sweep is run",
    ]


def test_names_that_are_no_files(experiment: Dict[str, Any]) -> None:
    names = {"path": "aps/super_glue", "data_path": "https://a.b/c.jsonl", "input": "dummy", "archive": "*/m.tar.gz"}
    check_runs([_run({"command": "evaluate", "archive": "*/m.tar.gz", "overrides": names})], Path("/out"))
