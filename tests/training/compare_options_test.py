import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from allennlp.commands.train import train_model
from allennlp.common import Params

from tests.robustness.tiny_commands import training

WARNING = "All training rows rank ['no', 'yes'], and no validation row does: these rank ['bad', 'good']"


def _rows(choices: List[List[str]]) -> List[Dict[str, Any]]:
    return [
        {"input": f"a film {number}", "target": some[0], "answer_choices": some} for number, some in enumerate(choices)
    ]


@pytest.mark.parametrize(
    "train, validation, told",
    [
        ([["yes", "no"]] * 4, [["good", "bad"]] * 2, True),
        ([["yes", "no"], ["no", "yes"]], [["good", "bad"], ["good", "cat"], ["bad", "good"]], True),
        ([["yes", "no"]] * 4, [["good", "bad"], ["no", "yes"]], False),
        ([["yes", "no"], ["good", "bad"]], [["cat", "dog"]] * 2, False),  # A mixture of tasks.
        ([["yes"]] * 4, [["good", "bad"]] * 2, False),  # Nothing is ranked in training,
        ([["yes", "no"]] * 4, [["good"]] * 2, False),  # or in validation.
    ],
)
def test_what_is_told(
    train: List[List[str]],
    validation: List[List[str]],
    told: bool,
    tiny_model: Callable[[str], str],
    write_jsonl: Callable[..., str],
    tmp_path: Path,
) -> None:
    settings = training(tiny_model("t5"))
    settings["train_data_path"] = write_jsonl("train.jsonl", _rows(train))
    settings["validation_data_path"] = write_jsonl("validation.jsonl", _rows(validation))
    settings["trainer"].update(callbacks=["compare_options"], num_epochs=1)
    train_model(Params(json.loads(json.dumps(settings))), str(tmp_path / "run"))
    assert (WARNING in (tmp_path / "run" / "out.log").read_text()) is told
