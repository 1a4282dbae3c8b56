from typing import Any, Callable

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.dataset_readers import P3JsonlReader
from attribution.predictors import PromptedPredictor
from tests.models.conftest import make_model

ROW = {"input": "a good movie ?", "answer_choices": ["yes", "no"]}


@pytest.fixture
def predictor(tiny_model: Callable[[str], str]) -> Any:
    return PromptedPredictor(make_model(tiny_model("t5")), P3JsonlReader(tiny_model("t5")))


def test_with_and_without_a_label(predictor: Any) -> None:
    output = predictor.predict_json(ROW)
    assert output["answer"] == ROW["answer_choices"][output["response"]]
    assert output["scores"][output["response"]] == max(output["scores"])
    for target in ("no", -1, None):
        assert predictor.predict_json({**ROW, "target": target}) == output
    with pytest.raises(ConfigurationError, match="no option to rank"):
        predictor.predict_json({"input": "a good movie ?"})


def test_a_row_of_no_single_example(predictor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="the given row: no text under `input`"):
        predictor.predict_json({"text": "x"})
    monkeypatch.setattr(predictor._dataset_reader, "row_to_examples", lambda row, labelled: ())
    with pytest.raises(ConfigurationError, match="of this row the reader makes 0 examples, not one"):
        predictor.predict_json({"input": "x"})
