import torch
from allennlp.data import Batch, Instance

from attribution.data.fields import NumberField


def test_a_batch_is_one_tensor_of_whole_numbers() -> None:
    batch = Batch([Instance({"answer": NumberField(number)}) for number in (2, 0, 1)])
    answer = batch.as_tensor_dict()["answer"]
    assert isinstance(answer, torch.Tensor) and answer.dtype == torch.int64 and answer.tolist() == [2, 0, 1]
    assert NumberField(3).human_readable_repr() == 3 and NumberField(3).empty_field().number == 0
