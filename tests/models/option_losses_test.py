"""By hand, and against one pass for each option."""

from math import exp, log
from typing import Any, Callable

import pytest
import torch
import torch.nn.functional as F
from allennlp.common.checks import ConfigurationError

from attribution.data.dataset_readers import P3JsonlReader
from attribution.models.option_losses import length_normalized_loss, unlikelihood_loss
from tests.models.conftest import EXAMPLES, make_batch, make_model

# Two rows: the right option of the first has two tokens; the second has one option only.
PROBABILITIES = torch.tensor([[0.5, 0.0], [0.4, 0.1], [0.2, 0.6], [0.9, 0.0]])
MASK = PROBABILITIES > 0
LOG_PROBS = torch.where(MASK, PROBABILITIES, 1.0).log()
NUM_OPTIONS, GOLD = torch.tensor([3, 1]), torch.tensor([1, 3])


def test_by_hand() -> None:
    unlikelihood = -(log(1 - 0.5) + log(1 - 0.2) + log(1 - 0.6)) / 3
    assert unlikelihood_loss(LOG_PROBS, MASK, GOLD).item() == pytest.approx(unlikelihood, abs=1e-5)
    scores = [log(0.5), (log(0.4) + log(0.1)) / 2, (log(0.2) + log(0.6)) / 2]
    of_first_row = -log(exp(scores[1]) / sum(map(exp, scores)))
    found = length_normalized_loss(LOG_PROBS, MASK, NUM_OPTIONS, GOLD).item()
    assert found == pytest.approx((of_first_row + 0) / 2, abs=1e-6)


def test_rows_without_another_option_and_tokens_that_are_certain() -> None:
    assert unlikelihood_loss(LOG_PROBS[3:], MASK[3:], torch.tensor([0])).item() == 0
    log_probs = torch.tensor([[-0.1], [1e-6]], requires_grad=True)
    loss = unlikelihood_loss(log_probs, torch.ones(2, 1, dtype=torch.bool), torch.tensor([0]))
    loss.backward()
    assert loss.item() == pytest.approx(-log(1e-6), rel=1e-4)
    assert log_probs.grad is not None and log_probs.grad.isfinite().all()


def _slow_loss(model: Any, folder: str, seq2seq: bool) -> torch.Tensor:
    """T-Few's three losses, one pass for each option."""
    tokenizer = P3JsonlReader(folder).tokenizer
    right, wrong, choices = [], [], []
    for prompt, options, gold in EXAMPLES:
        [prompt_ids] = tokenizer.prompts([prompt], 512)
        means = []
        for number, ids in enumerate(tokenizer.options(options, 64)):
            if seq2seq:
                start = model.reading.start
                logits = model.transformer(
                    input_ids=torch.tensor([prompt_ids]), decoder_input_ids=torch.tensor([[start, *ids[:-1]]])
                ).logits[0]
            else:
                logits = model.transformer(input_ids=torch.tensor([[*prompt_ids, *ids]])).logits[0]
                logits = logits[len(prompt_ids) - 1 : -1]
            tokens = logits.log_softmax(-1)[range(len(ids)), list(ids)]
            means.append(tokens.mean())
            (right if number == gold else wrong).append(tokens)
        choices.append(F.cross_entropy(torch.stack(means)[None], torch.tensor([gold])))
    unlikelihood = -(1 - torch.cat(wrong).exp() + 1e-6).log().mean()
    return -torch.cat(right).mean() + 2 * unlikelihood + 3 * torch.stack(choices).mean()


@pytest.mark.parametrize(
    "name, delta",
    [
        ("t5", "ia3"),
        ("t5_gated", "ia3"),
        ("t5", "houlsby"),
        ("t5", "prefix"),
        ("bart", "lora"),
        ("llama", "lora"),
        ("llama", "prefix"),
    ],
)
def test_the_model_has_the_loss_and_the_gradients_of_one_pass_per_option(
    name: str, delta: str, tiny_model: Callable[[str], str]
) -> None:
    folder = tiny_model(name)
    settings = {"type": "causal_lm" if name == "llama" else "seq2seq", "delta": delta, "max_scored_tokens": 40}
    model = make_model(folder, **settings, unlikelihood_weight=2.0, length_normalized_weight=3.0).train()
    for module in model.modules():
        for rate in ("p", "dropout", "activation_dropout"):
            if isinstance(getattr(module, rate, None), float):
                setattr(module, rate, 0.0)
    losses = model(**make_batch(folder))["loss"], _slow_loss(model, folder, name != "llama")
    torch.testing.assert_close(*losses, atol=1e-5, rtol=1e-5)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    gradients = [torch.autograd.grad(loss, trained) for loss in losses]
    assert any(gradient.abs().max() > 1e-4 for gradient in gradients[0])
    for one, other in zip(*gradients):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3)


def test_without_them_the_wrong_options_do_not_matter(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5_without_dropout")
    for weights, same in (
        ({}, True),
        ({"length_normalized_weight": 1.0}, False),
        ({"unlikelihood_weight": 1.0}, False),
    ):
        model = make_model(folder, **weights)
        one, other = (
            make_batch(folder, [("good movie ?", ["green", wrong], 0)]) for wrong in ("red", "not maybe the film")
        )
        losses = [model.train()(**batch)["loss"].item() for batch in (one, other)]
        assert (losses[0] == pytest.approx(losses[1])) is same
        with torch.no_grad():  # The loss of an evaluation stays the cross-entropy.
            losses = [model.eval()(**batch)["loss"].item() for batch in (one, other)]
        assert losses[0] == pytest.approx(losses[1], abs=1e-5)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"unlikelihood_weight": -1.0}, "unlikelihood_weight is -1.0"),
        ({"unlikelihood_weight": 1.0, "label_smoothing": 0.1}, "label_smoothing does not go with"),
        ({"length_normalized_weight": 1.0, "gradient_checkpointing": True}, "gradient_checkpointing does not go with"),
    ],
)
def test_mistakes(settings: Any, message: str, tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_model(tiny_model("t5"), **settings)
