"""One contract for every measure."""

from typing import Any, Callable

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.similarity import TaskSimilarity
from tests.similarity.conftest import resident, source_of, task

# Those of a sweep's files, retrieved rows, vectors and finished scores have no delta to read; `euclidean` reads two.
OTHERS = {"euclidean", "performance", "retrieval_overlap", "kernel_alignment", "result_tsv"}
MEASURES = sorted(set(TaskSimilarity.list_available()) - OTHERS)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("model", ["t5", "llama"])
def test_a_number_for_each_part(name: str, model: str, save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    base = tiny_model(model)
    own, source = save_delta("own", 1, model), save_delta("source", 2, model)
    loaded = resident(base, source, model)
    target = task(base, 2, own)
    for granularity in TaskSimilarity.by_name(name).granularities:  # type: ignore[attr-defined]
        settings = {"granularity": granularity} if granularity != "model" else {}
        measure = TaskSimilarity.from_params(Params({"type": name, **settings}))
        scores = measure.compare(target, source_of(source), loaded, measure.reference(target, loaded))
        again = measure.compare(target, source_of(source), loaded, measure.reference(target, loaded))
        assert scores == again and all(isinstance(score, float) for score in scores.values())
        assert (list(scores) == ["model"]) == (measure.granularity == "model")


def test_an_unknown_granularity() -> None:
    with pytest.raises(ConfigurationError, match="measure.granularity: 'head' is none of model, block, layer"):
        TaskSimilarity.from_params(Params({"type": "grand", "granularity": "head"}))
