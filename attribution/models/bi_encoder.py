"""A retriever's two small networks, trained on mined tuples."""

from typing import Any, Dict, List, Sequence

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models.model import Model
from allennlp.training.metrics import Average
from torch.nn.functional import cross_entropy

from attribution.encoders import Encoder
from attribution.metrics import MeanLoss
from attribution.modules.two_towers import TwoTowers


@Model.register("bi_encoder")
class BiEncoder(Model):
    """
    Learns which rows of a pool help a task's inputs: a network for queries and one for rows, over an encoder's vectors,
    which stay as they are (ReCross, Lin et al., 2022, https://arxiv.org/abs/2204.07937, the trained index of its
    ablation). The encoder `bi_encoder` retrieves with it.

    In training one query, one positive and some negatives of each tuple are drawn anew each time; the loss is the
    cross-entropy of the positive among all candidates of the batch. In evaluation all queries of a tuple score all of
    its candidates, and `precision` is the share of positives among as many best ones as there are positives.

    Registered as a `Model` with name "bi_encoder".

    # Parameters

    vocab : `Vocabulary`
        Not used.
    encoder : `Encoder`
        What makes the vectors: ReCross's is the mean of its upstream model's encoder states.
    hidden_size : `int`, optional (default = `256`)
        Of the layer between, as published.
    size : `int`, optional (default = `128`)
        Of the learned vectors, as published.
    negatives : `int`, optional (default = `8`)
        How many of a tuple's negatives are drawn, as published; all where it has fewer.
    temperature : `float`, optional (default = `0.05`)
        By which cosines are divided. As published there is none, and vectors had no length of one: they were scaled
        over the batch instead of each by itself, so that what a row scored depended on its neighbours.
    """

    def __init__(
        self,
        vocab: Vocabulary,
        encoder: Encoder,
        hidden_size: int = 256,
        size: int = 128,
        negatives: int = 8,
        temperature: float = 0.05,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocab, **kwargs)
        if min(hidden_size, size, negatives) < 1 or temperature <= 0:
            raise ConfigurationError(
                f"bi_encoder: hidden_size is {hidden_size}, size {size}, negatives {negatives}, temperature "
                f"{temperature}; at least 1, and a temperature above 0, are needed"
            )
        self.encoder = encoder
        self.negatives = negatives
        self.temperature = temperature
        self.towers = TwoTowers(encoder.encode([""]).shape[1], hidden_size, size)
        self._losses = {True: MeanLoss(), False: MeanLoss()}  # By whether the model is in training.
        self._precision = Average()

    def forward(  # type: ignore[override]
        self, queries: List[List[str]], positives: List[List[str]], negatives: List[List[str]]
    ) -> Dict[str, Any]:
        """
        # Parameters

        queries, positives, negatives : `List[List[str]]`
            Texts, a list a tuple.

        # Returns

        `loss`, and in evaluation `scores`: of each tuple's candidates, positives first.
        """
        output: Dict[str, Any] = {"loss": self._loss(queries, positives, negatives)}
        self._losses[self.training]("queries", output["loss"].item() * len(queries), len(queries))
        if not self.training:
            output["scores"] = [self._score(*one) for one in zip(queries, positives, negatives)]
            for scores, right in zip(output["scores"], positives):
                # Of equal scores the last first: they would be positives otherwise.
                best = sorted(range(len(scores)), key=lambda place: (-scores[place], -place))[: len(right)]
                self._precision(sum(place < len(right) for place in best) / len(right))
        return output

    def get_metrics(self, reset: bool = False) -> Dict[str, float]:
        loss = self._losses[self.training].get_metric(reset)
        return loss if self.training else {"precision": self._precision.get_metric(reset), **loss}

    def _loss(self, queries: List[List[str]], positives: List[List[str]], negatives: List[List[str]]) -> torch.Tensor:
        """Of the first of each list in evaluation, of drawn ones in training."""
        candidates: List[str] = []
        right = []
        for good, bad in zip(positives, negatives):
            right.append(len(candidates))
            candidates += self._draw(good, 1) + self._draw(bad, self.negatives)
        asked = [text for texts in queries for text in self._draw(texts, 1)]
        # Shape: (queries, candidates)
        logits = self._cosines(asked, candidates) / self.temperature
        return cross_entropy(logits, torch.tensor(right, device=logits.device))

    def _score(self, queries: List[str], positives: List[str], negatives: List[str]) -> List[float]:
        return self._cosines(queries, positives + negatives).mean(0).tolist()

    def _cosines(self, queries: List[str], rows: List[str]) -> torch.Tensor:
        return self.towers.queries(self._vectors(queries)) @ self.towers.rows(self._vectors(rows)).T

    def _vectors(self, texts: List[str]) -> torch.Tensor:
        return torch.from_numpy(self.encoder.encode(texts)).to(next(self.parameters()).device)

    def _draw(self, texts: Sequence[str], count: int) -> List[str]:
        if not self.training:
            return list(texts[:count])
        return [texts[place] for place in torch.randperm(len(texts))[:count].tolist()]
