import json
from pathlib import Path
from typing import Any, Callable, List

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.data.dataset_readers.dataset_reader import WorkerInfo

from attribution.data.dataset_readers import TriplesReader
from attribution.retrievers.queries import Queries
from tests.conftest import SPECIAL, WORDS

FIXTURES = Path(__file__).parents[2] / "fixtures" / "recross_triples"
IDS = {token: number for number, token in enumerate(SPECIAL + WORDS)}


def _ids(text: str) -> List[int]:
    return [IDS.get(word, IDS["<unk>"]) for word in text.split()]


def test_a_whole_instance(tiny_model: Callable[[str], str]) -> None:
    reader = DatasetReader.from_params(Params({"type": "recross_triples", "model_name": tiny_model("t5")}))
    *_, instance = reader.read(str(FIXTURES / "test-1000.json"))
    assert list(instance.fields) == ["prompt_and_input", "answer_options", "row", "correct_answer_index", "details"]
    text = "The review was not good . The review was </s>"
    assert instance["prompt_and_input"].human_readable_repr() == _ids(text)
    assert instance["answer_options"].human_readable_repr() == [_ids("bad </s>")]
    assert instance["row"].metadata == 4
    assert instance["correct_answer_index"].number == 0
    assert instance["details"].metadata == {
        "references": ["bad"],
        "id": "super_glue-cb|validation|MNLI crowdsource|#2",
        "task": "super_glue-cb",
        "split": "validation",
        "template": "MNLI crowdsource",
    }


def test_the_first_reference_is_the_target_and_all_are_kept() -> None:
    example = list(TriplesReader("unused").examples(str(FIXTURES / "test-1000.json")))[2]
    assert (example.options, example.answer) == (["No"], 0)
    assert example.details is not None and example.details["references"] == ["No", "no", "It does not"]


def test_lines_without_an_id() -> None:
    *_, last = TriplesReader("unused").examples(str(FIXTURES / "imdb_upstream_train.json"))
    assert last.details == {"references": ["four"]}


def test_rounds_have_other_queries_and_the_same_test_rows() -> None:
    first, second = (
        [example.input for example in TriplesReader("unused", 4, number).examples(str(FIXTURES / "fewshot.json"))]
        for number in range(2)
    )
    assert first != second and len(first) == len(second) == 4


def test_queries_for_retrieval(caplog: pytest.LogCaptureFixture) -> None:
    test = str(FIXTURES / "test-1000.json")
    reader = TriplesReader("unused", shots=6, round=1, test_path=test)
    queries = Queries(str(FIXTURES / "fewshot.json"), reader)
    assert len(queries.texts) == 6 and queries.texts[0] == "This is query 5 ?"
    assert reader.counts == {f"rows with the input of a row of {test}": 1}
    assert f"1 rows with the input of a row of {test}" in caplog.text


def test_workers_share_the_rows() -> None:
    found = []
    for worker in range(2):
        reader = TriplesReader("unused", test_path=str(FIXTURES / "test-1000.json"))
        reader._set_worker_info(WorkerInfo(2, worker))
        found.append([example.row for example in reader.examples(str(FIXTURES / "test-1000.json"))])
        assert sum(reader.counts.values()) == (2 if worker else 3)
    assert found == [[0, 2, 4], [1, 3]]


def test_empty_references_are_left_out_and_rows_without_others_counted(tmp_path: Path) -> None:
    rows = [["a", ["", "yes"], "cb|test|one|#0"], ["b", [" "], "cb|test|one|#1"], ["c", ["no"], "cb|test|one|#2"]]
    path = tmp_path / "test-1000.json"
    path.write_text(json.dumps(rows))
    reader = TriplesReader("unused")
    examples = list(reader.examples(str(path)))
    assert [(example.options, example.row) for example in examples] == [(["yes"], 0), (["no"], 2)]
    assert examples[0].details is not None and examples[0].details["references"] == ["yes"]
    assert reader.counts["rows skipped: no reference but empty ones"] == 1
    # As queries they need none.
    assert [example.input for example in reader.examples(str(path), labelled=False)] == ["a", "b", "c"]
    path.write_text(json.dumps([["a", [], "cb|test|one|#0"]]))
    with pytest.raises(ConfigurationError, match="row 1: the references are not a list of texts, at least one"):
        list(reader.examples(str(path)))


@pytest.mark.parametrize("settings, message", [({"shots": 0}, "shots is 0"), ({"max_query_length": 0}, "is 0")])
def test_wrong_settings(settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TriplesReader("unused", **settings)
