from pathlib import Path
from typing import Any, List

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerFast

from attribution.encoders import WordEncoder
from tests.conftest import build_model

# With the tests' tokenizer "film." is two pieces, "was:it:" four.
SENTENCES = [["the", "film.", "was:it:", "good"], ["bad"], [], ["a", "cat", "sat", "on", "the", "mat", "and", "dog."]]
PIECES = [[1, 2, 4, 1], [1], [], [1, 1, 1, 1, 1, 1, 1, 2]]


@torch.no_grad()
def _states(folder: str, sentence: List[str]) -> np.ndarray:
    """Of the pieces, without special tokens, one sentence at a time. Shape: (pieces, dimension)"""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    ids = tokenizer(" ".join(sentence)).input_ids
    states = (model.get_encoder() if model.config.is_encoder_decoder else model)(torch.tensor([ids])).last_hidden_state
    return states[0][[place for place, token in enumerate(ids) if token > 3]].numpy()


@pytest.mark.parametrize("name", ["bert", "t5", "bart", "llama"])
@pytest.mark.parametrize("pooling", ["first", "last", "mean"])
@pytest.mark.parametrize("max_tokens", [7, 1000])
def test_pieces_are_pooled_as_one_sentence_at_a_time(name: str, pooling: str, max_tokens: int, tiny_model: Any) -> None:
    encoder = WordEncoder(tiny_model(name), pooling, max_tokens=max_tokens)
    for sentence, counts, vectors in zip(SENTENCES, PIECES, encoder.words(SENTENCES)):
        assert vectors.shape == (len(sentence), 16) and vectors.dtype == torch.float32
        if not sentence:
            continue
        pieces = np.split(_states(tiny_model(name), sentence), np.cumsum(counts)[:-1])
        take = {"first": lambda word: word[0], "last": lambda word: word[-1], "mean": lambda word: word.mean(0)}[
            pooling
        ]
        np.testing.assert_allclose(vectors, np.stack([take(word) for word in pieces]), atol=1e-5)


def test_a_sentence_that_is_too_long_is_read_in_parts(tiny_model: Any) -> None:
    """Of the published features such words were missing, and those of two checkpoints had unequal lengths."""
    folder = tiny_model("bert")  # <s> and </s>: four pieces a part.
    vectors = WordEncoder(folder, "first", max_length=6).words([SENTENCES[0], SENTENCES[3]])
    assert [len(each) for each in vectors] == [4, 8]
    np.testing.assert_allclose(vectors[1][:4], _states(folder, ["a", "cat", "sat", "on"]), atol=1e-5)
    np.testing.assert_allclose(vectors[1][4:], _states(folder, ["the", "mat", "and", "dog"]), atol=1e-5)
    # The third word's pieces are in both parts.
    parts = [_states(folder, ["the", "film", ".", "was"]), _states(folder, [":", "it", ":", "good"])]
    last = WordEncoder(folder, "last", max_length=6).words([SENTENCES[0]])[0]
    mean = WordEncoder(folder, "mean", max_length=6).words([SENTENCES[0]])[0]
    np.testing.assert_allclose(vectors[0][2], parts[0][3], atol=1e-5)
    np.testing.assert_allclose(last[2], parts[1][2], atol=1e-5)
    np.testing.assert_allclose(mean[2], np.vstack([parts[0][3:], parts[1][:3]]).mean(0), atol=1e-5)


def test_a_word_without_pieces_is_zeros(tiny_model: Any) -> None:
    """The published features had the word before it there."""
    vectors = WordEncoder(tiny_model("bert")).words([["good", " ", "bad"]])[0]
    assert (vectors[1] == 0).all() and (vectors[[0, 2]] != 0).any(1).all()


def test_byte_level_words_follow_a_space(tmp_path: Path) -> None:
    folder = build_model("gpt2", tmp_path / "gpt2")
    vocabulary = {"<unk>": 0, "\u0120good": 1, "good": 2}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>").save_pretrained(folder)
    with torch.no_grad():
        wanted = AutoModel.from_pretrained(folder).eval()(torch.tensor([[1, 1]])).last_hidden_state[0]
    torch.testing.assert_close(WordEncoder(str(folder)).words([["good", "good"]])[0], wanted, atol=1e-5, rtol=0)


def test_no_sentences_and_other_settings(tiny_model: Any) -> None:
    assert WordEncoder(tiny_model("bert")).words([]) == []
    assert WordEncoder(tiny_model("bart"), part="encoder_decoder").words([["good"]])[0].shape == (1, 32)
    vectors = WordEncoder(tiny_model("bert"), normalize=True).words(SENTENCES)
    torch.testing.assert_close(vectors[0].norm(dim=1), torch.ones(4))
    encoder = WordEncoder(tiny_model("bert"))
    assert encoder.identity["type"] == "words" and encoder.identity["pooling"] == "last"


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"pooling": "max"}, "pooling 'max' is none of first, last, mean"),
        ({"max_length": 2}, "max_length is 2; no piece of a word fits"),
        ({"model_name": "/nowhere"}, "/nowhere"),
        ({"layer": 3}, "has 2 layers; layer is 3"),
    ],
)
def test_wrong_settings(settings: Any, message: str, tiny_model: Any) -> None:
    with pytest.raises(ConfigurationError, match=message):
        WordEncoder(**{"model_name": tiny_model("bert"), **settings}).words([["good"]])
