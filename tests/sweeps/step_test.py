from typing import Any, Dict

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.sweeps.step import Step, fill, references

TRAIN = {"command": "train", "config": "train.jsonnet"}
EVALUATE = {"command": "evaluate", "archive": "{model}/model.tar.gz", "input": "{TASK}/test.jsonl"}


def _step(settings: Dict[str, Any]) -> Step:
    return Step.from_params(Params(settings))


def test_names_in_braces() -> None:
    setting = {"a": "{rows}/x-{SEED}", "b": ["{TASK}", 3], "c": "{{model}} {not one}"}
    assert references(setting) == {"rows", "SEED", "TASK"}
    assert fill(setting, {"rows": "/r", "SEED": 1e-5, "TASK": True}) == {
        "a": "/r/x-0.00001",
        "b": [True, 3],
        "c": "{{model}} {not one}",
    }
    assert fill(setting, {"TASK": 2}) == {"b": [2, 3], "c": "{{model}} {not one}"}
    assert _step({**EVALUATE, "overrides": {"x": {"y": "{LR}"}}}).references() == {"model", "TASK", "LR"}


def test_where_a_step_is_made() -> None:
    step = _step({**TRAIN, "only": {"ARM": ["bm25"], "SEED": [1, 2]}})
    assert step.applies({"ARM": "bm25", "SEED": 2})
    assert not step.applies({"ARM": "none", "SEED": 2}) and not step.applies({"ARM": "bm25", "SEED": 3})
    assert _step(TRAIN).applies({"ARM": "none"})


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"command": "predict", "config": "x"}, "'predict' is not there; there are: build-gym, build-pool, "),
        ({"command": "train"}, "config: train needs one"),
        ({**EVALUATE, "config": "x"}, "config: evaluate takes none"),
        ({"command": "evaluate", "archive": "x"}, "input: evaluate needs one"),
        ({**TRAIN, "archive": "x"}, "archive: train takes none"),
        ({**TRAIN, "only": {"ARM": "bm25"}}, "only.ARM: a list of values is needed"),
        ({**TRAIN, "environment": ["SEED"]}, 'environment" is .*; an object is needed'),
        ({**TRAIN, "predictions": True}, "predictions: train does not use it"),
        ({**EVALUATE, "environment": {"A": "b"}}, "environment: evaluate does not use it"),
    ],
)
def test_steps_that_cannot_be(settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        _step(settings)
