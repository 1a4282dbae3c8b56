"""How far two covariances of the same members are from each other."""

import numpy as np
from allennlp.common.checks import ConfigurationError
from scipy.linalg import cho_factor, cho_solve

from attribution.selection.covariance import Covariance


def kl_divergence(one: Covariance, other: Covariance) -> float:
    """
    Of the Gaussians with mean zero, in nats: (tr(T^-1 S) - m + log|T| - log|S|) / 2 for the covariances S and T of m
    members, in whatever order each has them.

    # Raises

    `ConfigurationError` if the members are not the same.
    """
    factors = [cho_factor(values, lower=True) for values in (one.values, _in_order_of(one, other))]
    logarithms = [2 * np.log(factor.diagonal()).sum() for factor, _ in factors]
    trace = cho_solve(factors[1], one.values).trace()
    return float(trace - len(one) + logarithms[1] - logarithms[0]) / 2


def correlation(one: Covariance, other: Covariance) -> float:
    """
    Of two covariances as vectors: <S, T> / (|S| |T|), with Frobenius norms.

    # Raises

    `ConfigurationError` if the members are not the same.
    """
    values = _in_order_of(one, other)
    return float(np.vdot(one.values, values) / np.linalg.norm(one.values) / np.linalg.norm(values))


def _in_order_of(one: Covariance, other: Covariance) -> np.ndarray:
    """The values of the other one, its members in the order of the first."""
    if sorted(one.names) != sorted(other.names):
        raise ConfigurationError(f"covariances of different members: {one.names} and {other.names}")
    order = [other.names.index(name) for name in one.names]
    return other.values[np.ix_(order, order)]
