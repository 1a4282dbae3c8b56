from typing import Callable

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.dataset_readers import P3JsonlReader
from attribution.similarity import labelled_batches, target_task
from tests.similarity.conftest import EXAMPLES, instances


def test_each_prompt_with_its_right_answer(tiny_model: Callable[[str], str]) -> None:
    base = tiny_model("t5")
    batches = labelled_batches(instances(base), 3, "the target")
    tokenizer = P3JsonlReader(base).tokenizer
    found = []
    for batch in batches:
        for number in range(len(batch.prompts["mask"])):
            alone = batch.example(number)
            assert alone.prompts["mask"].all() and alone.answers["mask"].all()
            found.append((alone.prompts["token_ids"][0].tolist(), alone.labels.tolist()))
    wanted = [
        (list(tokenizer.prompts([prompt], 512)[0]), list(tokenizer.options([options[right]], 64)[0]))
        for prompt, options, right in EXAMPLES
    ]
    assert [len(batch.prompts["mask"]) for batch in batches] == [3, 1]
    assert [len(prompt) for prompt, _ in found] == sorted((len(prompt) for prompt, _ in wanted), reverse=True)
    assert sorted(found) == sorted(wanted)


def test_examples_that_would_be_mostly_padding(
    tiny_model: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompts have 8, 7, 4 and 3 tokens."""
    all_of_them = instances(tiny_model("t5"))
    for allowed, sizes in ((10, [4]), (9, [3, 1]), (1, [2, 2]), (0, [1, 1, 1, 1])):
        monkeypatch.setattr(target_task, "_PADDING", allowed)
        batches = labelled_batches(all_of_them, 8, "the target")
        assert [len(batch.prompts["mask"]) for batch in batches] == sizes, allowed


def test_no_examples_and_no_answers(tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="^the target: has no examples"):
        labelled_batches([], 3, "the target")
    unlabelled = P3JsonlReader(tiny_model("t5")).text_to_instance("it was", ["yes", "no"], row=7)
    with pytest.raises(ConfigurationError, match="^the target: 1 rows have no answer, the first is number 7"):
        labelled_batches([*instances(tiny_model("t5")), unlabelled], 3, "the target")
