import pickle

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Instance, Vocabulary

from attribution.data.fields import UNKNOWN_LABEL, WordLabelsField


def _batch(*fields: WordLabelsField, vocabulary: Vocabulary) -> dict:
    batch = Batch([Instance({"labels": field}) for field in fields])
    batch.index_instances(vocabulary)
    return batch.as_tensor_dict()["labels"]


def test_classes_padded_masked_and_unknown() -> None:
    train = [Instance({"labels": WordLabelsField(["c", "c", "i"], "labels")})]
    vocabulary = Vocabulary.from_instances(train)
    assert vocabulary.get_token_to_index_vocabulary("labels") == {"c": 0, "i": 1}
    batch = _batch(
        WordLabelsField(["i", "new"], "labels"), WordLabelsField([None, "c", "i"], "labels"), vocabulary=vocabulary
    )
    assert batch["labels"].dtype == torch.int64  # Also of two classes, where the reference has floats.
    assert batch["labels"].tolist() == [[1, UNKNOWN_LABEL, UNKNOWN_LABEL], [UNKNOWN_LABEL, 0, 1]]
    assert batch["mask"].tolist() == [[True, True, False], [False, True, True]]


def test_an_unknown_class_has_no_loss_and_is_never_right() -> None:
    """Where the reference ends in a KeyError."""
    from allennlp.training.metrics import CategoricalAccuracy

    vocabulary = Vocabulary(counter={"labels": {"c": 2, "i": 1}})
    batch = _batch(WordLabelsField(["c", "new", "i"], "labels"), vocabulary=vocabulary)
    logits = torch.tensor([[[2.0, 0.0], [9.0, 0.0], [0.0, 2.0]]])
    loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), batch["labels"])
    assert loss.item() == pytest.approx(torch.log1p(torch.tensor(-2.0).exp()).item())
    accuracy = CategoricalAccuracy()
    accuracy(logits, batch["labels"], batch["mask"])
    assert accuracy.get_metric() == pytest.approx(2 / 3)


def test_numbers() -> None:
    fields = WordLabelsField([None, 0, -2.5]), WordLabelsField([3.0])
    batch = _batch(*fields, vocabulary=Vocabulary.empty())
    assert batch["labels"].dtype == torch.float32
    assert batch["labels"].tolist() == [[0.0, 0.0, -2.5], [3.0, 0.0, 0.0]]
    assert batch["mask"].tolist() == [[False, True, True], [True, False, False]]


def test_a_vocabulary_without_the_classes() -> None:
    with pytest.raises(ConfigurationError, match="the vocabulary has no 'labels'; make it from the instances"):
        WordLabelsField(["c"], "labels").index(Vocabulary.empty())


def test_length_text_and_pickling() -> None:
    field = pickle.loads(pickle.dumps(WordLabelsField(["c", None], "labels")))
    assert len(field) == 2 and field.human_readable_repr() == ["c", None]
    assert field.empty_field().human_readable_repr() == []
