"""Hidden states of the words of sentences."""

from typing import Any, Dict, List, NamedTuple, Sequence

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError

from attribution.data.fields import pad_token_ids
from attribution.encoders.batched import batches_of_similar_length
from attribution.encoders.transformer import TransformerEncoder

POOLINGS = ("first", "last", "mean")


class WordEncoder(TransformerEncoder):
    """
    A frozen checkpoint that reads sentences which are cut into words: of each word the hidden states of its pieces,
    pooled (Huang, Qiu and Church, NeurIPS 2021; Liu et al., 2019, https://arxiv.org/abs/1903.08855). Every word has a
    vector, whatever the checkpoint: a sentence that is longer than the model reads is read in parts, one after the
    other, and a word of which the tokenizer makes nothing is zeros. Words are tokenised each by itself, after a space
    where the tokenizer is byte-level BPE.

    # Parameters

    model_name : `str`
        A hub id or a local folder of any model that the encoder `transformer` takes; it needs a fast tokenizer.
    pooling : `str`, optional (default = `"last"`)
        Which of a word's pieces stands for it: `first`, `last`, as published, or their `mean`.
    **kwargs
        The further settings of the encoder `transformer`: `layer`, `part`, `delta`, `max_length` (of a part of a
        sentence), `normalize`, `max_tokens`, `bf16`.
    """

    def __init__(self, model_name: str, pooling: str = "last", **kwargs: Any) -> None:
        if pooling not in POOLINGS:
            raise ConfigurationError(f"checkpoint {model_name}: pooling {pooling!r} is none of {', '.join(POOLINGS)}")
        super().__init__(model_name, pooling=pooling, **kwargs)

    @property
    def identity(self) -> Dict[str, Any]:
        return {**super().identity, "type": "words"}

    @torch.no_grad()
    def words(self, sentences: Sequence[Sequence[str]]) -> List[torch.Tensor]:
        """The vectors of each sentence's words. Shape of each: (words, dimension), float32, on the CPU."""
        if not sentences:
            return []
        self.load()
        lengths = [len(sentence) for sentence in sentences]
        parts = self._parts(sentences, np.cumsum([0, *lengths]))
        sums: Dict[str, torch.Tensor] = {}
        for batch in batches_of_similar_length([len(part.token_ids) for part in parts], self.max_tokens):
            padded = pad_token_ids([parts[index].token_ids for index in batch], self.pad_id)
            token_ids, mask = (padded[key].to(self.device) for key in ("token_ids", "mask"))
            # Shape: (batch, length, dimension)
            states = self.states(token_ids, mask).cpu()
            if not sums:
                sums = {"states": torch.zeros(sum(lengths), states.size(-1)), "pieces": torch.zeros(sum(lengths), 1)}
            for state, index in zip(states, batch):
                rows = torch.from_numpy(parts[index].rows)
                sums["states"].index_add_(0, rows, state[parts[index].places])
                sums["pieces"].index_add_(0, rows, torch.ones(len(rows), 1))
        vectors = sums["states"] / sums["pieces"].clamp(min=1)
        return list((torch.nn.functional.normalize(vectors) if self.normalize else vectors).split(lengths))

    def _parts(self, sentences: Sequence[Sequence[str]], first_rows: np.ndarray) -> List["_Part"]:
        """In the order of reading."""
        if not self._tokenizer.is_fast:
            raise ConfigurationError(f"checkpoint {self.model_name}: has no fast tokenizer, which tells words' pieces")
        if self._longest <= self._tokenizer.num_special_tokens_to_add():
            raise ConfigurationError(
                f"checkpoint {self.model_name}: max_length is {self._longest}; no piece of a word fits beside the "
                "special tokens"
            )
        rust = self._tokenizer.backend_tokenizer
        rust.no_padding()
        rust.enable_truncation(self._longest)
        space = " " if "ByteLevel" in str(rust.pre_tokenizer) else ""
        spaced = [[space + word for word in sentence] for sentence in sentences]
        parts = []
        for encoding, first in zip(rust.encode_batch(spaced, is_pretokenized=True), first_rows):
            for part in [encoding, *encoding.overflowing]:
                words = np.array([-1 if word is None else word for word in part.word_ids], dtype=np.int64)
                places = np.flatnonzero(words >= 0)
                parts.append(_Part(part.ids or [self.pad_id], places, words[places] + first))
        return self._pooled(parts)

    def _pooled(self, parts: List["_Part"]) -> List["_Part"]:
        """Without the pieces that stand for no word."""
        if self.pooling == "mean":
            return parts
        rows = np.concatenate([part.rows for part in parts])
        outside = {"prepend" if self.pooling == "first" else "append": -1}
        kept = np.split(np.diff(rows, **outside) != 0, np.cumsum([len(part.rows) for part in parts])[:-1])
        return [_Part(part.token_ids, part.places[keep], part.rows[keep]) for part, keep in zip(parts, kept)]


class _Part(NamedTuple):
    """Of a sentence as much as a model reads at once."""

    token_ids: List[int]
    places: np.ndarray
    """Where the pieces of words are among them."""
    rows: np.ndarray
    """Of which word each is, counted over all sentences."""
