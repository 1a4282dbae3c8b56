"""What can be read off the frozen features of words by one linear layer."""

from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
import torch.nn.functional as F
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models.model import Model

from attribution.data.fields import UNKNOWN_LABEL
from attribution.encoders import StoredWords, TransformerEncoder
from attribution.metrics.mean_loss import MeanLoss
from attribution.metrics.word_labels import WordMetric

_NAMESPACE = "labels"


@Model.register("linear_token_probe")
class LinearTokenProbe(Model):
    """
    One linear layer over the features of some checkpoints, side by side (Huang, Qiu and Church, NeurIPS 2021, after Liu
    et al., 2019, https://arxiv.org/abs/1903.08855). Features are those that `allennlp embed` stored, or are worked out:
    checkpoints stay as they are, a sentence goes through them once, and its features are kept for the next epoch.
    Archives have the layer alone. A word that a checkpoint does not read whole has zeros for its features. Words
    without a label, all but the predicates of event factuality, have no part in loss and metric.

    A tagger's loss is the mean cross-entropy of words, also where there are two classes; a regressor's the mean squared
    error.

    Registered as a `Model` with name "linear_token_probe".

    # Parameters

    vocab : `Vocabulary`
        Its "labels" are the classes.
    checkpoints : `List[TransformerEncoder]`, optional
        What makes the features, with the settings of the encoder `transformer`: its `pooling` is over the pieces of a
        word (published: `last`), its `max_length` that of a sentence.
    features : `StoredWords`, optional
        Instead of `checkpoints`: stored ones, which all sentences have to be among.
    metric : `WordMetric`, optional (default = `accuracy`)
        `accuracy`, `span_f1`, `f1` of one class, or `pearson`, whose labels are numbers: with it the probe is a
        regressor.
    cache_gb : `float`, optional (default = `4.0`)
        Of features that are kept in memory. Sentences beyond it go through the checkpoints again in each epoch.
    """

    uneven_validation = True  # Metrics are added up at the end: ranks may have different numbers of batches.

    def __init__(
        self,
        vocab: Vocabulary,
        checkpoints: Optional[List[TransformerEncoder]] = None,
        features: Optional[StoredWords] = None,
        metric: Optional[WordMetric] = None,
        cache_gb: float = 4.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocab, **kwargs)
        if bool(checkpoints) == bool(features):
            raise ConfigurationError("checkpoints, or else features, are needed")
        self._losses = {True: MeanLoss(), False: MeanLoss()}  # By whether the model is in training.
        self._metric = metric or WordMetric.by_name("accuracy")()
        classes = vocab.get_vocab_size(_NAMESPACE)
        if classes == 0 and not self._metric.numbers:
            raise ConfigurationError(
                "metric: the vocabulary has no classes; labels that are numbers have the metric pearson"
            )
        self.checkpoints: Sequence[Union[TransformerEncoder, StoredWords]] = checkpoints or [features]  # type: ignore
        self._cached: Dict[Tuple[str, ...], torch.Tensor] = {}
        self._room = cache_gb * 2**30
        width = self._read([()])[0].size(1)
        self.head = torch.nn.Linear(width, 1 if self._metric.numbers else classes)

    def forward(  # type: ignore[override]
        self,
        words: List[List[str]],
        sentence: Optional[List[int]] = None,
        labels: Optional[Dict[str, torch.Tensor]] = None,
        details: Optional[List[Dict[str, Any]]] = None,
    ) -> Dict[str, Any]:
        """
        # Parameters

        words : `List[List[str]]`
            Of each sentence.
        sentence : `List[int]`, optional
            The sentences' numbers, handed through to the output.
        labels : `Dict[str, torch.Tensor]`, optional
            `labels` and `mask`, each of shape (batch, words). Without them there is no loss, and every word is
            predicted.
        details : `List[Dict[str, Any]]`, optional
            `labels` of each sentence, as the file has them, for the metric.

        # Returns

        `logits` (labelled words, classes) of all sentences end to end, `loss`, and in evaluation `predicted`: of each
        sentence the classes or numbers of those words.
        """
        features = self._features([tuple(one) for one in words])
        lengths = torch.tensor([len(one) for one in words])
        if labels is not None:
            # Shape: (batch, words)
            labelled = labels["mask"].cpu()
            features = features[labelled[torch.arange(labelled.size(1)) < lengths[:, None]]]
            lengths = labelled.sum(1)
        # Shape: (labelled words, classes)
        logits = self.head(features.to(self.head.weight.device))
        output: Dict[str, Any] = {"logits": logits}
        if labels is not None:
            output["loss"] = self._loss(logits, labels["labels"][labels["mask"]])
        if not self.training:
            ranked = self._ranked(logits, lengths.tolist())
            output["predicted"] = ranked if self._metric.numbers else [[best[0] for best in each] for each in ranked]
            if details is not None:
                right = [[label for label in one["labels"] if label is not None] for one in details]
                self._metric(ranked, right)  # type: ignore[arg-type]
        if sentence is not None:
            output["sentence"] = sentence
        return output

    def get_metrics(self, reset: bool = False) -> Dict[str, float]:
        """With `reset` only, but for the loss: AllenNLP asks after every batch, and these are of all sentences."""
        loss = self._losses[self.training].get_metric(reset)
        return {**self._metric.get_metric(reset), **loss} if reset and not self.training else loss

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Shapes: (labelled words, classes), (labelled words,)"""
        if labels.is_floating_point() != self._metric.numbers:
            problem = "classes; pearson is for numbers" if self._metric.numbers else "numbers; use pearson"
            raise ConfigurationError(f"metric: the task's labels are {problem}")
        if self._metric.numbers:
            known = len(labels)
            total = F.mse_loss(logits.squeeze(-1), labels, reduction="sum")
        else:
            known = int((labels != UNKNOWN_LABEL).sum())
            total = F.cross_entropy(logits, labels, ignore_index=UNKNOWN_LABEL, reduction="sum")
        self._losses[self.training]("words", total.item(), known)
        return total / max(known, 1)

    def _ranked(self, logits: torch.Tensor, lengths: List[int]) -> List[Any]:
        """Of each sentence, for each word a number, or its best classes, best first."""
        if self._metric.numbers:
            return [numbers.tolist() for numbers in logits.squeeze(-1).split(lengths)]
        names = self.vocab.get_index_to_token_vocabulary(_NAMESPACE)
        best = logits.topk(min(self._metric.depth, logits.size(1))).indices
        return [[[names[index] for index in word] for word in words.tolist()] for words in best.split(lengths)]

    def _features(self, sentences: Sequence[Tuple[str, ...]]) -> torch.Tensor:
        """Shape: (words of all sentences, width)"""
        new = [one for one in dict.fromkeys(sentences) if one not in self._cached]
        read = dict(zip(new, self._read(new)))
        for one, features in read.items():
            if features.nbytes <= self._room:
                self._cached[one] = features
                self._room -= features.nbytes
        return torch.cat([read[one] if one in read else self._cached[one] for one in sentences])

    def _read(self, sentences: Sequence[Tuple[str, ...]]) -> List[torch.Tensor]:
        """Of each sentence the features of all checkpoints. Shape of each: (words, width)"""
        if not sentences:
            return []
        features = np.concatenate([each.encode_words(sentences) for each in self.checkpoints], axis=1)
        return list(torch.from_numpy(features).split([len(one) for one in sentences]))
