"""How much of a text a prompt has room for."""

from bisect import bisect_left
from functools import cached_property
from typing import Callable

from attribution.data.prompt_tokenizer import PromptTokenizer


class PromptBudget:
    """
    Says whether a prompt fits, and cuts a part of it until it does, so that the rest of it (the question, the cue for
    the answer) stays whole.

    # Parameters

    load_tokenizer : `Callable[[], PromptTokenizer]`
        The tokenizer, as the reader sets it: its special tokens count. It is loaded at the first use, apart from the
        reader's own, which is busy in a thread.
    max_length : `int`
        The most tokens of a prompt, special tokens included.
    """

    def __init__(self, load_tokenizer: Callable[[], PromptTokenizer], max_length: int) -> None:
        self._load_tokenizer = load_tokenizer
        self._max_length = max_length

    def fits(self, prompt: str) -> bool:
        [ids] = self._tokenizer.prompts([prompt], self._max_length + 1)
        return len(ids) <= self._max_length

    def keep_start(self, text: str, prompt: Callable[[str], str]) -> str:
        """The longest start of the text with which `prompt(start)` fits; nothing if none does."""
        return text[: self._longest(len(text), lambda length: prompt(text[:length]))].rstrip()

    def keep_end(self, text: str, prompt: Callable[[str], str]) -> str:
        """The same with the end of the text."""
        size = len(text)
        return text[size - self._longest(size, lambda length: prompt(text[size - length :])) :].lstrip()

    def _longest(self, length: int, prompt: Callable[[int], str]) -> int:
        too_long = bisect_left(range(length + 1), True, key=lambda kept: not self.fits(prompt(kept)))
        return max(too_long - 1, 0)

    @cached_property
    def _tokenizer(self) -> PromptTokenizer:
        return self._load_tokenizer()
