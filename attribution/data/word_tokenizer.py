"""Words to token ids, and which of these are whose."""

from typing import Any, List, NamedTuple, Sequence

import numpy as np

from attribution.data.prompt_tokenizer import load_tokenizer


class WordPieces(NamedTuple):
    """A sentence's token ids."""

    token_ids: List[int]
    """With special tokens."""
    pieces: List[List[int]]
    """Of each word the places of its pieces in `token_ids`; none if the word was cut or has no piece of its own."""


class WordTokenizer:
    """
    A Hugging Face tokenizer for sentences of words. Each word is tokenised as it is after a space, the first one too. A
    piece is the word's that its last character is in. Of a sentence that is too long the end is cut off, and of a word
    that is cut through nothing counts. What Huang et al. (NeurIPS 2021) do is the same but for words that end at the
    cut, or have no piece: they take a special token's vector, or the previous word's.

    # Parameters

    model_name : `str`
        A hub id or a local folder.

    # Raises

    `ConfigurationError` if there is no tokenizer under that name.
    """

    def __init__(self, model_name: str) -> None:
        self._tokenizer = load_tokenizer(model_name)
        self.pad_id: int = self._tokenizer.pad_token_id or 0
        self.special_tokens: int = self._tokenizer.num_special_tokens_to_add()
        self._rust: Any = self._tokenizer.backend_tokenizer if self._tokenizer.is_fast else None
        self._prefix = ""
        if self._rust is not None:
            self._rust.no_padding()
            self._rust.no_truncation()
            self._prefix = " " * (self._halves_differ("a a") and not self._halves_differ(" a a"))

    def tokenize(self, sentences: Sequence[Sequence[str]], max_length: int) -> List[WordPieces]:
        """Each sentence's pieces, at most `max_length`, special tokens included."""
        room = max_length - self.special_tokens
        one = self._by_character if self._rust is not None else self._by_word
        return [one(words, room) for words in sentences]

    def _by_character(self, words: Sequence[str], room: int) -> WordPieces:
        text = self._prefix + " ".join(words)
        encoding = self._rust.encode(text, add_special_tokens=False)
        # The space before a word is the word's. Shape: (characters,)
        word_at = np.repeat(np.arange(len(words)), [len(word) + 1 for word in words])[0 if self._prefix else 1 :]
        owners = [int(word_at[end - 1]) if end > start else None for start, end in encoding.offsets]
        encoding.truncate(room)
        encoding = self._rust.post_process(encoding)
        places = np.flatnonzero(np.array(encoding.special_tokens_mask) == 0)
        return WordPieces(encoding.ids, _pieces(owners, places.tolist(), len(words)))

    def _by_word(self, words: Sequence[str], room: int) -> WordPieces:
        ids = [self._tokenizer.encode(word, add_special_tokens=False) for word in words]
        owners = [number for number, pieces in enumerate(ids) for _ in pieces]
        kept = [piece for pieces in ids for piece in pieces][:room]
        token_ids = self._tokenizer.build_inputs_with_special_tokens(kept)
        # What is put before any text, however short.
        before = self._tokenizer.build_inputs_with_special_tokens([-1]).index(-1)
        return WordPieces(token_ids, _pieces(owners, range(before, before + len(kept)), len(words)))

    def _halves_differ(self, text: str) -> bool:
        """Whether one of two equal words is tokenised otherwise: byte-level tokenizers count the space before it."""
        ids = self._rust.encode(text, add_special_tokens=False).ids
        middle = len(ids) // 2
        return ids[:middle] != ids[middle:]


def _pieces(owners: Sequence[Any], places: Sequence[int], words: int) -> List[List[int]]:
    """The places of each word's pieces; there are fewer places than owners where pieces were cut off."""
    pieces: List[List[int]] = [[] for _ in range(words)]
    for owner, place in zip(owners, places):
        if owner is not None:
            pieces[owner].append(place)
    for owner in owners[len(places) :]:
        if owner is not None:
            pieces[owner] = []
    return pieces
