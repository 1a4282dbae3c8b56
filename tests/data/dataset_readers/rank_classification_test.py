import json
import logging
import os
from collections import Counter
from pathlib import Path
from typing import Any, Callable, List

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader

from attribution.data.dataset_readers import PromptedExample, RankClassificationReader

FIXTURES = Path(__file__).parent.parent.parent / "fixtures" / "tasks"
DESCRIPTORS = str(FIXTURES / "eurovoc_descriptors.json")


@pytest.fixture(autouse=True)
def local_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTRIBUTION_DATASETS", str(FIXTURES))


def _reader(name: str, **settings: Any) -> RankClassificationReader:
    defaults = {"type": f"{name}_reader", "split_name": "validation", "use_val_split": False}
    if name in ("casehold", "ledgar", "unfair_tos", "eurlex"):
        defaults["split_name"] = "test"
    if name == "eurlex":
        defaults["descriptors"] = DESCRIPTORS
    reader = DatasetReader.from_params(Params({**defaults, **settings}))
    assert isinstance(reader, RankClassificationReader)
    return reader


def _examples(name: str, path: str = "dummy", **settings: Any) -> List[PromptedExample]:
    return list(_reader(name, **settings).examples(path))


# What the published readers make of the fixtures' first rows.
PUBLISHED = {
    "rte": (
        "The harbour of Brightsea was closed after the storm.\n Question: Does this imply that "
        '"A storm closed a harbour."? Yes or no?',
        ["yes", "no"],
        0,
    ),
    "cb": (
        "A: Do you think the shop will open? B: I doubt it will.\nQuestion: the shop will open True, "
        "False, or Neither?",
        ["true", "false", "neither"],
        1,
    ),
    **{
        f"anli_r{number}": (
            "The Tarn Bridge, built in 1911, carries two lanes.\nQuestion: The Tarn Bridge is over a century old. "
            "True, False, or Neither?",
            ["true", "neither", "false"],
            0,
        )
        for number in (1, 2, 3)
    },
    "wic": (
        "We sat on the bank of the river.\nThe bank raised its fees.\nQuestion: Is the word 'bank' used "
        "in the same sense "
        "in the two sentences above? Yes, No?",
        ["no", "yes"],
        0,
    ),
    "boolq": (
        "The Tarn Bridge, built in 1911, carries two lanes.\nQuestion: is the tarn bridge over a century "
        "old? Yes or no?",
        ["no", "yes"],
        1,
    ),
    "sst2": (
        "a warm , funny film\nQuestion: Is this sentence positive or negative?",
        ["negative", "positive"],
        1,
    ),
    "wsc": (
        "Passage: The jug would not fit into the cupboard because it was too tall. \nQuestion: In the passage above, "
        'does the pronoun "it" refer to The jug?\nAnswer:',
        ["False", "True"],
        1,
    ),
    "copa": (
        "The glass fell off the table.  As a consequence... \nHelp me pick the more plausible option:\n- It broke.\n"
        "- It was full.",
        ["It broke.", "It was full."],
        0,
    ),
    "winogrande": (
        "The trophy did not fit in the case because the _ was too big.\nWhat does the _ in the above "
        "sentence refer to? "
        "trophy or case?",
        ["1", "2"],
        0,
    ),
    "story_cloze": (
        "Ben planted a seed. He watered it daily. Weeks went by. A shoot appeared. What is a possible continuation for "
        "the story given the following options ?\n- Ben was delighted.\n- Ben sold his car.",
        ["Ben was delighted.", "Ben sold his car."],
        0,
    ),
    "hellaswag": (
        "Complete the description with an appropriate ending:\nFirst, A woman cracks two eggs. Then, she ...\n"
        "(a) beats them in a bowl.\n(b) reads a map.\n(c) paints the wall.\n(d) sells the bowl.",
        ["beats them in a bowl.", "reads a map.", "paints the wall.", "sells the bowl."],
        0,
    ),
    "casehold": (
        "What is the correct holding statement for the following text?\nText: See Smith v. Jones, 0 "
        "F.2d 1 (<HOLDING>) \n"
        "(A): holding that estoppel applies\n(B): holding that waiver applies\n(C): holding that laches applies\n"
        "(D): holding that comity applies\n(E): holding that standing applies",
        [f"holding that {word} applies" for word in ("estoppel", "waiver", "laches", "comity", "standing")],
        0,
    ),
    "sciq": (
        "Answer the following question given this paragraph:\nPlants take in carbon dioxide.\nQ: What "
        "gas do plants take "
        "in?\nChoices:\n-helium\n-argon\n-carbon dioxide\n-neon",
        ["helium", "argon", "carbon dioxide", "neon"],
        2,
    ),
    "unfair_tos": (
        "Is there an instance of Limitation of liability in the following text?. Answer yes or no.\n"
        "Text: We may end your account at any time.",
        ["yes", "no"],
        1,
    ),
    "eurlex": (
        "Does the following text involve dairy? Answer yes or no.\nText: Regulation on milk quotas.",
        ["yes", "no"],
        0,
    ),
}
FIXED = {
    "copa": PUBLISHED["copa"],  # Its first row does ask for the effect.
    "winogrande": (PUBLISHED["winogrande"][0], ["trophy", "case"], 0),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_prompts(name: str) -> None:
    example = _examples(name, prompts="faithful")[0]
    assert (example.input, example.options, example.answer) == PUBLISHED[name]


@pytest.mark.parametrize("name", sorted(set(PUBLISHED) - {"sciq", "eurlex"}))
def test_fixed_prompts(name: str) -> None:
    example = _examples(name)[0]
    assert (example.input, example.options, example.answer) == FIXED.get(name, PUBLISHED[name])


@pytest.mark.parametrize("name, answers", [
    ("rte", [0, 1, 0, 1, 0]),
    ("cb", [1, 0, 2, 2, 0]),
    ("anli_r3", [0, 1, 2, 0, 1]),
    ("wic", [0, 1, 0, 1, 0]),
    ("wsc", [1, 0, 1, 0, 1]),
    ("boolq", [1, 0]),
    ("sst2", [1, 0]),
    ("copa", [0, 1, 0, 1, 0]),
    ("winogrande", [0, 1, 0, 1, 0]),
    ("story_cloze", [0, 1, 0, 1, 0]),
    ("hellaswag", [0, 1, 2, 3, 0]),
    ("casehold", [0, 1, 2, 3, 4]),
    ("ledgar", [47, 63, 65, 48, 11]),
])  # fmt: skip
def test_answers(name: str, answers: List[int]) -> None:
    assert [example.answer for example in _examples(name)] == answers


def test_copa_asks_for_the_cause_where_the_row_does() -> None:
    fixed, published = _examples("copa")[1], _examples("copa", prompts="faithful")[1]
    assert fixed.input == (
        "The street was wet.  This happened because... \nHelp me pick the more plausible option:\n"
        "- The children went out.\n- It had rained."
    )
    assert "As a consequence" in published.input


@pytest.mark.parametrize("name, shots, answers", [("boolq", 32, {0, 1}), ("sst2", 16, {0, 1})])
def test_few_shot_files_of_rows_that_are_not_prompted(name: str, shots: int, answers: "set[int]") -> None:
    if "ATTRIBUTION_SHARED_DATA" not in os.environ:
        pytest.skip("ATTRIBUTION_SHARED_DATA has the published few-shot files")
    folder = Path(os.environ["ATTRIBUTION_SHARED_DATA"]) / "few_shot" / name / f"{shots}_shot"
    for path in sorted(folder.glob("*_seed.jsonl")):
        examples = list(_reader(name, split_name="train").examples(str(path)))
        assert len(examples) == len(path.read_text().splitlines()) and {one.answer for one in examples} == answers


def test_ledgar_ranks_a_hundred_topics(tiny_model: Callable[[str], str]) -> None:
    instance = next(iter(_reader("ledgar", model_name=tiny_model("t5")).read("dummy")))
    assert len(instance["answer_options"].lengths) == 100  # type: ignore[attr-defined]
    assert instance["correct_answer_index"].number == 47  # type: ignore[attr-defined]
    example = _examples("ledgar")[0]
    assert len(set(example.options)) == 100 and example.options[47] == "Governing Laws"
    assert example.input == (
        "What is the main topic of the following contract provision?\n"
        "Contract: This Agreement is governed by the law of Utah."
    )


def test_sciq_choices_are_drawn_for_each_row(write_jsonl: Callable[..., str]) -> None:
    row = {"question": "q", "distractor1": "a", "distractor2": "b", "distractor3": "c", "support": "s"}
    path = write_jsonl("validation.jsonl", [{**row, "correct_answer": "d"}] * 400)
    examples = _examples("sciq", path)
    assert all(example.options[example.answer or 0] == "d" for example in examples)
    assert all(80 < count < 120 for count in Counter(example.answer for example in examples).values())
    assert examples == _examples("sciq", path) != _examples("sciq", path, seed=1)
    assert {example.answer for example in _examples("sciq", path, prompts="faithful")} == {2}
    # A distractor that is the answer's text does not make the published mistake.
    same = write_jsonl("same.jsonl", [{**row, "distractor3": "d", "correct_answer": "d"}])
    assert _examples("sciq", same, prompts="faithful")[0].answer == 2


def test_unfair_tos_asks_for_each_clause() -> None:
    examples = _examples("unfair_tos")
    assert len(examples) == 5 * 8
    assert [example.answer for example in examples[8:16]] == [0, 1, 0, 1, 1, 1, 1, 1]
    assert examples[9].row == 1 and examples[9].details == {"id": "1", "label": "Unilateral termination"}


def test_eurlex_asks_for_others_too() -> None:
    examples = _examples("eurlex")
    by_row = [[example for example in examples if example.row == row] for row in range(5)]
    assert [len(row) for row in by_row] == [
        2 + 5,
        1 + 5,
        3 + 4,
        5,
        1 + 5,
    ]  # Of seven concepts, four are others to three.
    assert [sum(example.answer == 0 for example in row) for row in by_row] == [2, 1, 3, 0, 1]
    for row in by_row:
        names = [(example.details or {})["label"] for example in row]
        assert len(set(names)) == len(names)
    assert examples == _examples("eurlex") != _examples("eurlex", seed=1)
    # As published, every answer in evaluation is yes.
    assert {example.answer for example in _examples("eurlex", prompts="faithful")} == {0}


def test_class_names_of_a_data_set_stand_for_its_numbers(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "labels": datasets.List(datasets.ClassLabel(names=["6", "2", "4", "7"]))}
    )
    table = datasets.Dataset.from_dict({"text": ["Law"], "labels": [[0, 2]]}, features=features)
    table.to_parquet(tmp_path / "test.parquet")
    asked = {(example.details or {})["label"]: example.answer for example in _examples("eurlex", str(tmp_path))}
    assert asked == {"trade": 0, "fisheries": 0, "railways": 1, "energy": 1}


