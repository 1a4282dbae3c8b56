"""A label for each word of a sentence, or for some of them."""

from typing import Dict, List, Optional, Sequence, Union

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data.vocabulary import Vocabulary
from torch.nn.utils.rnn import pad_sequence

from attribution.data.fields.readable_field import ReadableField

WordLabel = Union[str, float, None]
"""A class, a number, or None for a word that has no label."""

UNKNOWN_LABEL = -100
"""The index of a class that the vocabulary does not have: `torch.nn.functional.cross_entropy` leaves it out."""


class WordLabelsField(ReadableField[Dict[str, torch.Tensor]]):
    """
    The labels of one sentence, and for a batch of them

        {"labels": int64 or float32 (batch, words), "mask": bool (batch, words)}

    The mask says which words have a label: neither padding nor words without one. AllenNLP's `SequenceLabelField`
    wants a label for every word, has no numbers, pads with the first class, and ends in a `KeyError` where the
    evaluated rows have a class that the vocabulary lacks. Here such a class is `UNKNOWN_LABEL` under a true mask: no
    loss, and never predicted right.

    # Parameters

    labels : `Sequence[Union[str, float, None]]`
        One for each word.
    namespace : `str`, optional
        Where the vocabulary has the classes. None for numbers.
    """

    __slots__ = ["labels", "namespace", "_values"]

    def __init__(self, labels: Sequence[WordLabel], namespace: Optional[str] = None) -> None:
        self.labels = labels
        self.namespace = namespace
        self._values = torch.empty(0)
        if namespace is None:
            self._values = torch.tensor([0.0 if label is None else label for label in labels], dtype=torch.float32)

    def __len__(self) -> int:
        return len(self.labels)

    def count_vocab_items(self, counter: Dict[str, Dict[str, int]]) -> None:
        if self.namespace is not None:
            for label in self.labels:
                if label is not None:
                    counter[self.namespace][str(label)] += 1

    def index(self, vocab: Vocabulary) -> None:
        if self.namespace is None:
            return
        known = vocab.get_token_to_index_vocabulary(self.namespace)
        if not known:
            raise ConfigurationError(
                f"the vocabulary has no '{self.namespace}'; make it from the instances, or from the files of a run "
                "on this task"
            )
        self._values = torch.tensor([known.get(str(label), UNKNOWN_LABEL) for label in self.labels])

    def get_padding_lengths(self) -> Dict[str, int]:
        return {"num_words": len(self.labels)}

    def as_tensor(self, padding_lengths: Dict[str, int]) -> Dict[str, torch.Tensor]:
        """The labels as they are: padding happens once, for the whole batch."""
        return {"labels": self._values, "mask": torch.tensor([label is not None for label in self.labels])}

    def batch_tensors(self, tensor_list: List[Dict[str, torch.Tensor]]) -> Dict[str, torch.Tensor]:
        padding = 0.0 if self.namespace is None else UNKNOWN_LABEL
        labels, masks = [sentence["labels"] for sentence in tensor_list], [sentence["mask"] for sentence in tensor_list]
        # Shapes: (batch_size, num_words)
        return {
            "labels": pad_sequence(labels, batch_first=True, padding_value=padding),
            "mask": pad_sequence(masks, batch_first=True, padding_value=False),
        }

    def empty_field(self) -> "WordLabelsField":
        return WordLabelsField([], self.namespace)

    def human_readable_repr(self) -> List[WordLabel]:
        return list(self.labels)
