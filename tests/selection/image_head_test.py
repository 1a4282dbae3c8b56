from typing import Any, List

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.selection import ImageHead

CLASSES = np.array([4, 7, 30])


def _features(rows: int, seed: int, noise: float = 1.0) -> Any:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, rows)
    return (np.eye(3)[labels] * 2 + generator.normal(0, noise, (rows, 3))).astype(np.float16), CLASSES[labels]


def _slowly(features: np.ndarray, labels: np.ndarray, tests: np.ndarray, gold: np.ndarray, epochs: int) -> List[float]:
    """After each epoch the accuracy, by torch's gradients, optimizer and schedule."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 3)
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4])
    x, y = torch.from_numpy(features).float(), torch.from_numpy(np.searchsorted(CLASSES, labels))
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for first in range(0, len(x), 8):
            rows = order[first : first + 8]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(layer(x[rows]), y[rows]).backward()
            optimizer.step()
        schedule.step()
        predicted = layer(torch.from_numpy(tests).float()).argmax(1).numpy()
        found.append(float(np.mean(CLASSES[predicted] == gold)))
    return found


def test_a_linear_layer_by_sgd() -> None:
    (features, labels), (tests, gold) = _features(50, 0, 3.0), _features(400, 1, 3.0)
    for epochs in (1, 3, 6):
        settings: Any = {"epochs": epochs, "milestones": [2, 4], "batch_size": 8}
        curve = _slowly(features, labels, tests, gold, epochs)
        assert ImageHead(**settings).accuracy(features, labels, tests, gold) == pytest.approx(curve[-1])
        best = ImageHead(**settings, select_on="test").accuracy(features, labels, tests, gold)
        assert best == pytest.approx(max(curve))
    assert len(set(curve)) > 1 and max(curve) > curve[-1]


def test_another_seed_and_the_callers_random_numbers() -> None:
    (features, labels), (tests, gold) = _features(20, 0, 2.0), _features(300, 1, 2.0)
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    one, again, other = (ImageHead(2, seed=seed).accuracy(features, labels, tests, gold) for seed in (1, 1, 2))
    assert one == again != other and torch.equal(torch.rand(1), before)


def test_a_class_without_training_images_is_never_right() -> None:
    features, labels = _features(60, 0, 0.1)
    there = labels != 30
    head = ImageHead(20)
    found = head.accuracy(features[there], labels[there], features, labels)
    assert found == pytest.approx(there.mean())


def test_weights_that_overflow() -> None:
    (features, labels), (tests, gold) = _features(20, 0), _features(20, 1)
    with pytest.raises(ConfigurationError, match="head: has no finite weights at learning_rate 1e.38; lower it"):
        ImageHead(3, learning_rate=1e38).accuracy(features.astype(np.float32) * 1000, labels, tests, gold)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"epochs": 0}, "head: epochs is 0"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"learning_rate": 0.0}, "learning_rate 0.0"),
        ({"select_on": "best"}, "head.select_on is 'best'; last and test"),
    ],
)
def test_bad_settings(settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ImageHead(**settings)
