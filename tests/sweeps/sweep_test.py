import json
import os
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.sweeps.sweep import PlannedPoint, Sweep

READ = "{ arm: std.native('env')('ARM', 'unset'), seed: std.native('env')('SEED', 'unset'), "
READ += "rows: std.native('env')('ROWS', 'default'), lr: 1 }"


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., List[PlannedPoint]]:
    monkeypatch.chdir(tmp_path)  # Which all paths are relative to.
    (tmp_path / "read.jsonnet").write_text(READ)
    (tmp_path / "bm25.jsonnet").write_text(READ)

    def make(**changes: Any) -> List[PlannedPoint]:
        settings: Dict[str, Any] = {
            "axes": {"ARM": ["none", "bm25"], "SEED": [1, 2]},
            "steps": {
                "a_test": {"command": "evaluate", "archive": "{model}/model.tar.gz", "input": "gym/{ARM}"},
                "rows": {"command": "retrieve", "config": "{ARM}.jsonnet", "only": {"ARM": ["bm25"]}},
                "model": {
                    "command": "train",
                    "config": "read.jsonnet",
                    "environment": {"ROWS": "{rows}/x"},
                    "overrides": {"lr": "{SEED}"},
                },
            },
        }
        steps = {**settings["steps"], **changes.pop("steps", {})}
        sweep = Sweep.from_params(Params(json.loads(json.dumps({**settings, **changes, "steps": steps}))))
        return sweep.plan(Path("/out"))

    return make


