"""Small networks that know some classes of images, and linear heads on what they make of others."""

from typing import Any, NamedTuple

import numpy as np


class ImageAgent(NamedTuple):
    """A network that was trained on some classes. It has its own mean and deviation of a pixel."""

    network: Any
    mean: float
    deviation: float

    def features(self, images: np.ndarray) -> np.ndarray:
        """Its last hidden layer. Shapes: (images, pixels) -> (images, width), float32"""
        states = (images - self.mean) / self.deviation
        for weights, bias in zip(self.network.coefs_[:-1], self.network.intercepts_[:-1]):
            states = np.maximum(states @ weights + bias, 0)
        return states.astype(np.float32)


def train_agent(images: np.ndarray, labels: np.ndarray, hidden_size: int, epochs: int, seed: int) -> ImageAgent:
    """
    One hidden layer, trained with Adam. Agents of one seed start alike. Shapes: (images, pixels), (images,)
    """
    from sklearn.neural_network import MLPClassifier

    mean, deviation = float(images.mean()), float(images.std()) or 1.0
    network = MLPClassifier((hidden_size,), batch_size=min(64, len(images)), random_state=seed)
    classes = np.unique(labels)
    order = np.random.default_rng(seed)
    for _ in range(epochs):
        rows = order.permutation(len(images))
        network.partial_fit((images[rows] - mean) / deviation, labels[rows], classes=classes)
    return ImageAgent(network, mean, deviation)


def head_accuracy(
    features: np.ndarray, labels: np.ndarray, test_features: np.ndarray, test_labels: np.ndarray
) -> float:
    """
    On the test images, of a linear head: a logistic regression on features of mean 0 and variance 1. It is trained to
    its optimum, so that no epoch is chosen, as published, by the test images. Shapes: (images, width), (images,)
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    head = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(features, labels)
    return float(head.score(test_features, test_labels))
