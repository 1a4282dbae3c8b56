"""Texts through a model in batches of similar length, tokenised beside it."""

from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator, List, Optional, Sequence

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError

from attribution.data.fields import pad_token_ids
from attribution.data.prompt_tokenizer import TokenIdLists
from attribution.encoders.batch_mates import BatchMates
from attribution.encoders.encoder import Encoder
from attribution.encoders.progress import progress

_WINDOW = 2048  # Texts that are tokenised and sorted by length together.


class BatchedEncoder(Encoder):
    """
    Base of the encoders that run a model on batches: padded, but for models whose vectors would depend on it. Texts are
    sorted by length in windows, batches are filled to a budget of padded tokens, and the next window is tokenised in a
    thread beside the model.

    # Parameters

    max_tokens : `int`, optional (default = `2048` on a CPU, whose cache then holds a layer, `32768` on a GPU)
        Padded tokens per batch. Changes speed and memory only.
    """

    def __init__(self, max_tokens: Optional[int] = None) -> None:
        if max_tokens is not None and max_tokens < 1:
            raise ConfigurationError(f"encoder: max_tokens is {max_tokens}; at least one is needed")
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.max_tokens = max_tokens or (2048 if self.device.type == "cpu" else 32768)
        self.pad_id = 0
        self.mates = BatchMates.ANY

    @abstractmethod
    def load(self) -> None:
        """Loads model and tokenizer, if they are not there yet, and sets `pad_id` and `mates`."""

    @abstractmethod
    def tokenize(self, texts: List[str]) -> TokenIdLists:
        """Token ids with special tokens, cut to the encoder's length: what `cut_to` does, which counts."""

    def cut_to(self, length: int, tokenizer: Any, texts: List[str]) -> TokenIdLists:
        """
        # Raises

        `ConfigurationError` if there is no room beside the special tokens.
        """
        if length <= tokenizer.num_special_tokens_to_add():
            raise ConfigurationError(
                f"encoder: max_length is {length}; no token of a text fits beside the special ones"
            )
        encoded = tokenizer(
            texts, truncation=True, max_length=length, return_attention_mask=False, return_token_type_ids=False
        )
        if encoded.encodings is not None:  # A fast tokenizer keeps what it cuts off.
            self.texts_cut += sum(bool(text.overflowing) for text in encoded.encodings)
        return encoded["input_ids"]

    @abstractmethod
    def embed(self, token_ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        # Parameters

        token_ids : `torch.Tensor`
            Shape: (batch, length).
        mask : `torch.Tensor`
            True at tokens, false at padding; the same shape.

        # Returns

        Shape: (batch, dimension).
        """

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.load()
        windows = [list(texts[first : first + _WINDOW]) for first in range(0, len(texts), _WINDOW)]
        with ThreadPoolExecutor(1) as beside_the_model, progress(len(texts), "text") as bar:
            tokenized = zip(windows, beside_the_model.map(self.tokenize, windows))
            return np.concatenate([self._encode(window, token_ids, bar) for window, token_ids in tokenized])

    def _encode(self, texts: List[str], token_ids: TokenIdLists, bar: Any) -> np.ndarray:
        ids = [of_text or [self.pad_id] for of_text in token_ids]  # Some tokenizers make nothing of an empty text.
        batches = list(batches_of_similar_length([len(of_text) for of_text in ids], self.max_tokens, self.mates))
        vectors = []
        for batch in batches:
            vectors.append(self.embed_batch([texts[index] for index in batch], [ids[index] for index in batch]))
            bar.update(len(batch))
        sorted_vectors = torch.cat(vectors)
        order = torch.tensor([index for batch in batches for index in batch])
        return torch.empty_like(sorted_vectors).index_copy_(0, order, sorted_vectors).numpy()

    def embed_batch(self, texts: List[str], token_ids: TokenIdLists) -> torch.Tensor:
        """The vectors of texts that go together, in float32 on the CPU: `embed` of their token ids."""
        padded = pad_token_ids(token_ids, self.pad_id)
        ids, mask = (padded[key].to(self.device) for key in ("token_ids", "mask"))
        return self.embed(ids, mask).float().cpu()


def batches_of_similar_length(
    lengths: Sequence[int], max_tokens: int, mates: BatchMates = BatchMates.ANY
) -> Iterator[List[int]]:
    """The places of the texts, short ones first; each batch is as large as `max_tokens` allows, padding included."""
    batch: List[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        full = lengths[index] * (len(batch) + 1) > max_tokens or mates is BatchMates.NONE
        if batch and (full or (mates is BatchMates.EQUAL_LENGTH and lengths[index] != lengths[batch[0]])):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
