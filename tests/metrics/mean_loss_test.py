"""A reported loss is over rows: the same whatever the batches, their order and the number of processes."""

from typing import Any, Callable, Dict, List, Sequence, Tuple

import pytest
import torch
from allennlp.data import Instance, Vocabulary
from allennlp.data.data_loaders import SimpleDataLoader
from allennlp.evaluation import SimpleEvaluator
from allennlp.training import GradientDescentTrainer
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.data.dataset_readers import P3JsonlReader, TextPairReader
from attribution.metrics import MeanLoss
from tests.conftest import WORDS, build_classifier, build_model
from tests.models.conftest import make_model

ROWS = 7
# Answers of one token to four, among one option to four.
OPTIONS = [[" ".join(WORDS[: 1 + (row + place) % 4]) for place in range(1 + row % 4)] for row in range(ROWS)]
KINDS: Dict[str, Dict[str, Any]] = {
    "seq2seq": {},
    "causal_lm": {"type": "causal_lm"},
    "sum": {"loss": "sum"},
    "smoothed": {"label_smoothing": 0.1},
    "options": {"unlikelihood_weight": 0.5, "length_normalized_weight": 2.0},
    "task_moe_seq2seq": {
        "type": "task_moe_seq2seq",
        "experts": {"type": "lora", "r": 2},
        "selector": {"type": "uniform"},
        "task": "birds",
        "expert_regularisation": 0.5,
    },
    "pair_classifier": {"type": "pair_classifier"},
}

Prepared = Tuple[Any, List[Instance]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Prepared]:
    """kind -> a model without dropout, and rows for it; built once."""
    found: Dict[str, Prepared] = {}

    def build(kind: str) -> Prepared:
        folder = tmp_path_factory.mktemp("model")
        reader: Any
        if kind == "pair_classifier":
            build_classifier(folder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
            reader = TextPairReader(str(folder))
            rows = [(WORDS[row], options[0], row % 2) for row, options in enumerate(OPTIONS)]
        else:
            build_model({"causal_lm": "llama"}.get(kind, "t5_without_dropout"), folder)
            reader = P3JsonlReader(str(folder))
            rows = [(" ".join(WORDS[: 2 + row]), options, len(options) - 1) for row, options in enumerate(OPTIONS)]
        torch.manual_seed(3)
        return make_model(str(folder), **KINDS[kind]), [reader.text_to_instance(*row) for row in rows]

    return lambda kind: found.setdefault(kind, found.get(kind) or build(kind))


def loader(rows: Sequence[Instance], size: int) -> Any:
    return SimpleDataLoader(list(rows), size, vocab=Vocabulary.empty())


def evaluated(model: Any, rows: Sequence[Instance], size: int) -> Dict[str, float]:
    return SimpleEvaluator()(model, loader(rows, size))


def trained(model: Any, rows: Sequence[Instance], size: int, together: int = 1) -> Dict[str, float]:
    """An epoch in which nothing is learned."""
    trainer = GradientDescentTrainer(
        model,
        torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.0),
        loader(rows, size),
        validation_data_loader=loader(rows, size),
        num_epochs=1,
        num_gradient_accumulation_steps=together,
        cuda_device=-1,
        run_confidence_checks=False,
    )
    metrics = trainer.train()
    of_rows = {name: value for name, value in metrics.items() if name.startswith(("training_", "validation_"))}
    return {name: value for name, value in of_rows.items() if not name.endswith(("_duration", "_MB"))}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=5)
@given(size=st.integers(1, ROWS + 1), together=st.integers(1, 2), order=st.permutations(range(ROWS)))
def test_any_batches_in_any_order(
    prepared: Callable[[str], Prepared], kind: str, size: int, together: int, order: List[int]
) -> None:
    model, rows = prepared(kind)
    others = [rows[place] for place in order]
    assert evaluated(model, others, size) == pytest.approx(evaluated(model, rows, ROWS), abs=2e-5)
    whole, found = trained(model, rows, ROWS), trained(model, others, size, together)
    assert found == pytest.approx(whole, abs=2e-5) and {"training_loss", "validation_loss"} <= set(whole)


@pytest.mark.parametrize("kind", ["seq2seq", "sum", "options", "pair_classifier"])
def test_of_one_batch_it_is_the_loss_that_is_differentiated(prepared: Callable[[str], Prepared], kind: str) -> None:
    model, rows = prepared(kind)
    [batch] = loader(rows, ROWS)
    loss = model.train()(**batch)["loss"].item() / (ROWS if kind == "sum" else 1)
    assert trained(model, rows, ROWS)["training_loss"] == pytest.approx(loss, abs=1e-6)


def test_each_part_is_a_mean_of_its_own() -> None:
    metric = MeanLoss()
    assert metric.get_metric() == {}
    metric("right", 6.0, 2)
    metric("right", 0.0, 1)
    metric("wrong", 1.0, 4)
    metric("nothing", float("nan"), 0)
    assert metric.get_metric() == {"loss": 2.25}
    assert metric.get_metric(reset=True) == {"loss": 2.25} and metric.get_metric() == {}
