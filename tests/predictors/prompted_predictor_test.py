import json
from typing import Any, Callable, Dict, List

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.dataset_readers import P3JsonlReader
from attribution.predictors import PromptedPredictor
from tests.models.conftest import make_model

ROW = {"input": "a good movie ?", "answer_choices": ["yes", "no"]}
FREE = {"input": "a good movie ?", "target": "yes"}
GENERATION = {"max_new_tokens": 3}


@pytest.fixture
def predictor(tiny_model: Callable[[str], str]) -> Any:
    return PromptedPredictor(make_model(tiny_model("t5")), P3JsonlReader(tiny_model("t5")))


@pytest.fixture
def writer(tiny_model: Callable[[str], str]) -> Any:
    return PromptedPredictor(make_model(tiny_model("t5"), generation=GENERATION), P3JsonlReader(tiny_model("t5")))


def test_with_and_without_a_label(predictor: Any) -> None:
    output = predictor.predict_json(ROW)
    assert output["answer"] == ROW["answer_choices"][output["response"]]
    assert output["scores"][output["response"]] == max(output["scores"])
    for target in ("no", -1, None):
        assert predictor.predict_json({**ROW, "target": target}) == output


@pytest.mark.parametrize("row", [{"input": "a good movie ?"}, FREE, {**FREE, "answer_choices": ["yes"]}])
def test_a_row_without_a_choice(row: Dict[str, Any], predictor: Any, writer: Any) -> None:
    only = ", its only option is 'yes'" if "target" in row else ""
    with pytest.raises(ConfigurationError, match=f"nothing to choose from in this row{only}, and .*model\\.generation"):
        predictor.predict_json(row)
    output = writer.predict_json(row)
    ids = writer._model.transformer.generate(
        **writer._dataset_reader.tokenizer._tokenizer(row["input"], return_tensors="pt"), **GENERATION
    )
    assert output == {"answer": writer._model._texts(ids.tolist())[0]}


def test_rows_with_and_without_options_in_one_batch(writer: Any) -> None:
    rows: List[Dict[str, Any]] = [FREE, ROW, {**FREE, "input": "the cat"}, {**ROW, "input": "the cat"}]
    outputs = writer.predict_batch_json(rows)
    for output, row in zip(outputs, rows):
        alone = writer.predict_json(row)
        assert output.pop("scores", []) == pytest.approx(alone.pop("scores", []), abs=1e-5)
        assert output == alone and ("best_option" in output) is ("answer_choices" in row)


def test_nothing_is_not_a_word(writer: Any, write_jsonl: Any) -> None:
    instances = list(writer._dataset_reader.read(write_jsonl("rows.jsonl", [FREE, {**FREE, **ROW}])))
    alone, several = writer.predict_batch_instance(instances)
    assert writer.predict_instance(instances[0])["response"] is alone["response"] is alone["best_option"] is None
    assert alone["target"] == several["target"] == "yes" and several["best_option"] in ("yes", "no")


@pytest.mark.parametrize(
    "line, text",
    [
        ('{"input": 1.50, "answer_choices": [1, 2.0]}', "1.50"),
        ('{"instruction": "Say it.", "input": "a good movie ?", "output": "x"}', "Say it.\n\na good movie ?"),
    ],
)
def test_rows_are_as_readers_have_them(line: str, text: str, writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any layout, and with numbers as they are written."""
    given: List[Any] = []
    reader = writer._dataset_reader
    make = reader.text_to_instance
    monkeypatch.setattr(reader, "text_to_instance", lambda *texts: given.append(texts) or make(*texts))
    writer.predict_json(writer.load_line(line))
    assert given == [(text, ["1", "2.0"] if "answer_choices" in line else [])]


def test_lines_that_can_be_read(predictor: Any) -> None:
    line = predictor.dump_line({"answer": "nö 正"})
    assert json.loads(line) == {"answer": "nö 正"} and "nö 正" in line


def test_a_row_of_no_single_example(predictor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="the given row: no text under `input`"):
        predictor.predict_json({"text": "x"})
    monkeypatch.setattr(predictor._dataset_reader, "row_to_examples", lambda row, labelled: ())
    with pytest.raises(ConfigurationError, match="of this row the reader makes 0 examples, not one"):
        predictor.predict_json({"input": "x"})
