import pickle

import torch
from allennlp.data import Batch, Instance

from attribution.data.fields import TokenIdsField, pad_token_ids


def test_a_batch_is_padded_to_its_longest_text() -> None:
    batch = Batch([Instance({"text": TokenIdsField(ids, pad_id=9)}) for ids in ([1, 2, 3], [4], [5, 6])])
    tensors = batch.as_tensor_dict()["text"]
    assert tensors["token_ids"].tolist() == [[1, 2, 3], [4, 9, 9], [5, 6, 9]]
    assert tensors["mask"].tolist() == [[True, True, True], [True, False, False], [True, True, False]]
    assert tensors["token_ids"].dtype == torch.int64


def test_a_padding_id_inside_a_text_is_not_padding() -> None:
    batch = pad_token_ids([torch.tensor([0, 5, 0]), torch.tensor([7])], 0)
    assert batch["mask"].tolist() == [[True, True, True], [True, False, False]]


def test_four_bytes_a_token_and_survives_pickling() -> None:
    field = TokenIdsField(list(range(1000)), 0)
    assert field.ids.nbytes == 4000
    assert pickle.loads(pickle.dumps(field)).human_readable_repr() == list(range(1000))
    assert len(field) == field.get_padding_lengths()["num_tokens"] == 1000
    assert len(field.empty_field()) == 0
