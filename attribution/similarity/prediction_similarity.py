"""Measures of a delta's predictions of a target's answers (Lv et al., 2023, weight ensembling)."""

from abc import abstractmethod
from typing import Any, List, Optional

import torch

from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.target_task import LabelledBatch, TargetTask
from attribution.similarity.task_similarity import REDUCTIONS, PartScores, Source, TaskSimilarity, check_choice


class PredictionSimilarity(TaskSimilarity):
    """
    Base of the measures that are a number for each token of the answers, from the model's distribution over the
    vocabulary, p, after the prompt and the answer's tokens before it.

    # Parameters

    reduction : `str`, optional (default = `"sum"`)
        `mean` over all answer tokens of the target, or their `sum`. A temperature belongs to one of them: that of the
        mean is that of the sum divided by the number of tokens.
    """

    def __init__(self, reduction: str = "sum") -> None:
        super().__init__()
        check_choice("reduction", reduction, REDUCTIONS)
        self.reduction = reduction

    @abstractmethod
    def token_scores(
        self, log_probs: torch.Tensor, labels: torch.Tensor, of_target: Optional[torch.Tensor]
    ) -> torch.Tensor:
        """
        # Parameters

        log_probs : `torch.Tensor`
            Shape: (tokens, vocabulary)
        labels : `torch.Tensor`
            The right tokens. Shape: (tokens,)
        of_target : `torch.Tensor`, optional
            The log-probabilities with the target's own delta, if the measure needs it.

        # Returns

        Shape: (tokens,)
        """

    def compare(self, target: TargetTask, source: Source, model: Optional[ResidentModel], reference: Any) -> PartScores:
        assert model is not None
        model.put(source.folder)
        total, tokens = 0.0, 0
        for batch, of_target in zip(target.batches, reference or [None] * len(target.batches)):
            scores = self.token_scores(_log_probs(model, batch), batch.labels, of_target)
            total += scores.double().sum().item()
            tokens += len(scores)
        return {"model": total if self.reduction == "sum" else total / tokens}


@TaskSimilarity.register("loss")
class Loss(PredictionSimilarity):
    """
    -log p(y): the cross-entropy of the right tokens.

    Registered as a `TaskSimilarity` with name "loss".

    # Parameters

    reduction : `str`, optional (default = `"mean"`)
        As published, with a softmax temperature of 0.1.
    """

    higher_is_better = False

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def token_scores(
        self, log_probs: torch.Tensor, labels: torch.Tensor, of_target: Optional[torch.Tensor]
    ) -> torch.Tensor:
        return -log_probs.gather(1, labels[:, None])[:, 0]


@TaskSimilarity.register("el2n")
class EL2N(PredictionSimilarity):
    """
    ||p - onehot(y)||_2 (Paul et al., 2021, https://arxiv.org/abs/2107.07075).

    Registered as a `TaskSimilarity` with name "el2n".

    # Parameters

    reduction : `str`, optional (default = `"sum"`)
        As published, with a softmax temperature of 10.
    """

    higher_is_better = False

    def __init__(self, reduction: str = "sum") -> None:
        super().__init__(reduction)

    def token_scores(
        self, log_probs: torch.Tensor, labels: torch.Tensor, of_target: Optional[torch.Tensor]
    ) -> torch.Tensor:
        return log_probs.exp().scatter_add(1, labels[:, None], -torch.ones_like(log_probs[:, :1])).norm(dim=1)


@TaskSimilarity.register("logit_label_cosine")
class LogitLabelCosine(PredictionSimilarity):
    """
    cos(p, onehot(y)) = p(y) / ||p||_2.

    Registered as a `TaskSimilarity` with name "logit_label_cosine".

    # Parameters

    reduction : `str`, optional (default = `"sum"`)
        As published, with a softmax temperature of 10.
    """

    higher_is_better = True

    def __init__(self, reduction: str = "sum") -> None:
        super().__init__(reduction)

    def token_scores(
        self, log_probs: torch.Tensor, labels: torch.Tensor, of_target: Optional[torch.Tensor]
    ) -> torch.Tensor:
        probs = log_probs.exp()
        return probs.gather(1, labels[:, None])[:, 0] / probs.norm(dim=1)


@TaskSimilarity.register("kl")
class KL(PredictionSimilarity):
    """
    KL(p of the target's own delta || p of the source's). The first, of all the target's answer tokens, is kept in
    memory.

    Registered as a `TaskSimilarity` with name "kl".

    # Parameters

    reduction : `str`, optional (default = `"sum"`)
        As published, with a softmax temperature of 10.
    """

    higher_is_better = False
    own_folders = "target_deltas"

    def __init__(self, reduction: str = "sum") -> None:
        super().__init__(reduction)

    def reference(self, target: TargetTask, model: Optional[ResidentModel]) -> List[torch.Tensor]:
        assert model is not None and target.folder is not None
        model.put(target.folder)
        return [_log_probs(model, batch) for batch in target.batches]

    def token_scores(
        self, log_probs: torch.Tensor, labels: torch.Tensor, of_target: Optional[torch.Tensor]
    ) -> torch.Tensor:
        assert of_target is not None
        return (of_target.exp() * (of_target - log_probs)).sum(1)


@torch.no_grad()
def _log_probs(model: ResidentModel, batch: LabelledBatch) -> torch.Tensor:
    return model.logits(batch).log_softmax(1)
