"""How well a linear layer on features would do on a labelled task, without training it."""

from typing import Tuple

import numpy as np
from allennlp.common.checks import ConfigurationError

_ITERATIONS = 1000
_CONVERGED = 1e-8
_FARTHEST = 1e-12


def log_me(features: np.ndarray, labels: np.ndarray) -> float:
    """
    LogME (You et al., 2021, https://arxiv.org/abs/2102.11005): the logarithm of the evidence of a Bayesian linear
    regression from the features, a row, maximised over the precisions of its prior, alpha, and of its noise, beta. Of
    classes the mean over them of the regressions to 1 or 0. Higher is better.

    # Parameters

    features : `np.ndarray`
        Shape: (rows, width).
    labels : `np.ndarray`
        Whole numbers are classes, others are what is regressed to. Shape: (rows,)

    # Raises

    `ConfigurationError` if these are no features and labels of the same rows.
    """
    features, targets = _checked(features, labels)
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    return float(np.mean([_evidence(left.T @ target, singular**2, target) for target in targets.T]))


def _evidence(along: np.ndarray, squares: np.ndarray, target: np.ndarray) -> float:
    """
    A row, at the fixed point of alpha and beta (You et al., section 4.2). With F = U S V', `along` is U'y and `squares`
    is S^2. Where the features say nothing, or all, the best ratio of alpha to beta is infinite, or 0; it ends at a
    bound.
    """
    rows = len(target)
    outside = max(float(target @ target - along @ along), 0.0)
    lowest, highest = (squares.max() or 1.0) * np.array([_FARTHEST, 1 / _FARTHEST])
    ratio = 1.0  # Of alpha to beta: all but the evidence itself depends on it alone.
    for _ in range(_ITERATIONS):
        effective = (squares / (squares + ratio)).sum()
        weights = (squares * (along / (squares + ratio)) ** 2).sum()
        residual = ((ratio * along / (squares + ratio)) ** 2).sum() + outside
        alpha, beta = effective / max(weights, 1e-300), (rows - effective) / max(residual, 1e-300)
        before, ratio = ratio, min(max(alpha / beta, lowest), highest)
        if abs(ratio - before) <= _CONVERGED * before:
            break
    # The best 1 / beta at this ratio; and the logarithm of |alpha I + beta F'F| is that of alpha^width and `spread`.
    noise = (residual + ratio * weights) / rows
    spread = np.log1p(squares / ratio).sum()
    return -(np.log(2 * np.pi * noise) + 1 + spread / rows) / 2


def h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """
    The H-score (Bao et al., 2019, https://doi.org/10.1109/ICIP.2019.8803726): the trace of cov(F)^-1 cov(E[F | class]),
    from 0 to one less than there are classes. Higher is better. Directions in which the features do not vary are left
    out.

    # Parameters

    features : `np.ndarray`
        Shape: (rows, width).
    labels : `np.ndarray`
        Classes, whole numbers. Shape: (rows,)

    # Raises

    `ConfigurationError` if these are no features and classes of the same rows, or there are no more rows than the
    features are wide: all features would have the highest score.
    """
    features, targets = _checked(features, labels)
    if labels.dtype.kind == "f":
        raise ConfigurationError("h_score: is for classes, whole numbers; use log_me for others")
    rows, width = features.shape
    if rows <= width + 1:
        raise ConfigurationError(f"h_score: {rows} rows of {width} numbers; more rows than numbers are needed")
    left, singular, _ = np.linalg.svd(features - features.mean(0), full_matrices=False)
    left = left[:, singular > singular[0] * max(rows, width) * np.finfo(np.float64).eps]
    # With centred F = U S V' and P the means of classes, the trace of (F'F)^-1 F'PF is |PU|^2.
    return float((np.square(left.T @ targets) / targets.sum(0)).sum())


def _checked(features: np.ndarray, labels: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """In double precision, classes as columns of 0 and 1. Shapes: (rows, width), (rows, classes or 1)"""
    if features.ndim != 2 or features.dtype.kind != "f" or not features.shape[1]:
        raise ConfigurationError(
            f"floats of shape (rows, width) are needed, these are {features.dtype} of shape {features.shape}"
        )
    if labels.shape != features.shape[:1] or labels.dtype.kind not in "iuf":
        raise ConfigurationError(
            f"one number a row is needed, {len(features)}; the labels are {labels.dtype} of shape {labels.shape}"
        )
    features = features.astype(np.float64)
    if not (np.isfinite(features).all() and np.isfinite(labels).all()):
        raise ConfigurationError("there is a value that is not a number")
    if len(np.unique(labels)) < 2:
        raise ConfigurationError("the labels are all the same")
    if labels.dtype.kind == "f":
        return features, labels.astype(np.float64)[:, None]
    return features, (labels[:, None] == np.unique(labels)).astype(np.float64)
