from pathlib import Path
from typing import Any, Callable, List

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from attribution.data.word_tokenizer import WordTokenizer

# "\u200b" is nothing to BERT's normalizer.
WORDS = ["the", "cats", "sat", "\u200b", "mats"]


def _save(tokenizer: Tokenizer, folder: Path) -> str:
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>").save_pretrained(folder)
    return str(folder)


def _framed(tokenizer: Tokenizer) -> Tokenizer:
    ids = [(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ids)
    return tokenizer


def word_piece(folder: Path) -> str:
    pieces = ["<pad>", "<s>", "</s>", "[UNK]", "the", "cat", "##s", "sat", "mat"]
    tokenizer = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _save(_framed(tokenizer), folder)


def byte_level(folder: Path) -> str:
    """As those of GPT-2 and RoBERTa: a word after a space is not the word at the beginning."""
    pieces = ["<pad>", "<s>", "</s>", *pre_tokenizers.ByteLevel.alphabet(), "Ġc", "Ġca", "Ġcat", "Ġt", "Ġth", "Ġthe"]
    merges = [("Ġ", "c"), ("Ġc", "a"), ("Ġca", "t"), ("Ġ", "t"), ("Ġt", "h"), ("Ġth", "e")]
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("</s>", "<s>")]
    tokenizer.post_processor = processors.RobertaProcessing(*ends, trim_offsets=True, add_prefix_space=False)
    return _save(tokenizer, folder)


def sentence_piece(folder: Path) -> str:
    """As those of T5 and XLNet: the space before a word may be a piece."""
    pieces = ["<pad>", "<s>", "</s>", "<unk>", "▁", "▁the", "▁cat", "s", "sat", "▁mat"]
    tokenizer = Tokenizer(models.Unigram([(piece, -len(piece) / 10 - 1) for piece in pieces], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace()
    return _save(_framed(tokenizer), folder)


def _of_words(folder: str, max_length: int, words: List[str] = WORDS) -> List[List[str]]:
    tokenizer = WordTokenizer(folder)
    ids, pieces = tokenizer.tokenize([words], max_length)[0]
    names = tokenizer._tokenizer.convert_ids_to_tokens(ids)
    assert len(ids) <= max_length
    return [[names[place] for place in own] for own in pieces]


def test_pieces_of_words(tmp_path: Path) -> None:
    """A word of no piece has none: the published program gives it those of the word before."""
    assert _of_words(word_piece(tmp_path), 99) == [["the"], ["cat", "##s"], ["sat"], [], ["mat", "##s"]]


def test_the_first_word_is_as_any_other(tmp_path: Path) -> None:
    folder = byte_level(tmp_path)
    first, second = _of_words(folder, 99, ["cat", "cats"])
    assert first == ["Ġcat"] and second == ["Ġcat", "s"]


def test_a_space_is_a_piece_of_the_word_after_it(tmp_path: Path) -> None:
    assert _of_words(sentence_piece(tmp_path), 99, ["the", "sat", "cats"]) == [["▁the"], ["▁", "sat"], ["▁cat", "s"]]


@pytest.mark.parametrize("make", [word_piece, byte_level, sentence_piece])
def test_the_end_is_cut_off(make: Callable[[Path], str], tmp_path: Path) -> None:
    """Of a word that is cut through nothing is left, and no special token counts as a piece."""
    folder, words = make(tmp_path), ["the", "cats", "cats"]
    whole = _of_words(folder, 99, words)
    assert [len(own) for own in whole] == [1, 2, 2]
    for length, kept in ((7, 3), (6, 2), (5, 2), (4, 1), (3, 1)):
        assert _of_words(folder, length, words) == whole[:kept] + [[]] * (3 - kept)


class Slow:
    """A tokenizer that is not of Rust, as XLM's is."""

    is_fast = False
    pad_token_id = 0

    def num_special_tokens_to_add(self) -> int:
        return 2

    def encode(self, word: str, add_special_tokens: bool) -> List[int]:
        return [10 + len(word)] * (len(word) - 1)

    def build_inputs_with_special_tokens(self, ids: List[int]) -> List[int]:
        return [1, *ids, 2]


def test_a_slow_tokenizer(monkeypatch: Any) -> None:
    monkeypatch.setattr("attribution.data.word_tokenizer.load_tokenizer", lambda name: Slow())
    tokenizer = WordTokenizer("slow")
    ids, pieces = tokenizer.tokenize([["a", "bcd", "ef", "gh"]], 5)[0]
    assert ids == [1, 13, 13, 12, 2] and pieces == [[], [1, 2], [3], []]
    ids, pieces = tokenizer.tokenize([["a", "bcd", "efg"]], 5)[0]
    assert ids == [1, 13, 13, 13, 2] and pieces == [[], [1, 2], []]
