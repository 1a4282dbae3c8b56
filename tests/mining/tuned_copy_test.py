from typing import Any, Dict

import numpy as np
import pytest
import torch
from allennlp.common import Lazy, Params
from allennlp.common.checks import ConfigurationError
from allennlp.models import Model

from attribution.mining.loss_miner import _DECODER
from attribution.mining.tuned_copy import TunedCopy
from attribution.modules.delta import DeltaModule, FullFineTuning, Lora

TEXTS = [["the cat sat on the mat", "yes"], ["good movie ?", "no"], ["one two three", "four five"]]
LENGTHS = (16, 8)


def _copy(folder: str, delta: DeltaModule, kind: str = "seq2seq", **settings: Any) -> TunedCopy:
    model = Lazy(Model, Params({"type": kind, "model_name": folder}))
    tuning = {"learning_rate": 0.01, "batch_size": 2, "epochs": 2, "warmup_steps": 1, "max_norm": 1.0, **settings}
    return TunedCopy(model, delta, **tuning)


def _state(copy: TunedCopy) -> Dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in copy.model.transformer.state_dict().items()}


@pytest.mark.parametrize("name", ["t5", "bart", "bert2bert", "llama", "gpt2"])
@pytest.mark.parametrize("full", [False, True])
def test_tuning_lowers_the_loss_and_is_undone(name: str, full: bool, tiny_model: Any) -> None:
    kind = "causal_lm" if name in ("llama", "gpt2") else "seq2seq"
    copy = _copy(tiny_model(name), FullFineTuning() if full else Lora(target_modules=_DECODER), kind)
    examples = copy.examples(TEXTS, LENGTHS)
    # What the encoder reads is kept where nothing in it is tuned.
    assert all((example.states is not None) == (kind == "seq2seq" and not full) for example in examples)
    batches = copy.batches(examples)
    before, untuned = copy.loss(batches), _state(copy)
    copy.tune(examples, np.random.default_rng(0))
    after = copy.loss(batches)
    assert after < before
    copy.restore()
    assert copy.loss(batches) == before
    assert all(torch.equal(weight, untuned[name]) for name, weight in _state(copy).items())
    copy.tune(examples, np.random.default_rng(0))
    assert copy.loss(batches) == after


def test_kept_states_change_nothing(tiny_model: Any) -> None:
    """The same tuning where the encoder is frozen and read at each step."""
    delta = Lora(target_modules=_DECODER)
    torch.manual_seed(0)
    copy = _copy(tiny_model("t5"), delta)
    examples = copy.examples(TEXTS, LENGTHS)
    plain = [example._replace(states=None) for example in examples]
    losses = []
    for some in (examples, plain):
        copy.tune(some, np.random.default_rng(1))
        losses.append(copy.loss(copy.batches(some)))
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_a_further_start_token(tiny_model: Any) -> None:
    """What a model was trained with, it is tuned and measured with."""
    delta = Lora(target_modules=_DECODER)
    [plain], [further] = (
        _copy(tiny_model("bart"), delta, extra_bos=extra).examples(TEXTS[:1], LENGTHS) for extra in (False, True)
    )
    assert further.prompt == [plain.prompt[0], *plain.prompt] and further.answer == [plain.answer[0], *plain.answer]


def test_the_loss_is_that_of_all_answer_tokens(tiny_model: Any) -> None:
    copy = _copy(tiny_model("t5"), Lora(target_modules=_DECODER))
    examples = copy.examples(TEXTS, LENGTHS)
    alone = [copy.loss(copy.batches([example])) for example in examples]
    tokens = [len(example.answer) for example in examples]
    assert copy.loss(copy.batches(examples)) == pytest.approx(np.average(alone, weights=tokens), abs=1e-5)


@pytest.mark.parametrize("steps, warmup", [(4, 0), (4, 2), (2, 3), (1, 3)])
def test_rates_rise_and_fall(steps: int, warmup: int, tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = []
    real = torch.optim.AdamW.step

    def step(optimizer: Any, *args: Any) -> Any:
        rates.append(optimizer.param_groups[0]["lr"])
        return real(optimizer, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    settings = {"learning_rate": 1.0, "batch_size": 1, "epochs": 1, "warmup_steps": warmup}
    copy = _copy(tiny_model("t5"), Lora(target_modules=_DECODER), **settings)
    copy.tune(copy.examples([TEXTS[0]] * steps, LENGTHS), np.random.default_rng(0))
    wanted = {(4, 0): [1, 3 / 4, 2 / 4, 1 / 4], (4, 2): [1 / 2, 1, 2 / 3, 1 / 3], (2, 3): [1 / 2, 1], (1, 3): [1]}
    assert rates == pytest.approx(wanted[steps, warmup])


def test_mistakes(tiny_model: Any, tiny_classifier: Any) -> None:
    params = {"type": "seq2seq", "model_name": tiny_model("t5"), "delta": {"type": "lora"}}
    with pytest.raises(ConfigurationError, match="leave `delta` out|several values"):
        TunedCopy(Lazy(Model, Params(params)), FullFineTuning(), 0.1, 2, 1, 3, 0.1)
    copy = _copy(tiny_model("bart"), Lora(target_modules=_DECODER))
    with pytest.raises(ConfigurationError, match="has 64 positions"):
        copy.batches(copy.examples([["good " * 80, "yes"]], (100, 8)))
