"""Weights found by trying them."""

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.ensembling.weighting import SimilarityRow, Weighting, WeightLoss


@Weighting.register("learned")
class LearnedWeighting(Weighting):
    """
    The weights with the lowest loss on a few examples of the target, found without gradients, as LoRAHub does (Huang
    et al., 2023, https://arxiv.org/abs/2307.13269): they start at 0, lie between bounds of both signs, and the sum of
    their absolute values is penalised. So these need not be convex, and deltas that hold weights of the base model
    itself (`bias`, `none`) cannot be merged by them. The search is COBYLA (Powell, 1994): the same
    examples give the same weights.

    Registered as a `Weighting` with name "learned".

    # Parameters

    evaluations : `int`, optional (default = `100`)
        At most so many weights are tried; fewer than two more than the sources cannot find anything.
    bound : `float`, optional (default = `1.5`)
        The largest absolute value of a weight.
    penalty : `float`, optional (default = `0.05`)
        Times the sum of the absolute values of the weights, is added to the loss.
    """

    needs_loss = True

    def __init__(self, evaluations: int = 100, bound: float = 1.5, penalty: float = 0.05) -> None:
        for name, value in (("evaluations", evaluations), ("bound", bound)):
            if not value > 0:
                raise ConfigurationError(f"learned: {name} is {value}; a number above 0 is needed")
        if not penalty >= 0:
            raise ConfigurationError(f"learned: penalty is {penalty}; it must not be negative")
        self.evaluations = evaluations
        self.bound = bound
        self.penalty = penalty

    def weigh(self, row: SimilarityRow) -> np.ndarray:
        if row.loss is None:
            raise ConfigurationError("learned: weights are tried with a model, and there is none here")
        if self.evaluations < len(row.sources) + 2:
            raise ConfigurationError(
                f"learned: evaluations is {self.evaluations}; {len(row.sources)} sources need at least "
                f"{len(row.sources) + 2}"
            )
        return self._search(row.loss, len(row.sources))

    def _search(self, loss: WeightLoss, sources: int) -> np.ndarray:
        """The best weights that were tried. Shape: (sources,)"""
        from scipy.optimize import Bounds, minimize

        best, lowest = np.zeros(sources), np.inf

        def penalised(weights: np.ndarray) -> float:
            nonlocal best, lowest
            weights = np.clip(weights, -self.bound, self.bound)
            value = loss(weights) + self.penalty * float(np.abs(weights).sum())
            if not np.isfinite(value):
                return float(np.finfo(np.float32).max)
            if value < lowest:
                best, lowest = weights.copy(), value
            return value

        minimize(
            penalised,
            np.zeros(sources),
            method="COBYLA",
            bounds=Bounds(np.full(sources, -self.bound), np.full(sources, self.bound)),
            options={"maxiter": self.evaluations, "rhobeg": self.bound / 3, "tol": 1e-4},
        )
        if not np.isfinite(lowest):
            raise ConfigurationError("learned: the loss was never a number")
        return best
