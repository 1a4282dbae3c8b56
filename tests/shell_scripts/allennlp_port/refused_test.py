"""What only an object, or a training that has begun, can refuse: one message that names the setting."""

from pathlib import Path
from typing import Any, Dict, List

import pytest
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.params import with_overrides
from allennlp.data import Instance
from allennlp.data.fields import TextField
from allennlp.data.samplers import MaxTokensBatchSampler
from allennlp.data.tokenizers import Token
from hypothesis import given
from hypothesis import strategies as st

from tests.shell_scripts.allennlp_port.tiny import config


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"trainer.validation_metric": "+eror"}, '"trainer.validation_metric": the model has no metric "eror"; did'),
        ({"trainer.validation_metric": "error"}, '"trainer.validation_metric" is "error"; + (more is better) or - bef'),
        (
            {"trainer.learning_rate_scheduler.gradual_unfreezing": True},
            '"trainer.learning_rate_scheduler": The default group should be empty',
        ),
        (
            {"trainer.momentum_scheduler": {"type": "inverted_triangular", "cool_down": 1, "warm_up": 1}},
            '"trainer.momentum_scheduler": momentum missing',
        ),
        ({"trainer.callbacks": ["mixed_precision_backward"]}, 'needs "trainer.use_amp": true'),
        (
            {"dataset_reader": {"type": "multitask", "readers": {"a": {"type": "tiny"}}}, "train_data_path": "2"},
            '"dataset_reader" is a multitask one; "data_loader.type": "multitask" is needed',
        ),
        ({"data_loader.start_method": "forkk"}, '"data_loader.start_method" is "forkk"; one of "fork", "forkserver"'),
    ],
)
def test_what_it_says(changes: Dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        train_model(Params(with_overrides(config(), changes)), str(tmp_path / "run"))
    assert message in str(refused.value)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 20))
def test_batches_of_so_many_tokens(lengths: List[int], most: int) -> None:
    """Each row is in one, and one that has too many tokens has a single row."""
    rows = [Instance({"text": TextField([Token("x")] * length)}) for length in lengths]
    batches = list(MaxTokensBatchSampler(max_tokens=most, padding_noise=0.0).get_batch_indices(rows))
    assert sorted(row for batch in batches for row in batch) == list(range(len(rows)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= most
