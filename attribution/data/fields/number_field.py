"""A whole number of an instance, such as the index of its answer."""

from typing import Dict, List

import torch

from attribution.data.fields.readable_field import ReadableField


class NumberField(ReadableField[torch.Tensor]):
    """
    As AllenNLP's `LabelField` without a vocabulary, but a tensor is made once for a batch: int64 (batch,).

    # Parameters

    number : `int`
    """

    __slots__ = ["number"]

    def __init__(self, number: int) -> None:
        self.number = number

    def get_padding_lengths(self) -> Dict[str, int]:
        return {}

    def as_tensor(self, padding_lengths: Dict[str, int]) -> int:  # type: ignore[override]
        return self.number

    def batch_tensors(self, tensor_list: List[int]) -> torch.Tensor:  # type: ignore[override]
        return torch.tensor(tensor_list)

    def empty_field(self) -> "NumberField":
        return NumberField(0)

    def human_readable_repr(self) -> int:
        return self.number
