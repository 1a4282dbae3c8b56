from allennlp.data import Instance

from attribution.data.fields import AnswerOptionsField, NumberField, TokenIdsField, WordLabelsField


def test_every_field_prints_as_what_it_holds() -> None:
    fields = {
        "prompt": TokenIdsField([3, 1], 0),
        "options": AnswerOptionsField([[4, 1], [5]], 0),
        "answer": NumberField(1),
        "labels": WordLabelsField(["a", None], "labels"),
    }
    printed = str(Instance(fields))  # type: ignore[arg-type]
    for text in ("prompt: [3, 1]", "options: [[4, 1], [5]]", "answer: 1", "labels: ['a', None]"):
        assert text in printed
    assert " at 0x" not in printed
