from typing import Any

import pytest
from allennlp.common.checks import ConfigurationError
from transformers import AutoTokenizer

from attribution.data.pair_tokenizer import PairTokenizer

FIRSTS, SECONDS = ["the cat sat on the mat", "Good"], ["a dog", "one two three four five six"]


def test_is_the_models_own_encoding_of_a_pair(tiny_classifier: Any) -> None:
    own = AutoTokenizer.from_pretrained(tiny_classifier())(FIRSTS, SECONDS)
    encoded = PairTokenizer(tiny_classifier(), 20, lower_case=False)(FIRSTS, SECONDS)
    assert (encoded.ids, encoded.segments, encoded.cut) == (own["input_ids"], own["token_type_ids"], 0)
    lowered = PairTokenizer(tiny_classifier(), 20, lower_case=True)(FIRSTS, SECONDS)
    assert lowered.ids[0] == encoded.ids[0] and lowered.ids[1] != encoded.ids[1]


def test_the_longer_text_is_cut(tiny_classifier: Any) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_classifier())
    encoded = PairTokenizer(tiny_classifier(), 8, lower_case=True)(FIRSTS, SECONDS)
    assert [tokenizer.decode(ids) for ids in encoded.ids] == [
        "<s> the cat sat </s> a dog </s>",
        "<s> good </s> one two three four </s>",
    ]
    assert encoded.segments == [[0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1, 1]] and encoded.cut == 2


def test_a_model_that_knows_no_segments(tiny_model: Any) -> None:
    encoded = PairTokenizer(tiny_model("bart"), 20, lower_case=False)(FIRSTS, SECONDS)
    assert encoded.segments is None and [len(ids) for ids in encoded.ids] == [8, 7]


def test_mistakes(tiny_classifier: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_length is 4; a pair has 5 tokens at least"):
        PairTokenizer(tiny_classifier(), 4, False)
    with pytest.raises(ConfigurationError, match="/nowhere: no such folder"):
        PairTokenizer("/nowhere", 4, False)
