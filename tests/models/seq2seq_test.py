"""T5, BART, Marian and EncoderDecoder: the published loss, generation, weights of another run."""

from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Vocabulary
from torch.nn.functional import cross_entropy

from attribution.data.dataset_readers import P3JsonlReader
from attribution.models import LoadSeq2Seq, Seq2Seq
from tests.conftest import SEQ2SEQ
from tests.models.conftest import EXAMPLES, make_batch, make_model


def _gold(batch: Dict[str, Any]) -> torch.Tensor:
    options = batch["answer_options"]
    rows = options["num_options"].cumsum(0) - options["num_options"] + batch["correct_answer_index"]
    return options["token_ids"][rows].masked_fill(~options["mask"][rows], -100)


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_loss_is_the_published_mean_token_cross_entropy(name: str, tiny_model: Callable[[str], str]) -> None:
    model, batch = make_model(tiny_model(name)), make_batch(tiny_model(name))
    labels = _gold(batch)
    start = torch.full((3, 1), {"bart": 2, "bert2bert": 1}.get(name, 0))
    prompts = batch["prompt_and_input"]
    model.eval()
    with torch.no_grad():
        logits = model.transformer(
            input_ids=prompts["token_ids"],
            attention_mask=prompts["mask"].long(),
            decoder_input_ids=torch.cat([start, labels[:, :-1].clamp(min=0)], 1),
        ).logits.transpose(1, 2)
        expected = cross_entropy(logits, labels)
        assert model(**batch)["loss"].item() == pytest.approx(expected.item(), abs=1e-5)
        model.train()
        model.transformer.eval()  # No dropout.
        assert model(**batch)["loss"].item() == pytest.approx(expected.item(), abs=1e-5)
        model.loss_reduction = "sum"
        total = cross_entropy(logits, labels, reduction="sum")
        assert model(**batch)["loss"].item() == pytest.approx(total.item(), abs=1e-4)
        model.label_smoothing = 0.1
        smooth = cross_entropy(logits, labels, reduction="sum", label_smoothing=0.1)
        assert model(**batch)["loss"].item() == pytest.approx(smooth.item(), abs=1e-4)


@pytest.mark.parametrize("name, epsilon", [("bart", 0.1), ("t5", 0.1), ("bart", 0.0)])
def test_recross_loss_by_hand(name: str, epsilon: float, tiny_model: Callable[[str], str]) -> None:
    """Summed, not averaged; of each token epsilon of its probability is spread over the whole vocabulary."""
    folder = tiny_model(name)
    model = make_model(folder, loss="sum", label_smoothing=epsilon)
    batch = make_batch(folder, EXAMPLES[:1])
    [labels] = _gold(batch).tolist()
    start = 2 if name == "bart" else 0
    model.transformer.eval()  # No dropout, but training.
    with torch.no_grad():
        logits = model.transformer(
            input_ids=batch["prompt_and_input"]["token_ids"], decoder_input_ids=torch.tensor([[start, *labels[:-1]]])
        ).logits[0]
        expected = 0.0
        for token, scores in zip(labels, logits.double().log_softmax(-1)):
            expected -= (1 - epsilon) * scores[token].item() + epsilon / len(scores) * scores.sum().item()
        assert model(**batch)["loss"].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name, start, extra_bos", [("bart", 2, True), ("bart", 2, False), ("t5", 0, False)])
def test_the_decoder_starts_as_it_was_trained(
    name: str, start: int, extra_bos: bool, tiny_model: Callable[[str], str]
) -> None:
    """After BART's end of sequence and T5's padding, in training and in beam search alike."""
    reader = P3JsonlReader(tiny_model(name), extra_bos=extra_bos)
    batch = Batch([reader.text_to_instance("a film", ["yes"], 0)]).as_tensor_dict()
    model = make_model(tiny_model(name), generation={"num_beams": 2, "max_new_tokens": 3})
    read = []
    model.transformer.get_decoder().register_forward_pre_hook(
        lambda _module, _arguments, inputs: read.append(inputs["input_ids"].tolist()), with_kwargs=True
    )
    model(**batch)
    yes = 4
    begun = {"bart": [1, 1] if extra_bos else [1], "t5": []}[name]
    assert read.pop() == [[start, *begun, yes]]
    with torch.no_grad():
        model.eval()._generate(batch["prompt_and_input"])
    assert {row[0] for row in read[0]} == {start}


def test_answers_are_texts_and_generation_is_beam_search(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    model = make_model(folder, generation={"num_beams": 3, "max_new_tokens": 5}).eval()
    batch = make_batch(folder)
    output = model(**batch)
    expected = model.transformer.generate(
        input_ids=batch["prompt_and_input"]["token_ids"],
        attention_mask=batch["prompt_and_input"]["mask"].long(),
        num_beams=3,
        max_new_tokens=5,
    )
    assert output["generated"] == expected.tolist()
    best = [
        options[place] if len(options) > 1 else None for (_, options, _), place in zip(EXAMPLES, output["response"])
    ]
    readable = model.make_output_human_readable(dict(output))
    assert readable["best_option"] == best and readable["answer"] == model._texts(expected.tolist())


def test_load_seq2seq(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    trained = make_model(tiny_model("t5"), random_weights=True)
    torch.save(trained.state_dict(), tmp_path / "weights.th")
    loaded = LoadSeq2Seq(Vocabulary.empty(), load_from_file=str(tmp_path / "weights.th"), model_name=tiny_model("t5"))
    assert torch.equal(loaded.transformer.shared.weight, trained.transformer.shared.weight)


def test_a_decoder_only_model_is_refused(tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="a llama model is decoder-only; use the model type 'causal_lm'"):
        Seq2Seq(Vocabulary.empty(), model_name=tiny_model("llama"))


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_rows_with_as_many_options_do_not_mix(name: str, tiny_model: Callable[[str], str]) -> None:
    examples = [(f"the {word} sat on the mat", ["not true", "maybe not true"], 0) for word in ("cat", "dog", "film")]
    reader, model = P3JsonlReader(tiny_model(name)), make_model(tiny_model(name)).eval()
    with torch.no_grad():
        together = model(**Batch([reader.text_to_instance(*one) for one in examples]).as_tensor_dict())["scores"]
        alone = [model(**Batch([reader.text_to_instance(*one)]).as_tensor_dict())["scores"][0] for one in examples]
    for scores, expected in zip(together, alone):
        assert scores == pytest.approx(expected, abs=1e-5)
