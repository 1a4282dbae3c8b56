"""Random answers, in which some are right, some nearly, and some are nothing."""

import random
from typing import Any, Dict, List, Tuple

WORDS = ["the", "a", "An", "cat", "Cats", "sat", "running", "12", "12.0", "1,000", "no-one", "mat.", "(x)", "", "!"]


def random_rows(seed: int, count: int = 200) -> Tuple[List[str], List[Dict[str, Any]]]:
    """Predictions and details: one to three references, the prediction among them for some."""
    source = random.Random(seed)
    predictions, details = [], []
    for _ in range(count):
        references = [random_text(source) for _ in range(source.randint(1, 3))]
        predictions.append(source.choice(references) if source.random() < 0.3 else random_text(source))
        details.append({"references": references})
    return predictions, details


def random_text(source: random.Random) -> str:
    return " ".join(source.choices(WORDS, k=source.randint(0, 6)))


def measure(metric: Any, predictions: Any, details: Any) -> Dict[str, float]:
    """In two batches, as `get_metric` gives it."""
    half = len(predictions) // 2
    metric(predictions[:half], details[:half])
    metric(predictions[half:], details[half:])
    return metric.get_metric(reset=True)


def values_of(metric: Any, prediction: str, **details: Any) -> Dict[str, float]:
    """Of one row."""
    metric([prediction], [details])
    return metric.get_metric(reset=True)
