from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.similarity import LabelledBatch
from attribution.task_vectors import TaskRows, TunedTextEmbedder
from tests.similarity.conftest import kind_of, resident, save_delta, slow_runs, task

__all__ = ["save_delta"]


@pytest.mark.parametrize("pooling", ["inner", "first", "mean"])
@pytest.mark.parametrize("model", ["t5", "bart", "llama"])
@torch.no_grad()
def test_is_the_mean_of_examples_one_at_a_time(
    model: str, pooling: str, tiny_model: Callable[[str], str], save_delta: Callable[..., Path]
) -> None:
    base = tiny_model(model)
    tuned = resident(base, save_delta("rte", 1, model), model)
    rows = TaskRows("rte", [], task(base).batches)
    wanted = []
    for run in slow_runs(tuned, base):
        hidden: Any = run["hidden"][0][-1][0]
        if kind_of(model) == "causal_lm":
            hidden = hidden[: len(hidden) - len(run["labels"])]
        pooled = {"inner": hidden[1:-1].mean(0), "first": hidden[0], "mean": hidden.mean(0)}
        wanted.append(pooled[pooling].numpy())
    np.testing.assert_allclose(TunedTextEmbedder(pooling).embed(rows, tuned), np.mean(wanted, axis=0), atol=1e-5)


def test_without_the_marks_at_both_ends_as_published(
    tiny_model: Callable[[str], str], save_delta: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the two marks say, the vector is the same; and padding on either side is no token."""
    tuned = resident(tiny_model("bart"), save_delta("rte", 1, "bart"), "bart")
    states = torch.tensor([[[9.0], [1.0], [3.0], [9.0], [7.0]], [[7.0], [9.0], [5.0], [9.0], [7.0]]])
    mask = torch.tensor([[1, 1, 1, 1, 0], [0, 1, 1, 1, 0]]).bool()
    encoder = tuned.transformer.get_encoder()
    monkeypatch.setattr(encoder, "forward", lambda **_: SimpleNamespace(last_hidden_state=states))
    text = {"token_ids": torch.zeros(2, 5, dtype=torch.long), "mask": mask}
    rows = TaskRows("rte", [], [LabelledBatch(text, text)])
    assert TunedTextEmbedder().embed(rows, tuned).tolist() == [((1 + 3) / 2 + 5) / 2]
    short = {**text, "mask": mask & torch.tensor([1, 1, 1, 0, 0]).bool()}
    with pytest.raises(ConfigurationError, match="an input of the task 'rte' has 2 tokens, and none but the first"):
        TunedTextEmbedder().embed(TaskRows("rte", [], [LabelledBatch(short, short)]), tuned)


def test_unknown_pooling() -> None:
    with pytest.raises(ConfigurationError, match="pooling"):
        TunedTextEmbedder("bos")
