"""Categories and features that people have seen in tasks, and what routes have to do with them."""

import math
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple, Union

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


def read_features(path: Union[str, Path]) -> Dict[str, List[str]]:
    """
    By feature the tasks that have it, of which each may have several, from JSON: `{feature: [task, ...]}`, `{task:
    {"kind": "summarization", ...}}` as in `data/few_shot_gym.json`, where each text is a feature, `kind:
    summarization`, or `{task: feature}`; by itself or under the key `categories`.

    # Raises

    `ConfigurationError`, naming the file, if it is none of these.
    """
    content, _ = read_json_object(path)
    inner = content.get("categories")
    found: Dict[str, List[str]] = {}
    for key, value in (inner if isinstance(inner, dict) else content).items():
        pairs: List[Tuple[Any, Any]]
        if isinstance(value, list):
            pairs = [(key, task) for task in value]
        elif isinstance(value, dict):
            # How a task is scored is no feature of it.
            named = ((name, text) for name, text in value.items() if isinstance(text, str) and name != "metric")
            pairs = [(f"{name}: {text}", key) for name, text in named]
        else:
            pairs = [(value, key)]
        if not pairs or not all(isinstance(text, str) for pair in pairs for text in pair):
            raise ConfigurationError(f"{path}: {key!r} has neither features nor a list of tasks")
        for feature, task in pairs:
            found.setdefault(feature, []).append(task)
    return {feature: list(dict.fromkeys(tasks)) for feature, tasks in found.items()}


class FeatureCorrelation(NamedTuple):
    """How the weights of experts go with tasks' features."""

    r: np.ndarray
    """
    Point-biserial correlations, NaN where a weight is the same for all tasks, or a feature is. Shape: (experts,
    features)
    """
    p: np.ndarray
    """Shape: (experts, features)"""


def correlate_features(weights: np.ndarray, has: np.ndarray) -> FeatureCorrelation:
    """
    The point-biserial correlation of each expert's weight w with having each feature, (mean of w with it - mean of w
    without) / std(w) * sqrt(share with * share without), of which a task may have several (Ye et al., 2022,
    https://arxiv.org/abs/2205.12701, correlate routes so with manual features). p-values are those of 9,999
    permutations of the tasks' features, or of all where there are no more: that of a correlation is of the largest |r|
    of all experts and features in a permutation (Westfall and Young, 1993), so that it holds for all of them together.

    # Parameters

    weights : `np.ndarray`
        Shape: (tasks, experts)
    has : `np.ndarray`
        Truth values. Shape: (tasks, features)

    # Raises

    `ValueError` if all tasks have the same weights, or the same features.
    """
    standard, varying = _standardised(weights)
    if not varying.any():
        raise ValueError("all tasks have the same routes")
    indicators, differing = _standardised(has.astype(float))
    if not differing.any():
        raise ValueError("all tasks have the same features")

    def correlations(order: np.ndarray) -> np.ndarray:
        """Shape: (experts that vary, features that differ)"""
        return standard.T @ indicators[order] / len(has)

    r = np.full((len(varying), len(differing)), np.nan)
    p = r.copy()
    there = np.ix_(varying, differing)
    r[there] = found = correlations(np.arange(len(has)))
    largest = _null(lambda order: float(np.abs(correlations(order)).max()), len(has))
    p[there] = [[_share(largest, abs(value), len(has)) for value in row] for row in found]
    return FeatureCorrelation(r, p)


def _standardised(columns: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The columns that vary, with mean 0 and deviation 1, and which these are."""
    centred = columns - columns.mean(0)
    spread = np.sqrt((centred**2).mean(0))
    varying = spread > 1e-9
    return centred[:, varying] / spread[varying], varying


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
    `correlate_features` of being in each category; and the share of the variance that lies between categories, sum over
    categories of n |mean - overall mean|^2 / sum over tasks of |w - overall mean|^2 (the R^2 of Anderson, 2001,
    https://doi.org/10.1111/j.1442-9993.2001.01070.pp.x, for Euclidean distances), its p-value from permutations, too.

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
    # Shape: (tasks, categories)
    within = codes[:, None] == np.arange(len(names))
    found = correlate_features(weights[known], within)
    centred = weights[known] - weights[known].mean(0)

    def between(order: np.ndarray) -> float:
        sums = within[order].T @ centred
        return float((sums**2 / within.sum(0)[:, None]).sum() / (centred**2).sum())

    explained = between(np.arange(len(codes)))
    explained_p = _share(_null(between, len(codes)), explained, len(codes))
    return CategoryCorrelation(names.tolist(), len(codes), found.r, found.p, explained, explained_p)


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
