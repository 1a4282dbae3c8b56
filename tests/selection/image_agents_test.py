import numpy as np

from attribution.selection.image_agents import head_accuracy, train_agent


def _images(rows: int, seed: int) -> tuple:
    """Two classes: the brighter half of four pixels is on the left or on the right."""
    generator = np.random.default_rng(seed)
    labels = np.arange(rows) % 2
    images = generator.normal(size=(rows, 4)) + np.where(labels[:, None] == 0, [3, 3, 0, 0], [0, 0, 3, 3])
    return images.astype(np.float32), labels


def test_an_agents_features_are_its_hidden_layer() -> None:
    images, labels = _images(60, 0)
    agent = train_agent(images, labels, hidden_size=5, epochs=20, seed=1)
    features = agent.features(images)
    assert features.shape == (60, 5) and features.dtype == np.float32 and (features >= 0).all()
    # Its own output layer on top of them is what it predicts.
    logits = features @ agent.network.coefs_[1] + agent.network.intercepts_[1]
    scaled = (images - images.mean()) / images.std()
    np.testing.assert_array_equal(logits[:, 0] > 0, agent.network.predict(scaled) == 1)
    again = train_agent(images, labels, hidden_size=5, epochs=20, seed=1)
    np.testing.assert_array_equal(again.features(images), features)


def test_a_head_on_features() -> None:
    images, labels = _images(60, 0)
    test_images, test_labels = _images(200, 1)
    assert head_accuracy(images, labels, test_images, test_labels) > 0.95
    noise = np.random.default_rng(2).normal(size=(260, 3))
    assert head_accuracy(noise[:60], labels, noise[60:], test_labels) < 0.65
