from allennlp.data import Batch, Instance

from attribution.data.fields import AnswerOptionsField


def test_a_batch_is_flat_and_ragged() -> None:
    rows = [[[1, 2], [3]], [[4, 5, 6]], [[7], [8], [9, 1]]]
    batch = Batch([Instance({"options": AnswerOptionsField(row, pad_id=0)}) for row in rows])
    tensors = batch.as_tensor_dict()["options"]
    assert tensors["token_ids"].tolist() == [[1, 2, 0], [3, 0, 0], [4, 5, 6], [7, 0, 0], [8, 0, 0], [9, 1, 0]]
    assert tensors["mask"].sum(1).tolist() == [2, 1, 3, 1, 1, 2]
    assert tensors["num_options"].tolist() == [2, 1, 3]


def test_what_a_row_says_of_itself() -> None:
    field = AnswerOptionsField([[7], [8], [9, 1]], pad_id=0)
    assert len(field) == 3
    assert field.get_padding_lengths() == {"num_options": 3, "num_option_tokens": 2}
    assert field.human_readable_repr() == [[7], [8], [9, 1]]
