"""How well a merged delta predicts a target's answers: what weights are learned by."""

from typing import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from attribution.commands.target_examples import TargetExamples
from attribution.ensembling import DeltaFolder, DeltaMerger, HeldDeltas
from attribution.modules.delta import Delta
from attribution.similarity import ResidentModel


class MergedLoss:
    """
    (target, weights of all sources) -> the mean cross-entropy of the tokens of the target's answers, with the delta
    that is merged so. The sources' deltas are held in memory, and the merge takes the delta's place in one model.

    # Parameters

    model : `ResidentModel`
    examples : `TargetExamples`
    sources : `Sequence[DeltaFolder]`
    merger : `DeltaMerger`
    """

    def __init__(
        self, model: ResidentModel, examples: TargetExamples, sources: Sequence[DeltaFolder], merger: DeltaMerger
    ) -> None:
        self._model = model
        self._examples = examples
        self._deltas = HeldDeltas(sources, merger)
        self._target = ""

    @torch.no_grad()
    def __call__(self, target: str, weights: np.ndarray) -> float:
        if target != self._target:
            self._batches = [batch.to(self._model.device) for batch in self._examples.batches(target)]
            self._target = target
        self._model.put_delta(Delta(self._deltas.layout.config, self._deltas.merged(weights), None))
        losses = [
            F.cross_entropy(self._model.logits(batch), batch.labels, reduction="none").double()
            for batch in self._batches
        ]
        return torch.cat(losses).mean().item()
