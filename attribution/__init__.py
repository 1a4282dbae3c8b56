"""Finds which sources help a new NLP task, and trains and evaluates on just them."""

from attribution import (
    commands,
    data,
    encoders,
    ensembling,
    metrics,
    mining,
    models,
    modules,
    predictors,
    rerankers,
    retrievers,
    selection,
    similarity,
    training,
)

__all__ = [
    "commands",
    "data",
    "encoders",
    "ensembling",
    "metrics",
    "mining",
    "models",
    "modules",
    "predictors",
    "rerankers",
    "retrievers",
    "selection",
    "similarity",
    "training",
]
