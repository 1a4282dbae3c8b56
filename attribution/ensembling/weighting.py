"""From how similar sources are to a target to how much of each goes into its delta."""

import json
from abc import abstractmethod
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Union

import numpy as np
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

_HOTTEST = 1e15

WeightLoss = Callable[[np.ndarray], float]
"""Weights of the sources (in their order) -> the loss, on a few examples of the target, of the delta merged so."""


def among(loss: WeightLoss, places: np.ndarray, sources: int) -> WeightLoss:
    """The same of the weights of some sources: those at `places` of so many. The others' weights are 0."""

    def of_some(weights: np.ndarray) -> float:
        all_weights = np.zeros(sources)
        all_weights[places] = weights
        return loss(all_weights)

    return of_some


class SimilarityRow(NamedTuple):
    """The sources that may go into the delta of one target: never the target's own."""

    target: str
    sources: List[str]
    scores: Optional[np.ndarray] = None
    """Shape: (sources,). All are numbers. None where nothing was measured."""
    higher_is_better: bool = True
    loss: Optional[WeightLoss] = None
    """What weights can be tried with, where there is a model."""

    @property
    def benefits(self) -> np.ndarray:
        """
        The scores with the sign by which the higher is the better. Shape: (sources,)

        # Raises

        `ConfigurationError` if nothing was measured.
        """
        if self.scores is None:
            raise ConfigurationError("this weighting needs scores: name a similarity matrix (`similarity`)")
        return self.scores if self.higher_is_better else -self.scores


class Weighting(Registrable):
    """Base of the ways to weight sources by their similarity to a target."""

    needs_loss = False
    """Whether weights are tried: a row then has a `loss`."""

    @abstractmethod
    def weigh(self, row: SimilarityRow) -> np.ndarray:
        """Weights that are not negative and sum to 1, if the weighting does not say otherwise. Shape: (sources,)"""

    def inputs(self) -> List[Path]:
        """The files that the weights depend on."""
        return []


@Weighting.register("softmax")
class SoftmaxWeighting(Weighting):
    """
    exp(s / T), normalised, as in Lv et al. (2023, https://aclanthology.org/2023.acl-short.24): s is the score with
    the sign that its measure has.

    Registered as a `Weighting` with name "softmax".

    # Parameters

    temperature : `float`
        T, above 0; near 0 all weight is on the best source. It belongs to the measure's scale: published were 0.1 for
        the loss, 10 for sums over tokens (`kl`, `el2n`, `grand`), 0.001 for cosines of parameters.
    """

    def __init__(self, temperature: float) -> None:
        if not 0 < temperature < _HOTTEST:
            raise ConfigurationError(
                f"temperature is {temperature}; a number above 0 is needed, and below {_HOTTEST:.0e}: all weights "
                "are the same there"
            )
        self.temperature = temperature

    def weigh(self, row: SimilarityRow) -> np.ndarray:
        benefits = row.benefits.astype(np.float64)
        powers = np.exp((benefits - benefits.max()) / self.temperature)
        return powers / powers.sum()


@Weighting.register("uniform")
class UniformWeighting(Weighting):
    """
    The average of all sources. No scores are needed.

    Registered as a `Weighting` with name "uniform".
    """

    def weigh(self, row: SimilarityRow) -> np.ndarray:
        return np.full(len(row.sources), 1 / len(row.sources))


@Weighting.register("group")
class GroupWeighting(Weighting):
    """
    The average of the sources in the target's own category, a division by hand. No scores are needed.

    Registered as a `Weighting` with name "group".

    # Parameters

    categories : `Union[str, Dict[str, List[str]]]`
        The names in each category; or a JSON file with such an object, by itself or under the key `categories`.
    """

    def __init__(self, categories: Union[str, Dict[str, List[str]]]) -> None:
        self.file = Path(categories) if isinstance(categories, str) else None
        self.categories = _read_categories(Path(categories)) if isinstance(categories, str) else categories
        self._category_of: Dict[str, str] = {}
        for category, names in self.categories.items():
            for name in names:
                if self._category_of.setdefault(name, category) != category:
                    raise ConfigurationError(
                        f"categories: {name!r} is in two of them, {self._category_of[name]!r} and {category!r}"
                    )

    def weigh(self, row: SimilarityRow) -> np.ndarray:
        category = self._category_of.get(row.target)
        if category is None:
            raise ConfigurationError(f"categories: the target {row.target!r} is in none of {sorted(self.categories)}")
        members = np.array([self._category_of.get(source) == category for source in row.sources], dtype=np.float64)
        if not members.any():
            raise ConfigurationError(f"categories: no source but {row.target!r} itself is in its category {category!r}")
        return members / members.sum()

    def inputs(self) -> List[Path]:
        return [self.file] if self.file else []


@Weighting.register("top_k")
class TopKWeighting(Weighting):
    """
    The best sources only.

    Registered as a `Weighting` with name "top_k".

    # Parameters

    k : `int`
        So many; of equal ones those first in the order of their names.
    weighting : `Weighting`, optional (default = `uniform`)
        How these are weighted.
    """

    def __init__(self, k: int, weighting: Optional[Weighting] = None) -> None:
        if k < 1:
            raise ConfigurationError(f"top_k: k is {k}; at least one source is needed")
        self.k = k
        self.weighting = weighting or UniformWeighting()
        self.needs_loss = self.weighting.needs_loss

    def weigh(self, row: SimilarityRow) -> np.ndarray:
        if self.k > len(row.sources):
            raise ConfigurationError(f"top_k: k is {self.k}; the target {row.target!r} has {len(row.sources)} sources")
        benefits = row.benefits
        best = np.sort(np.argsort(-benefits, kind="stable")[: self.k])
        chosen = row._replace(
            sources=[row.sources[number] for number in best],
            scores=benefits[best],
            higher_is_better=True,
            loss=None if row.loss is None else among(row.loss, best, len(row.sources)),
        )
        weights = np.zeros(len(row.sources))
        weights[best] = self.weighting.weigh(chosen)
        return weights

    def inputs(self) -> List[Path]:
        return self.weighting.inputs()


@Weighting.register("linear")
class LinearWeighting(Weighting):
    """
    The scores over their sum: for measures by which a higher score is better and none is negative.

    Registered as a `Weighting` with name "linear".
    """

    def weigh(self, row: SimilarityRow) -> np.ndarray:
        scores = row.benefits.astype(np.float64)
        if not row.higher_is_better or scores.min() < 0 or not scores.sum() > 0:
            raise ConfigurationError(
                f"linear: the scores of {row.target!r} cannot be shares: they must not be negative, nor all 0, and a "
                "higher one must be better. Use softmax"
            )
        return scores / scores.sum()


def _read_categories(path: Path) -> Dict[str, List[str]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"categories: {path} is missing or not valid JSON ({error})") from error
    content = content.get("categories", content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in content.values()
    ):
        raise ConfigurationError(f"categories: {path} is no JSON object of lists of names")
    return content
