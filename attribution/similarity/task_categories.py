"""Categories that people have sorted tasks into, and what routes have to do with them."""

import math
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Sequence, Union

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.json_files import read_json_object

_PERMUTATIONS = 9999


def read_categories(path: Union[str, Path]) -> Dict[str, str]:
    """
    By task its category, from JSON: `{task: category}`, `{task: {"category": ...}}` as in `data/few_shot_gym.json`, or
    `{category: [task, ...]}`, by itself or under the key `categories`.

    # Raises

    `ConfigurationError`, naming the file, if it is none of these, or a task is in two categories.
    """
    content, _ = read_json_object(path)
    content = content.get("categories", content)
    found: Dict[str, str] = {}
    for key, value in content.items() if isinstance(content, dict) else [("categories", None)]:
        if isinstance(value, dict):
            value = value.get("category")
        tasks = value if isinstance(value, list) else []
        pairs = [(key, value)] if isinstance(value, str) else [(task, key) for task in tasks]
        if not pairs or not all(isinstance(text, str) for pair in pairs for text in pair):
            raise ConfigurationError(f"{path}: {key!r} has neither a category nor a list of tasks")
        for task, category in pairs:
            if found.setdefault(task, category) != category:
                raise ConfigurationError(f"{path}: {task!r} is in two categories, {found[task]!r} and {category!r}")
    return found


class CategoryCorrelation(NamedTuple):
    """How the weights of experts go with tasks' categories."""

    categories: List[str]
    tasks: int
    """Those that have a category."""
    r: np.ndarray
    """Point-biserial correlations, NaN where a weight is the same for all tasks. Shape: (experts, categories)"""
    p: np.ndarray
    """Shape: (experts, categories)"""
    explained: float
    """The share of the weights' variance between categories, over all experts."""
    explained_p: float


def correlate(weights: np.ndarray, categories: Sequence[str]) -> CategoryCorrelation:
    """
    The point-biserial correlation of each expert's weight w with being in each category, (mean of w within - mean of w
    outside) / std(w) * sqrt(share within * share outside); and the share of the variance that lies between categories,
    sum over categories of n |mean - overall mean|^2 / sum over tasks of |w - overall mean|^2 (the R^2 of Anderson,
    2001, https://doi.org/10.1111/j.1442-9993.2001.01070.pp.x, for Euclidean distances). p-values are those of 9,999
    permutations of the categories, or of all where there are no more. That of a correlation is of the largest |r| of
    all experts and categories in a permutation (Westfall and Young, 1993), so that it holds for all of them together.

    # Parameters

    weights : `np.ndarray`
        Shape: (tasks, experts)
    categories : `Sequence[str]`
        Of each task; those with an empty text are left out.

    # Raises

    `ValueError` if there are not two categories, or all tasks have the same weights.
    """
    known = np.array([bool(category) for category in categories])
    names, codes = np.unique(np.array([category for category in categories if category]), return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"the tasks are in {len(names)} categories; two are needed")
    weights = weights[known] - weights[known].mean(0)
    spread = np.sqrt((weights**2).mean(0))
    if not (spread > 1e-9).any():
        raise ValueError("all tasks have the same routes")
    varying = spread > 1e-9
    # Shape: (categories, tasks)
    within = (codes == np.arange(len(names))[:, None]).astype(float)
    shares = within.mean(1)
    standard = weights[:, varying] / spread[varying] / len(codes)
    indicators = (within - shares[:, None]) / np.sqrt(shares * (1 - shares))[:, None]

    def correlations(order: np.ndarray) -> np.ndarray:
        """Shape: (experts that vary, categories)"""
        return standard.T @ indicators[:, order].T

    def between(order: np.ndarray) -> float:
        sums = within[:, order] @ weights
        return float((sums**2 / within.sum(1)[:, None]).sum() / (weights**2).sum())

    r = np.full((len(spread), len(names)), np.nan)
    p = r.copy()
    places = np.arange(len(codes))
    r[varying] = correlations(places)
    largest = _null(lambda order: float(np.abs(correlations(order)).max()), len(codes))
    p[varying] = [[_share(largest, abs(value), len(codes)) for value in row] for row in r[varying]]
    explained = between(places)
    return CategoryCorrelation(
        names.tolist(), len(codes), r, p, explained, _share(_null(between, len(codes)), explained, len(codes))
    )


def _null(statistic: Callable[[np.ndarray], float], count: int) -> np.ndarray:
    """What a statistic is for permutations of `count` places."""
    from scipy.stats import permutation_test

    found = permutation_test(
        (np.arange(count),),
        statistic,
        permutation_type="pairings",
        n_resamples=_PERMUTATIONS,
        alternative="greater",
        vectorized=False,
        random_state=np.random.RandomState(0),
    )
    return np.asarray(found.null_distribution)


def _share(null: np.ndarray, value: float, count: int) -> float:
    """Of permutations that reach a value; the one at hand counts, if it is not among them."""
    own = 0 if len(null) == math.factorial(count) else 1
    return float(((null >= value - 1e-9).sum() + own) / (len(null) + own))
