from pathlib import Path
from typing import Callable

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.dataset_readers import P3JsonlReader
from attribution.data.prompt_tokenizer import PromptTokenizer
from tests.conftest import SPECIAL, WORDS, build_model

IDS = {token: number for number, token in enumerate(SPECIAL + WORDS)}


def test_a_decoder_only_option_continues_the_prompt(tiny_model: Callable[[str], str]) -> None:
    instance = P3JsonlReader(tiny_model("llama"), max_query_length=3).text_to_instance("a good movie", ["yes", "no"])
    # The beginning is cut, its own special token kept; the option ends the sequence.
    assert instance["prompt_and_input"].human_readable_repr() == [IDS["<s>"], IDS["good"], IDS["movie"]]
    assert instance["answer_options"].human_readable_repr() == [[IDS["yes"], IDS["</s>"]], [IDS["no"], IDS["</s>"]]]
    assert "correct_answer_index" not in instance.fields
    bare = P3JsonlReader(tiny_model("llama"), end_of_sequence=False).text_to_instance("a", ["yes"])
    assert bare["answer_options"].human_readable_repr() == [[IDS["yes"]]]


def test_an_encoder_decoder_has_special_tokens_on_both_sides(tiny_model: Callable[[str], str]) -> None:
    tokenizer = PromptTokenizer(tiny_model("bart"))
    assert tokenizer.prompts(["a cat"], 9) == tokenizer.options(["a cat"], 9) == [[1, IDS["a"], IDS["cat"], 2]]
    assert tokenizer.decode([1, IDS["a"], IDS["cat"], 2]) == "a cat"


def test_no_model_and_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="/nowhere: no model configuration there"):
        PromptTokenizer("/nowhere")
    folder = build_model("llama", tmp_path)
    for path in folder.glob("*token*"):
        path.unlink()
    with pytest.raises(ConfigurationError, match="there is no tokenizer in it"):
        PromptTokenizer(str(folder))
