"""Token ids on their way from a fast tokenizer to a batch, without a Python object per token."""

from typing import Any, Dict, List, Sequence

import numpy as np
import torch
from allennlp.data.fields.field import Field
from torch.nn.utils.rnn import pad_sequence

TokenIds = Dict[str, torch.Tensor]
"""`{"token_ids": int64 (batch, length), "mask": bool (batch, length)}`, padded on the right."""


class TokenIdsField(Field[torch.Tensor]):
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

    def as_tensor(self, padding_lengths: Dict[str, int]) -> torch.Tensor:
        """The ids as they are, int32: padding happens once, for the whole batch."""
        return torch.from_numpy(self.ids)

    def batch_tensors(self, tensor_list: List[torch.Tensor]) -> TokenIds:  # type: ignore[override]
        return pad_token_ids(tensor_list, self.pad_id)

    def empty_field(self) -> "TokenIdsField":
        return TokenIdsField([], self.pad_id)

    def human_readable_repr(self) -> Any:
        return self.ids.tolist()


def pad_token_ids(texts: List[torch.Tensor], pad_id: int) -> TokenIds:
    """
    Texts of any length, each an integer tensor of shape (length,), as one `TokenIds`.
    """
    # Shape: (batch,)
    lengths = torch.tensor([len(ids) for ids in texts])
    # Shape: (batch, length)
    token_ids = pad_sequence(texts, batch_first=True, padding_value=pad_id).long()
    return {"token_ids": token_ids, "mask": torch.arange(token_ids.size(1)) < lengths.unsqueeze(1)}
