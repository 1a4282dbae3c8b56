"""The weights of all sources for all targets."""

from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Union

import numpy as np
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm

from attribution.ensembling.weighting import SimilarityRow, Weighting, among
from attribution.similarity import SimilarityMatrix

TargetLoss = Callable[[str, np.ndarray], float]
"""A target, and weights of all sources -> the loss, on a few examples of the target, of the delta merged so."""


class EnsembleWeights(NamedTuple):
    """How much of each source goes into the delta of each target: 0 of its own."""

    targets: List[str]
    sources: List[str]
    values: np.ndarray
    """float64. Shape: (targets, sources), or (targets, sources, parts) for a part of the model each."""
    parts: List[str]
    """The parts' names, as they stand in the names of tensors (`encoder.block.0`); empty where there are none."""

    def whole(self) -> np.ndarray:
        """
        Shape: (targets, sources)

        # Raises

        `ConfigurationError` if they are weights of parts.
        """
        if self.parts:
            raise ConfigurationError(
                f"the scores are those of {len(self.parts)} parts of the model: use the merger per_block, or weight "
                "the whole delta by one of them (`part`)"
            )
        return self.values

    def of_target(self, target: str) -> Dict[str, Any]:
        """What goes into the delta of one target, as plain JSON."""
        row = self.values[self.targets.index(target)]
        weights = {name: value for name, value in zip(self.sources, row.tolist()) if name != target}
        report = {"target": target, "effective_sources": self.effective_sources(target), "weights": weights}
        return {**report, "parts": self.parts} if self.parts else report

    def effective_sources(self, target: str) -> float:
        """(sum of |w|)^2 / (sum of w^2): how many sources with equal weights are as concentrated."""
        row = np.abs(self.values[self.targets.index(target)].reshape(len(self.sources), -1).mean(1))
        return float(row.sum() ** 2 / (row**2).sum()) if row.any() else 0.0


def leave_one_out_weights(
    weighting: Weighting,
    targets: Sequence[str],
    sources: Sequence[str],
    similarity: Optional[SimilarityMatrix] = None,
    part: Optional[Union[int, str]] = None,
    loss: Optional[TargetLoss] = None,
) -> EnsembleWeights:
    """
    The weights by which each target's delta is merged from the sources that have another name.

    # Parameters

    similarity : `SimilarityMatrix`, optional
        Its further targets and sources are not looked at.
    part : `Union[int, str]`, optional
        Of scores by part, use only those of this one, by its number from 0 or its name, for the whole delta.
    loss : `TargetLoss`, optional
        What weights can be tried with.

    # Raises

    `ConfigurationError` if a target has no sources or no scores, or a score is not a number.
    """
    scores = _chosen_scores(targets, sources, similarity, part)
    by_part = scores is not None and scores.ndim == 3
    values = np.zeros((len(targets), len(sources), scores.shape[2] if scores is not None and by_part else 1))
    for number, target in enumerate(Tqdm.tqdm(targets, desc="weighing", unit="target", disable=loss is None)):
        others = np.array([position for position, source in enumerate(sources) if source != target], dtype=np.int64)
        if not len(others):
            raise ConfigurationError(f"{target}: there is no source but its own delta")
        row = SimilarityRow(
            target, [sources[other] for other in others], None, similarity is None or similarity.higher_is_better
        )
        if loss is not None:
            row = row._replace(loss=among(partial(loss, target), others, len(sources)))
        for at in range(values.shape[2]):
            if scores is not None:
                row = row._replace(scores=_finite(scores[number].reshape(len(sources), -1)[others, at], row))
            values[number, others, at] = weighting.weigh(row)
    parts = list(similarity.parts) if similarity is not None and by_part else []
    return EnsembleWeights(list(targets), list(sources), values if by_part else values[:, :, 0], parts)


def _chosen_scores(
    targets: Sequence[str],
    sources: Sequence[str],
    similarity: Optional[SimilarityMatrix],
    part: Optional[Union[int, str]],
) -> Optional[np.ndarray]:
    """Shape: (targets, sources) or (targets, sources, parts)"""
    if similarity is None:
        if part is not None:
            raise ConfigurationError("`part` chooses among scores: name a similarity matrix (`similarity`)")
        return None
    scores = similarity.scores[_positions("target", targets, similarity.targets)][
        :, _positions("source", sources, similarity.sources)
    ]
    if part is not None:
        count = scores.shape[2] if scores.ndim == 3 else 0
        names = list(similarity.parts)
        number = part if isinstance(part, int) else names.index(part) if part in names else -1
        if not 0 <= number < count:
            there = f": {', '.join(names)}" if names else ""
            raise ConfigurationError(f"part is {part}; the similarity matrix has scores of {count} parts{there}")
        return scores[:, :, number]
    if scores.ndim == 3 and not similarity.parts:
        raise ConfigurationError(
            "the similarity matrix does not name its parts; choose one for the whole delta (`part`)"
        )
    return scores


def _positions(kind: str, wanted: Sequence[str], there: Sequence[str]) -> List[int]:
    positions = {name: number for number, name in enumerate(there)}
    missing = [name for name in wanted if name not in positions]
    if missing:
        raise ConfigurationError(
            f"the {kind} {missing[0]!r} has no scores ({len(missing)} such {kind}s); those with scores: {list(there)}"
        )
    return [positions[name] for name in wanted]


def _finite(scores: np.ndarray, row: SimilarityRow) -> np.ndarray:
    wrong = np.flatnonzero(~np.isfinite(scores))
    if len(wrong):
        raise ConfigurationError(
            f"the score of the source {row.sources[wrong[0]]!r} for the target {row.target!r} is {scores[wrong[0]]}: "
            "measure it again, or leave the source out of `deltas`"
        )
    return scores
