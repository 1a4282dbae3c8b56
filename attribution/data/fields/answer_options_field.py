"""The answer options of one prompt: any number of them, each of any length."""

from itertools import chain
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import torch

from attribution.data.fields.readable_field import ReadableField
from attribution.data.fields.token_ids_field import TokenIds, pad_flat_token_ids


class AnswerOptionsField(ReadableField[torch.Tensor]):
    """
    The options of one prompt, stored end to end. A batch of them is flat: no option is made up to fill a row that has
    fewer than its neighbours.

        {"token_ids": int64 (options, length), "mask": bool (options, length), "num_options": int64 (batch,)}

    # Parameters

    options : `Sequence[Sequence[int]]`
        The token ids of each option.
    pad_id : `int`
        What the batch is padded with.
    """

    __slots__ = ["ids", "lengths", "pad_id"]

    def __init__(self, options: Sequence[Sequence[int]], pad_id: int) -> None:
        self.ids = np.array(options[0] if len(options) == 1 else list(chain.from_iterable(options)), dtype=np.int32)
        self.lengths: Tuple[int, ...] = tuple(len(option) for option in options)
        self.pad_id = pad_id

    def __len__(self) -> int:
        return len(self.lengths)

    def get_padding_lengths(self) -> Dict[str, int]:
        return {"num_options": len(self.lengths), "num_option_tokens": max(self.lengths)}

    def as_tensor(self, padding_lengths: Dict[str, int]) -> "AnswerOptionsField":  # type: ignore[override]
        """The options as they are: padding happens once, for the whole batch."""
        return self

    def batch_tensors(self, tensor_list: List["AnswerOptionsField"]) -> TokenIds:  # type: ignore[override]
        flat = np.concatenate([options.ids for options in tensor_list])
        lengths = np.fromiter((length for options in tensor_list for length in options.lengths), dtype=np.int64)
        batch = pad_flat_token_ids(flat, lengths, self.pad_id)
        batch["num_options"] = torch.tensor([len(options) for options in tensor_list])
        return batch

    def empty_field(self) -> "AnswerOptionsField":
        return AnswerOptionsField([[]], self.pad_id)

    def human_readable_repr(self) -> Any:
        ends = np.cumsum(self.lengths)[:-1]
        return [ids.tolist() for ids in np.split(self.ids, ends)]