@pytest.mark.parametrize("name", sorted(set(PUBLISHED) - {"sst2"}))  # Its options are not in the small vocabulary.
def test_a_whole_instance(name: str, tiny_model: Callable[[str], str]) -> None:
    reader = _reader(name, model_name=tiny_model("t5"), prompts="faithful", return_original_instance=True)
    instance = list(reader.read("dummy"))[0]
    text, options, answer = PUBLISHED[name]
    assert instance["metadata"].metadata == {"input": text, "options": options}  # type: ignore[attr-defined]
    assert instance["correct_answer_index"].number == answer  # type: ignore[attr-defined]
    assert len(instance["answer_options"].lengths) == len(options)  # type: ignore[attr-defined]
    assert instance["row"].metadata == 0  # type: ignore[attr-defined]
    prompt = instance["prompt_and_input"].ids  # type: ignore[attr-defined]
    assert prompt[-1] == reader.tokenizer._tokenizer.eos_token_id


def test_a_long_prompt_keeps_the_end_of_sequence(tiny_model: Callable[[str], str]) -> None:
    reader = _reader("rte", model_name=tiny_model("t5"), max_query_length=5)
    for instance in reader.read("dummy"):
        ids = instance["prompt_and_input"].ids  # type: ignore[attr-defined]
        assert len(ids) == 5 and ids[-1] == reader.tokenizer._tokenizer.eos_token_id


