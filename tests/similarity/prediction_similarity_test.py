"""Each measure against a loop over examples, tokens and the vocabulary."""

from math import exp, log, sqrt
from typing import Any, Callable, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.similarity import EL2N, KL, LogitLabelCosine, Loss
from tests.similarity.conftest import resident, slow_runs, source_of, task


def _probabilities(logits: List[float]) -> List[float]:
    powers = [exp(value) for value in logits]
    return [power / sum(powers) for power in powers]


def _loss(p: List[float], label: int, _of_target: List[float]) -> float:
    return -log(p[label])


def _el2n(p: List[float], label: int, _of_target: List[float]) -> float:
    return sqrt(sum((value - (number == label)) ** 2 for number, value in enumerate(p)))


def _cosine(p: List[float], label: int, _of_target: List[float]) -> float:
    return p[label] / sqrt(sum(value**2 for value in p))


def _kl(p: List[float], _label: int, of_target: List[float]) -> float:
    return sum(own * log(own / other) for own, other in zip(of_target, p))


@pytest.mark.parametrize("model", ["t5", "bart", "llama", "gpt2"])
@pytest.mark.parametrize(
    "measure, slow, is_mean",
    [(Loss(), _loss, True), (EL2N(), _el2n, False), (LogitLabelCosine(), _cosine, False), (KL(), _kl, False)],
    ids=["loss", "el2n", "logit_label_cosine", "kl"],
)
def test_as_by_hand(
    measure: Any, slow: Any, is_mean: bool, model: str, save_delta: Any, tiny_model: Callable[[str], str]
) -> None:
    base = tiny_model(model)
    own, source = save_delta("own", 1, model), save_delta("source", 2, model)
    loaded = resident(base, source, model)
    with torch.no_grad():
        runs = {}
        for folder in (own, source):
            loaded.put(folder)
            runs[folder] = slow_runs(loaded, base)
    values = [
        slow(_probabilities(there.tolist()), int(label), _probabilities(here.tolist()))
        for of_source, of_own in zip(runs[source], runs[own])
        for there, label, here in zip(of_source["logits"], of_source["labels"], of_own["logits"])
    ]
    wanted = sum(values) / (len(values) if is_mean else 1)
    assert len(values) > 4
    loaded.put(own)
    for batch_size in (1, 3, 4):  # Padding and order change nothing.
        target = task(base, batch_size, own)
        found = measure.compare(target, source_of(source), loaded, measure.reference(target, loaded))
        assert found == {"model": pytest.approx(wanted, rel=1e-4)}


def test_means_and_sums(save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    base = tiny_model("t5")
    source = save_delta("source", 2)
    loaded, target = resident(base, source), task(base)
    tokens = sum(len(batch.labels) for batch in target.batches)
    for measure in (Loss, EL2N, LogitLabelCosine):
        scores = [measure(kind).compare(target, source_of(source), loaded, None)["model"] for kind in ("mean", "sum")]  # type: ignore[abstract]
        assert scores[0] * tokens == pytest.approx(scores[1])
    with pytest.raises(ConfigurationError, match="measure.reduction: 'median' is none of mean, sum"):
        Loss("median")


def test_a_delta_does_not_differ_from_itself(save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    own = save_delta("own", 1)
    loaded, measure = resident(tiny_model("t5"), own), KL()
    target = task(tiny_model("t5"), delta=own)
    assert measure.compare(target, source_of(own), loaded, measure.reference(target, loaded)) == {"model": 0.0}


def test_each_knows_its_sign() -> None:
    """In the reference the sign is the ensemble's, and always minus: cosines were turned round."""
    assert [measure().higher_is_better for measure in (Loss, EL2N, KL, LogitLabelCosine)] == [False, False, False, True]
