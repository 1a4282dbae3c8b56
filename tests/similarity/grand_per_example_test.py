from typing import Any, Callable

import pytest

from attribution.similarity import GraNdPerExample
from attribution.similarity.per_example_gradients import gradient_norms
from tests.similarity.conftest import EXAMPLES, resident, source_of, task


@pytest.mark.parametrize("model, blocks", [("t5", 4), ("bart", 4), ("llama", 2)])
def test_sums_and_means_of_the_examples_norms(
    model: str, blocks: int, save_delta: Any, tiny_model: Callable[[str], str]
) -> None:
    base, source = tiny_model(model), save_delta("source", 3, model)
    loaded = resident(base, source, model)
    target = task(base)
    wanted = sum(gradient_norms(loaded, batch, lambda name: "all")["all"].sum().item() for batch in target.batches)
    assert GraNdPerExample().compare(target, source_of(source), loaded, None) == {"model": pytest.approx(wanted)}
    mean = GraNdPerExample(reduction="mean").compare(target, source_of(source), loaded, None)["model"]
    assert mean == pytest.approx(wanted / len(EXAMPLES))
    for batch_size in (1, 4):
        assert GraNdPerExample().compare(task(base, batch_size), source_of(source), loaded, None)[
            "model"
        ] == pytest.approx(wanted, rel=1e-5)
    of_blocks = GraNdPerExample("block").compare(target, source_of(source), loaded, None)
    assert len(of_blocks) == blocks and all(0 < score < wanted for score in of_blocks.values())
