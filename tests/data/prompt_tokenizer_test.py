import json
from pathlib import Path
from typing import Callable

import pytest
from allennlp.common.checks import ConfigurationError
from transformers import T5TokenizerFast

from attribution.data.dataset_readers import P3JsonlReader
from attribution.data.prompt_tokenizer import PromptTokenizer
from tests.conftest import SPECIAL, WORDS, build_model
from tests.modules.delta.slow_t5 import needs_transformers_5

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


def test_recross_writes_the_first_token_twice(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    instance = P3JsonlReader(tiny_model("bart"), extra_bos=True).text_to_instance("a cat", ["yes", "no"])
    assert instance["prompt_and_input"].human_readable_repr() == [1, 1, IDS["a"], IDS["cat"], 2]
    assert instance["answer_options"].human_readable_repr() == [[1, 1, IDS["yes"], 2], [1, 1, IDS["no"], 2]]
    # It counts where texts are cut, and is no part of what is written.
    tokenizer = PromptTokenizer(tiny_model("bart"), extra_bos=True)
    assert tokenizer.prompts(["a cat"], 4) == [[1, 1, IDS["a"], 2]]
    assert tokenizer.decode([1, 1, IDS["a"], 2]) == "a"
    marian = PromptTokenizer(tiny_model("marian"), extra_bos=True)
    assert marian.options(["a"], 9) == [[1, IDS["a"], 2]]
    # T5 has no such token: as published, it read the characters `<s>`.
    folder = build_model("t5", tmp_path)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "bos_token": None}))
    for name in (str(folder), tiny_model("llama")):
        with pytest.raises(ConfigurationError, match="extra_bos: is for encoder-decoders with a beginning-of-sequence"):
            PromptTokenizer(name, extra_bos=True)


@needs_transformers_5
def test_the_sentinel_of_t5s_own_tokenizer(tmp_path: Path) -> None:
    folder = build_model("t5", tmp_path)
    assert PromptTokenizer(str(folder)).sentinel == ""
    pieces = ["<pad>", "</s>", "<unk>", "\u2581", "\u2581yes", "yes", "\u2581[", "b", "]"]
    T5TokenizerFast(vocab=[(piece, float(-number)) for number, piece in enumerate(pieces)]).save_pretrained(folder)
    tokenizer = PromptTokenizer(str(folder))
    assert tokenizer.sentinel == "<extra_id_0>"
    [answer] = tokenizer.options(["<extra_id_0>yes"], 9)
    assert answer == [len(pieces), 4, 1] and tokenizer.decode(answer) == "yes"
    # As published, inputs begin with a space: to T5 it makes no difference.
    assert tokenizer.prompts(["[b] yes"], 9) == tokenizer.prompts([" [b] yes"], 9)


def test_no_model_and_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="/nowhere: no such folder"):
        PromptTokenizer("/nowhere")
    folder = build_model("llama", tmp_path)
    for path in folder.glob("*token*"):
        path.unlink()
    with pytest.raises(ConfigurationError, match="there is no tokenizer in it"):
        PromptTokenizer(str(folder))


@pytest.mark.parametrize("name, what", [("tokenizer.json", "tokenizer in it"), ("config.json", "model configuration")])
def test_damaged_files_of_a_model(name: str, what: str, tmp_path: Path) -> None:
    folder = build_model("llama", tmp_path)
    content = json.loads((folder / name).read_text())
    content["model" if name == "tokenizer.json" else "num_hidden_layers"] = {"vocab": {"a": [None]}}
    (folder / name).write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match=f"model_name {folder}: .*{what}"):
        PromptTokenizer(str(folder))
