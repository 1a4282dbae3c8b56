"""Two texts to the token ids of one input, as sentence-pair classifiers read them."""

from typing import List, NamedTuple, Optional, Sequence

from allennlp.common.checks import ConfigurationError

from attribution.data.prompt_tokenizer import TokenIdLists, load_tokenizer


class EncodedPairs(NamedTuple):
    """Pairs in their order."""

    ids: TokenIdLists
    """First text, second text, and the tokenizer's special tokens around them."""
    segments: Optional[TokenIdLists]
    """Of each token the text that it is of, 0 or 1; None where the model does not want to know."""
    cut: int
    """How many of the pairs were too long."""


class PairTokenizer:
    """
    A Hugging Face tokenizer for pairs. Of a pair that is too long the longer text loses its end, token by token, so
    that something of both is left.

    # Parameters

    model_name : `str`
        A hub id or a local folder.
    max_length : `int`
        Tokens of a pair, special tokens included.
    lower_case : `bool`
        Whether to lower-case the texts first, as ReCross does before RoBERTa.

    # Raises

    `ConfigurationError` if there is no tokenizer, or no room for a token of each text.
    """

    def __init__(self, model_name: str, max_length: int, lower_case: bool) -> None:
        self._tokenizer = load_tokenizer(model_name)
        self._tokenizer.truncation_side = "right"
        special = self._tokenizer.num_special_tokens_to_add(pair=True)
        if max_length < special + 2:
            raise ConfigurationError(f"max_length is {max_length}; a pair has {special + 2} tokens at least")
        self.max_length = max_length
        self.lower_case = lower_case
        self.pad_id: int = self._tokenizer.pad_token_id or 0

    @property
    def vocabulary(self) -> "dict[str, int]":
        return self._tokenizer.get_vocab()

    def __call__(self, firsts: Sequence[str], seconds: Sequence[str]) -> EncodedPairs:
        encoded = self._tokenizer(
            self._cased(firsts),
            self._cased(seconds),
            truncation="longest_first",
            max_length=self.max_length,
            return_attention_mask=False,
        )
        # A fast tokenizer keeps what it cuts off.
        cut = sum(bool(pair.overflowing) for pair in encoded.encodings or ())
        return EncodedPairs(encoded["input_ids"], encoded.get("token_type_ids"), cut)

    def _cased(self, texts: Sequence[str]) -> List[str]:
        return [text.lower() for text in texts] if self.lower_case else list(texts)
