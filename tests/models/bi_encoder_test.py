"""The loss over the candidates of a batch, plain gradient steps, and a planted preference that is learned."""

import math
from copy import deepcopy
from typing import Any, Dict, List, Sequence

import numpy as np
import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Vocabulary
from allennlp.data.data_loaders import SimpleDataLoader
from allennlp.training import GradientDescentTrainer

from attribution.data.dataset_readers import TuplesReader
from attribution.encoders import Encoder
from attribution.models import BiEncoder


class LengthEncoder(Encoder):
    """(number of characters, 1), or what a text says."""

    @property
    def identity(self) -> Dict[str, Any]:
        return {"type": "length"}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)


def _model(**settings: Any) -> BiEncoder:
    torch.manual_seed(0)
    return BiEncoder(Vocabulary.empty(), LengthEncoder(), hidden_size=3, size=2, **settings)


def _batch(*tuples: Sequence[List[str]]) -> Dict[str, Any]:
    return Batch([TuplesReader().text_to_instance(*one) for one in tuples]).as_tensor_dict()


TUPLES = [(["a", "aa"], ["bbb"], ["cccc", "ddddd"]), (["eeeeee"], ["f"], ["gg", "hhh"])]


def test_loss_by_hand() -> None:
    """Each query against the candidates of both tuples."""
    model = _model(temperature=0.5).eval()
    with torch.no_grad():
        output = model(**_batch(*TUPLES))
        query, row = (
            lambda text: model.towers.queries(torch.tensor([[float(len(text)), 1.0]]))[0],
            lambda text: model.towers.rows(torch.tensor([[float(len(text)), 1.0]]))[0],
        )
        candidates = ["bbb", "cccc", "ddddd", "f", "gg", "hhh"]
        expected = 0.0
        for text, right in (("a", 0), ("eeeeee", 3)):
            scores = [float(query(text) @ row(other)) / 0.5 for other in candidates]
            expected += (math.log(sum(map(math.exp, scores))) - scores[right]) / 2
    assert output["loss"].item() == pytest.approx(expected, abs=1e-5)


def test_precision_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _model().eval()
    # Means over two queries: positives 0.5 and 0.1, negatives 0.4 and 0.1. Of the best two one is positive.
    cosines = torch.tensor([[0.9, 0.2, 0.3, 0.1], [0.1, 0.0, 0.5, 0.1]])
    monkeypatch.setattr(model, "_loss", lambda *lists: torch.zeros(()))
    monkeypatch.setattr(model, "_cosines", lambda queries, rows: cosines)
    output = model(**_batch((["a", "b"], ["c", "d"], ["e", "f"])))
    assert output["scores"][0] == pytest.approx([0.5, 0.1, 0.4, 0.1])
    assert model.get_metrics(reset=True) == {"precision": 0.5, "loss": pytest.approx(0.0)}
    # Nothing is learned where all scores are equal.
    monkeypatch.setattr(model, "_cosines", lambda queries, rows: torch.zeros(1, 4))
    model(**_batch((["a"], ["c", "d"], ["e", "f"])))
    assert model.get_metrics(reset=True) == {"precision": 0.0, "loss": 0.0}


def test_draws_one_query_one_positive_and_so_many_negatives(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _model(negatives=2).train()
    seen = []
    cosines = model._cosines
    monkeypatch.setattr(model, "_cosines", lambda queries, rows: seen.append((queries, rows)) or cosines(queries, rows))
    for _ in range(40):
        model(**_batch((["a", "b"], ["c", "d"], ["e", "f", "g"])))
    assert all(len(queries) == 1 and len(rows) == 3 and len(set(rows)) == 3 for queries, rows in seen)
    assert {queries[0] for queries, _ in seen} == {"a", "b"} and {rows[0] for _, rows in seen} == {"c", "d"}
    assert {text for _, rows in seen for text in rows[1:]} == {"e", "f", "g"}


def test_each_step_has_its_own_gradients() -> None:
    """The reference zeroed them once an epoch."""
    model = _model()
    one_of_each = [(["a"], ["bbb"], ["cc"]), (["dddd"], ["e"], ["ffffff"]), (["gg"], ["hh"], ["i"])]
    by_hand = deepcopy(model).train()
    for lists in one_of_each:
        gradients = torch.autograd.grad(by_hand(**_batch(lists))["loss"], list(by_hand.parameters()))
        with torch.no_grad():
            for weight, gradient in zip(by_hand.parameters(), gradients):
                weight -= 0.1 * gradient
    instances = [TuplesReader().text_to_instance(*lists) for lists in one_of_each]
    trainer = GradientDescentTrainer(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        SimpleDataLoader(instances, 1, vocab=Vocabulary.empty()),
        num_epochs=1,
        cuda_device=-1,
    )
    trainer.train()
    for weight, expected in zip(model.parameters(), by_hand.parameters()):
        torch.testing.assert_close(weight, expected)


@pytest.mark.parametrize("settings", [{"size": 0}, {"hidden_size": 0}, {"temperature": 0.0}, {"negatives": 0}])
def test_wrong_settings(settings: Any) -> None:
    with pytest.raises(ConfigurationError, match="bi_encoder: hidden_size is [0-9]+, size [0-9]+, negatives"):
        BiEncoder(Vocabulary.empty(), LengthEncoder(), **settings)


def test_from_a_configuration(tiny_model: Any) -> None:
    encoder = {"type": "transformer", "model_name": tiny_model("bart")}
    params = Params({"encoder": encoder, "size": 4})
    model = BiEncoder.from_params(params, vocab=Vocabulary.empty())
    assert {name for name in model.state_dict()} == {
        f"towers.{tower}.{layer}.{kind}"
        for tower in ("query", "row")
        for layer in (0, 2)
        for kind in ("weight", "bias")
    }
