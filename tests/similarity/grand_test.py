"""Against Hugging Face's own loss and plain backward passes, with the same dropout; and the weights that follow."""

from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.ensembling.weighting import SimilarityRow, SoftmaxWeighting
from attribution.similarity import GraNd, TargetTask, labelled_batches
from attribution.similarity.resident_model import ResidentModel
from tests.similarity.conftest import EXAMPLES, instances, resident, source_of


def _target(base: str, batch_size: int, times: int = 3) -> TargetTask:
    return TargetTask("target", labelled_batches(instances(base) * times, batch_size, "the target", in_order=True))


def _slow(model: ResidentModel, target: TargetTask, train: bool, part: str = "") -> List[float]:
    """Of each batch the norm of the gradient, of tensors whose name has `part` in it."""
    model.model.train(train)
    torch.manual_seed(42)
    norms = []
    for batch in target.batches:
        labels = batch.answers["token_ids"].masked_fill(~batch.answers["mask"], -100)
        prompts, mask = batch.prompts["token_ids"], batch.prompts["mask"]
        model.transformer.zero_grad()
        model.transformer(input_ids=prompts, attention_mask=mask.long(), labels=labels).loss.backward()
        squares = [weight.grad.pow(2).sum().item() for name, weight in model.tensors().items() if part in name]
        norms.append(sum(squares) ** 0.5)
    model.model.eval()
    model.transformer.zero_grad()
    return norms


@pytest.mark.parametrize("delta", [{"type": "lora", "r": 2}, {"type": "houlsby", "size": 3}], ids=lambda d: d["type"])
def test_sums_of_the_batches_norms_with_dropout(
    delta: Dict[str, Any], save_delta: Any, tiny_model: Callable[[str], str]
) -> None:
    base, source = tiny_model("t5"), save_delta("source", 3, "t5", delta)
    loaded, target = resident(base, source), _target(base, 5)
    assert [len(batch.prompts["mask"]) for batch in target.batches] == [5, 5, 2]
    wanted = _slow(loaded, target, train=True)
    measure = GraNd()
    assert measure.examples_a_batch == 5
    state = torch.get_rng_state()
    assert measure.compare(target, source_of(source), loaded, None) == {"model": pytest.approx(sum(wanted), rel=1e-4)}
    assert torch.equal(state, torch.get_rng_state()) and not loaded.model.training
    mean = GraNd(reduction="mean").compare(target, source_of(source), loaded, None)
    assert mean["model"] == pytest.approx(sum(wanted) / 3, rel=1e-4)
    without = _slow(loaded, target, train=False)
    assert GraNd(dropout=False).compare(target, source_of(source), loaded, None)["model"] == pytest.approx(
        sum(without), rel=1e-4
    )
    assert abs(sum(without) - sum(wanted)) > 1e-3 * sum(wanted)
    assert GraNd(seed=7).compare(target, source_of(source), loaded, None)["model"] != pytest.approx(
        sum(wanted), rel=1e-4
    )


def test_by_block(save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    base, source = tiny_model("t5"), save_delta("source", 3)
    measure = GraNd("block")
    assert measure.examples_a_batch == 10
    loaded, target = resident(base, source), _target(base, 10)
    found = measure.compare(target, source_of(source), loaded, None)
    assert len(found) == 4
    for part, score in found.items():
        assert score == pytest.approx(sum(_slow(loaded, target, True, f"{part}.")), rel=1e-4)


def test_the_order_of_the_file(tiny_model: Callable[[str], str]) -> None:
    base = tiny_model("t5")
    lengths = [len(instance["prompt_and_input"]) for instance in instances(base)]  # type: ignore[arg-type]
    assert lengths != sorted(lengths, reverse=True)
    found = [int(row.sum()) for batch in _target(base, 3, 1).batches for row in batch.prompts["mask"]]
    assert found == lengths and len(EXAMPLES) == 4


def test_weights_are_flatter_than_those_of_single_examples(
    save_delta: Any, tiny_model: Callable[[str], str], tmp_path: Path
) -> None:
    """The published temperature of 10 belongs to some ten batches, not to fifty examples."""
    from attribution.similarity import GraNdPerExample

    base = tiny_model("t5")
    sources = [save_delta(f"source{number}", number) for number in range(4)]
    loaded, target = resident(base, sources[0]), _target(base, 5, 12)
    weights = {}
    for measure in (GraNd(), GraNdPerExample()):
        scores = [measure.compare(target, source_of(source), loaded, None)["model"] for source in sources]
        row = SimilarityRow("target", [source.name for source in sources], np.array(scores), False)
        found = SoftmaxWeighting(10).weigh(row)
        powers = np.exp(-(np.array(scores) - min(scores)) / 10)
        np.testing.assert_allclose(found, powers / powers.sum())
        weights[type(measure)] = found
    assert np.ptp(weights[GraNd]) < np.ptp(weights[GraNdPerExample])


def test_mistakes() -> None:
    with pytest.raises(ConfigurationError, match="measure.batch_size is 0; at least one example is needed"):
        GraNd(batch_size=0)