def test_what_is_made_where(plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROWS", "from outside")
    monkeypatch.setenv("SEED", "from outside")
    before = dict(os.environ)
    points = plan()
    assert dict(os.environ) == before
    assert [list(planned.runs) for planned in points] == [["model", "a_test"]] * 2 + [["rows", "model", "a_test"]] * 2
    none, bm25 = points[0].runs, points[3].runs
    assert none["model"].made_of == {
        "command": "train",
        "configuration": {"arm": "none", "seed": "1", "rows": "default", "lr": 1},
        "steps": {},
    }
    assert bm25["model"].made_of["configuration"] == {
        "arm": "bm25",
        "seed": "2",
        "rows": "/out/rows/ARM=bm25,SEED=2/x",
        "lr": 2,
    }
    assert bm25["model"].made_of["steps"] == {"rows": bm25["rows"].fingerprint()}
    assert bm25["model"].needs == (Path("/out/rows/ARM=bm25,SEED=2"),)
    assert bm25["a_test"].made_of == {
        "command": "evaluate",
        "archive": "/out/model/ARM=bm25,SEED=2/model.tar.gz",
        "input": "gym/bm25",
        "overrides": {},
        "predictions": False,
        "steps": {"model": bm25["model"].fingerprint()},
    }


def test_points_share_what_does_not_depend_on_them(plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARM", "from outside")
    steps = {
        "rows": {"command": "retrieve", "config": "read.jsonnet", "axes": ["SEED"], "only": {"ARM": ["bm25"]}},
        "pool": {"command": "build-pool", "config": "read.jsonnet", "axes": []},
    }
    points = plan(steps=steps, axes={"ARM": ["none", "bm25", "more"], "SEED": [1, 2]})
    assert len({planned.runs["pool"].directory for planned in points}) == 1
    assert points[0].runs["pool"].directory == Path("/out/pool/all")
    assert [planned.runs["rows"].directory.name for planned in points if "rows" in planned.runs] == ["SEED=1", "SEED=2"]
    # An axis that a step does not depend on is not there while its configuration is read.
    assert points[2].runs["rows"].made_of["configuration"]["arm"] == "unset"


def test_a_step_is_not_made_where_its_archive_is_not(plan: Any) -> None:
    model = {"command": "train", "config": "read.jsonnet", "only": {"SEED": [2]}}
    points = plan(steps={"model": model})
    assert [sorted(planned.runs) for planned in points] == [
        [],
        ["a_test", "model"],
        ["rows"],
        ["a_test", "model", "rows"],
    ]


def test_points_where_an_axis_makes_no_difference_share_all(plan: Any) -> None:
    points = plan(once={"SEED": {"ARM": ["none"]}}, axes={"ARM": ["none", "bm25"], "SEED": [3, 2]})
    runs = {tuple(planned.point.values()): planned.runs for planned in points}
    assert runs["none", 2] == runs["none", 3] and runs["none", 2]["model"].directory == Path(
        "/out/model/ARM=none,SEED=3"
    )
    assert runs["bm25", 2].keys() == runs["bm25", 3].keys() and runs["bm25", 2]["model"] != runs["bm25", 3]["model"]


TRAIN = {"command": "train", "config": "read.jsonnet"}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"once": {"COLOUR": {"ARM": ["none"]}}}, "once: 'COLOUR' is no axis; there are ARM, SEED"),
        ({"once": {"SEED": {"COLOUR": ["none"]}}}, "once.SEED: 'COLOUR' is no axis"),
        ({"once": {"SEED": {"ARM": ["nnoe"]}}}, "once.SEED.ARM: 'nnoe' is no value of the axis.*none"),
        ({"once": {"SEED": {"ARM": []}}}, "once.SEED.ARM: values of another axis"),
        ({"once": {"SEED": {}}}, "once.SEED: values of another axis"),
        ({"once": {"SEED": {"SEED": [1]}}}, "once.SEED.SEED: values of another axis"),
        ({"once": {"SEED": ["none"]}}, "once.SEED: an object is needed"),
        ({"steps": {"two words": TRAIN}}, "steps.two words: letters, digits"),
        ({"steps": {"SEED": TRAIN}}, "steps.SEED: an axis has the same name"),
        ({"steps": {"x": {**TRAIN, "axes": ["COLOUR"]}}}, "steps.x.axes: 'COLOUR' is no axis; there are ARM, SEED"),
        ({"steps": {"x": {**TRAIN, "only": {"COLOUR": [1]}}}}, "steps.x.only: 'COLOUR' is no axis"),
        ({"steps": {"x": {**TRAIN, "environment": {"A": "{y}"}}}}, "steps.x: {y} is neither an axis nor a step"),
        ({"steps": {"x": {**TRAIN, "axes": ["ARM"], "environment": {"A": "{SEED}"}}}}, "{SEED} depends on SEED; add"),
        ({"steps": {"x": {**TRAIN, "axes": ["ARM"], "environment": {"A": "{rows}"}}}}, "{rows} depends on SEED; add"),
        ({"steps": {"rows": {**TRAIN, "environment": {"A": "{model}"}}}}, "needs model"),
        (
            {
                "steps": {
                    "rows": {**TRAIN, "axes": ["SEED"], "only": {"ARM": ["bm25"]}},
                    "model": {**TRAIN, "axes": ["SEED"], "environment": {"A": "{rows}"}},
                    "a_test": TRAIN,
                }
            },
            "points that share SEED=1 refer to different things",
        ),
        ({"repeat": ["LR"]}, "repeat: 'LR' is no axis"),
        ({"repeat": ["SEED"], "choose": ["SEED"], "development": "model.x"}, "choose: SEED is in repeat, too"),
        ({"choose": ["SEED"]}, "choose: needs development"),
        ({"repeat": ["SEED"], "choose_within": "SEED"}, "choose_within: 'SEED': nothing is chosen"),
        (
            {"choose": ["SEED"], "development": "model.x", "choose_within": "LR"},
            "choose_within: 'LR': an axis of repeat is needed; there are none",
        ),
        ({"metrics": ["model"]}, "'model', in development or metrics, is not STEP.METRIC of a step"),
        ({"development": "nothing.accuracy"}, "'nothing.accuracy', in development or metrics"),
        ({"steps": {"model": {**TRAIN, "config": "nowhere.jsonnet"}}}, "model/ARM=none,SEED=1: .*nowhere.jsonnet"),
        ({"steps": {"model": {**TRAIN, "overrides": {"lr.x": 1}}}}, 'model/ARM=none,SEED=1: -o: "lr" is 1, which has'),
    ],
)
def test_sweeps_that_cannot_be(changes: Any, message: str, plan: Any) -> None:
    with pytest.raises(ConfigurationError, match=message.replace("{", r"\{")):
        plan(**changes)


def test_no_steps() -> None:
    with pytest.raises(ConfigurationError, match="steps: at least one is needed"):
        Sweep.from_params(Params({"axes": {}, "steps": {}}))
