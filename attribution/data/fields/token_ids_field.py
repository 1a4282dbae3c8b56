"""Token ids on their way from a fast tokenizer to a batch, without a Python object per token."""

from typing import Any, Dict, List, Sequence

import numpy as np
import torch

from attribution.data.fields.readable_field import ReadableField

TokenIds = Dict[str, torch.Tensor]
"""`{"token_ids": int64 (batch, length), "mask": bool (batch, length)}`, padded on the right."""


class TokenIdsField(ReadableField[torch.Tensor]):
    """
    The token ids of one text. A batch of them is a `TokenIds`, padded to the longest text of the batch and no further.

    # Parameters

    ids : `Sequence[int]`
        The token ids, special tokens included. Kept as int32: 4 bytes a token.
    pad_id : `int`
        What the batch is padded with.
    """

    __slots__ = ["ids", "pad_id"]

    def __init__(self, ids: Sequence[int], pad_id: int) -> None:
        self.ids = np.asarray(ids, dtype=np.int32)
        self.pad_id = pad_id

    def __len__(self) -> int:
        return len(self.ids)

    def get_padding_lengths(self) -> Dict[str, int]:
        return {"num_tokens": len(self.ids)}

    def as_tensor(self, padding_lengths: Dict[str, int]) -> np.ndarray:  # type: ignore[override]
        """The ids as they are: padding happens once, for the whole batch."""
        return self.ids

    def batch_tensors(self, tensor_list: List[np.ndarray]) -> TokenIds:  # type: ignore[override]
        return pad_token_ids(tensor_list, self.pad_id)

    def empty_field(self) -> "TokenIdsField":
        return TokenIdsField([], self.pad_id)

    def human_readable_repr(self) -> Any:
        return self.ids.tolist()


def pad_token_ids(texts: Sequence[Any], pad_id: int) -> TokenIds:
    """
    Texts of any length, each an array (or list) of token ids, as one `TokenIds`.
    """
    return pad_flat_token_ids(np.concatenate(texts), np.fromiter(map(len, texts), dtype=np.int64), pad_id)


def pad_flat_token_ids(flat: np.ndarray, lengths: np.ndarray, pad_id: int) -> TokenIds:
    """The same for texts that stand end to end in one array. Shapes: (tokens,), (texts,)."""
    # Shape: (texts, length)
    mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
    token_ids = np.full(mask.shape, pad_id, dtype=np.int64)
    token_ids[mask] = flat
    return {"token_ids": torch.from_numpy(token_ids), "mask": torch.from_numpy(mask)}
