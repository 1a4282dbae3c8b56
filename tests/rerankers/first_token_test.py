from typing import Any, List

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    BartConfig,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    RobertaConfig,
)

from attribution.rerankers.first_token import compute_first_token_only
from tests.conftest import _BART, _BERT

IDS = torch.tensor([[3, 5, 7, 9, 11, 2], [3, 6, 2, 0, 0, 0]])
CONFIGS = {
    "bert": (lambda: BertConfig(**_BERT), True),
    "roberta": (lambda: RobertaConfig(**{**_BERT, "pad_token_id": 0}), True),
    "electra": (lambda: ElectraConfig(**_BERT, embedding_size=16), True),
    "distilbert": (lambda: DistilBertConfig(vocab_size=128, dim=16, n_layers=2, n_heads=2, hidden_dim=32), False),
    "bart": (lambda: BartConfig(**_BART), False),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_changes_no_logit(name: str) -> None:
    config, possible = CONFIGS[name]
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config()).eval()
    inputs = {"input_ids": IDS, "attention_mask": (IDS != 0).long()}
    before = model(**inputs).logits
    assert compute_first_token_only(model) == possible
    torch.testing.assert_close(model(**inputs).logits, before, rtol=0, atol=1e-6)


def test_the_others_are_left_out() -> None:
    model = AutoModelForSequenceClassification.from_config(BertConfig(**_BERT)).eval()
    lengths: List[int] = []
    for layer in model.bert.encoder.layer:
        layer.intermediate.register_forward_hook(lambda module, inputs, output: lengths.append(output.size(1)))
    compute_first_token_only(model)
    lengths.clear()
    model(input_ids=IDS)
    assert lengths == [6, 1]


def test_a_head_that_reads_more_is_left_as_it_is() -> None:
    model: Any = AutoModelForSequenceClassification.from_config(BertConfig(**_BERT)).eval()
    model.bert.pooler.forward = lambda states: states.mean(1)
    before = model(input_ids=IDS).logits
    assert not compute_first_token_only(model)
    torch.testing.assert_close(model(input_ids=IDS).logits, before)
