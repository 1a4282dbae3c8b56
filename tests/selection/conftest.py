"""Covariances whose right answers are known."""

from pathlib import Path
from typing import List, Sequence

import numpy as np
import pytest

from attribution.selection import Covariance


def letters(count: int) -> List[str]:
    return [f"m{number:02d}" for number in range(count)]


def random_correlations(size: int, seed: int) -> np.ndarray:
    features = np.random.default_rng(seed).normal(size=(size, size + 2))
    features[: size // 2] += 2 * features[size // 2 : size // 2 * 2]
    gram = features @ features.T
    scale = np.sqrt(gram.diagonal())
    return gram / np.outer(scale, scale)


def log_determinant(values: np.ndarray) -> float:
    return float(np.linalg.slogdet(values).logabsdet) if len(values) else 0.0


def information_by_definition(values: np.ndarray, chosen: Sequence[int]) -> float:
    """(log |S_A| + log |S_B| - log |S|) / 2"""
    rest = [index for index in range(len(values)) if index not in chosen]
    parts = [values[np.ix_(part, part)] for part in (list(chosen), rest)]
    return (sum(map(log_determinant, parts)) - log_determinant(values)) / 2


@pytest.fixture
def zoo() -> Covariance:
    """
    Three families, four, three and two large, within which all are 0.6 alike and across which 0.05.
    """
    family = np.array([0] * 4 + [1] * 3 + [2] * 2)
    values = np.where(family[:, None] == family, 0.6, 0.05)
    np.fill_diagonal(values, 1)
    return Covariance(letters(9), values)


@pytest.fixture(scope="session")
def published(shared_data: Path) -> Covariance:
    """The kernel of 34 language models that Huang, Qiu and Church published."""
    folder = shared_data / "zoo"
    if not folder.is_dir():
        pytest.skip("the published kernel is not there")
    names = (folder / "ckpts.txt").read_text().split()
    return Covariance(names, np.load(folder / "kappa.npy", allow_pickle=False))