def test_the_choice_of_prompts_is_logged(tiny_model: Callable[[str], str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        list(_reader("copa", model_name=tiny_model("t5"), prompts="faithful").read("dummy"))
    assert "copa: faithful prompts" in caplog.text


def test_max_instances(tiny_model: Callable[[str], str]) -> None:
    assert len(list(_reader("unfair_tos", model_name=tiny_model("t5"), max_instances=3).read("dummy"))) == 3


def test_splits_as_deft_divides_them(write_jsonl: Callable[..., str], tmp_path: Path) -> None:
    rows = [{"premise": f"p{n}", "hypothesis": "h", "label": n % 2} for n in range(20)]
    write_jsonl("train.jsonl", rows)
    write_jsonl("validation.jsonl", rows[:8])
    drawn = {
        split: [
            example.row for example in _examples("rte", str(tmp_path), split_name=split, use_val_split=True, val_size=6)
        ]
        for split in ("train", "validation", "test")
    }
    assert sorted(drawn["validation"] + drawn["test"]) == list(range(8)) and len(drawn["validation"]) == 6
    assert sorted(drawn["train"]) == list(range(20)) != drawn["train"]


def test_queries_need_no_labels(write_jsonl: Callable[..., str]) -> None:
    path = write_jsonl("rows.jsonl", [{"text": "a"}])
    for name, count in (("unfair_tos", 8), ("eurlex", 5)):
        examples = list(_reader(name).examples(path, labelled=False))
        assert len(examples) == count and all(example.answer is None for example in examples)


def test_the_choice_of_prompts_is_part_of_a_retrieval() -> None:
    assert _reader("copa").choices() == {"prompts": "fixed"}
    assert _reader("copa", prompts="faithful").choices() == {"prompts": "faithful"}


@pytest.mark.parametrize("settings, message", [
    ({"seed": -1}, "seed is -1; at least 0"),
    ({"prompts": "broken"}, "prompts is 'broken'; fixed and faithful are possible"),
    ({"split_name": "dev"}, r"split_name is 'dev'; the splits of aps/super_glue are \['test'"),
    ({"split_name": "train"}, "no file of the split 'train'"),
    ({"split_mapping": {"validation": "extra"}}, "no file of the split 'extra'"),
])  # fmt: skip
def test_mistakes(settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        _examples("rte", **settings)


@pytest.mark.parametrize("name, row, message", [
    ("rte", {"premise": "a", "hypothesis": "b", "label": -1}, "rows.jsonl:1: the label -1 is not in `label_map`"),
    ("rte", {"premise": "a", "label": 0}, "rows.jsonl:1: no field 'hypothesis', which `template` uses"),
    ("winogrande", {"sentence": "_", "option1": "a", "option2": "b", "answer": "3"}, "the label '3' is not in"),
    ("sciq", {"question": "q"}, "no field 'correct_answer'"),
    ("unfair_tos", {"text": "a"}, "no list under `labels`"),
    ("unfair_tos", {"text": "a", "labels": [9]}, "an unknown label, 9"),
    ("unfair_tos", {"text": "a", "labels": [-1]}, "an unknown label, -1"),
    ("rte", {"premise": None, "hypothesis": "b", "label": 0}, "no field 'premise', which `template` uses"),
    ("eurlex", {"text": "a", "labels": ["99"]}, "a label that `descriptors` does not have, '99'"),
])  # fmt: skip
def test_rows_that_do_not_fit(name: str, row: Any, message: str, write_jsonl: Callable[..., str]) -> None:
    with pytest.raises(ConfigurationError, match=message):
        _examples(name, write_jsonl("rows.jsonl", [row]))


def test_a_hidden_label_is_no_answer_but_as_published(write_jsonl: Callable[..., str]) -> None:
    path = write_jsonl("rows.jsonl", [{"premise": "a", "hypothesis": "b", "label": -1}])
    assert _examples("rte", path, prompts="faithful")[0].answer == 1


def test_descriptors(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="eurlex_reader: descriptors: nowhere.json is no file of"):
        _examples("eurlex", descriptors="nowhere.json")
    (tmp_path / "bad.json").write_text(json.dumps({"1": "dairy"}))
    with pytest.raises(ConfigurationError, match="bad.json is no file of"):
        _examples("eurlex", descriptors=str(tmp_path / "bad.json"))
