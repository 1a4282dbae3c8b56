"""Ranking by hand, and what does not depend on the architecture."""

from pathlib import Path
from typing import Any, Callable, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch
from transformers import CONFIG_MAPPING

from attribution.data.dataset_readers import P3JsonlReader
from attribution.models.prompted_model import undoubled
from tests.models.conftest import EXAMPLES, make_batch, make_model
from tests.models.reading.matrix import build, load


def _slow_scores(model: Any, folder: str, prompt: str, options: List[str]) -> List[torch.Tensor]:
    tokenizer = P3JsonlReader(folder).tokenizer
    [prompt_ids] = tokenizer.prompts([prompt], 512)
    scores = []
    for option in tokenizer.options(options, 64):
        decoder_ids = torch.tensor([[0, *option[:-1]]])
        logits = model.transformer(input_ids=torch.tensor([prompt_ids]), decoder_input_ids=decoder_ids).logits
        scores.append(logits[0].log_softmax(-1)[range(len(option)), option])
    return scores


@pytest.mark.parametrize("option_score", ["sum", "mean", "calibrated"])
def test_ranking_equals_one_pass_per_option(option_score: str, tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    model = make_model(folder, option_score=option_score, calibration_prompt="answer :", max_scored_tokens=40).eval()
    with torch.no_grad():
        output = model(**make_batch(folder))
        for (prompt, options, _), scores, response in zip(EXAMPLES, output["scores"], output["response"]):
            expected = []
            null = _slow_scores(model, folder, "answer :", options)
            for tokens, without in zip(_slow_scores(model, folder, prompt, options), null):
                by_name = {"sum": tokens.sum(), "mean": tokens.mean(), "calibrated": tokens.sum() - without.sum()}
                expected.append(by_name[option_score].item())
            assert scores == pytest.approx(expected, abs=1e-4)
            assert response == expected.index(max(expected))
    # Of the row with one option nothing is said.
    accuracy = sum(r == gold for r, (_, options, gold) in zip(output["response"], EXAMPLES) if len(options) > 1) / 2
    assert model.get_metrics(reset=True)["accuracy"] == pytest.approx(accuracy)


def test_scores_do_not_depend_on_the_neighbours_in_themake_batch(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    model = make_model(folder).eval()
    with torch.no_grad():
        together = model(**make_batch(folder))["scores"]
        alone = [model(**make_batch(folder, [example]))["scores"][0] for example in EXAMPLES]
    for one, other in zip(together, alone):
        assert one == pytest.approx(other, abs=1e-5)


def test_the_first_of_equal_options_wins(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    batch = make_batch(folder, [("a film", ["red", "red", "red"], 2)])
    assert make_model(folder).eval()(**batch)["response"] == [0]


def test_gradient_checkpointing_gives_the_same_gradients(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5_without_dropout")
    gradients = []
    for setting in (False, True):
        torch.manual_seed(0)
        settings = {"gradient_checkpointing": setting, "delta": {"type": "lora", "r": 2}}
        model = make_model(folder, **settings).train()
        model(**make_batch(folder))["loss"].backward()
        gradients.append([weight.grad for weight in model.parameters() if weight.requires_grad])
    for one, other in zip(*gradients):
        torch.testing.assert_close(one, other)


def test_fake_training_changes_nothing(tiny_model: Callable[[str], str]) -> None:
    model = make_model(tiny_model("t5"), fake_training=True).train()
    loss = model(**make_batch(tiny_model("t5")))["loss"]
    loss.backward()
    assert loss.item() == 0 and not model.transformer.shared.weight.grad.any()


def test_metrics_of_the_best_options_and_of_unlabelled_rows(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    model = make_model(folder, metrics=["text_accuracy", "qa_f1"]).eval()
    details = [{"references": ["nothing"], "id": "a"}, {}, None]
    with torch.no_grad():
        output = model(**make_batch(folder), details=details)
        answers = model.make_output_human_readable(dict(output))["answer"]
        assert output["id"] == ["a", None, None]
        assert "text_accuracy" not in model.get_metrics()
        right = [answer == options[gold] for answer, (_, options, gold) in zip(answers, EXAMPLES)]
        # The first has another reference, and the second nothing to choose from.
        assert answers[1] is None
        assert model.get_metrics(reset=True)["text_accuracy"] == pytest.approx(right[2] / 2)
        # Nothing is known of these: there is nothing to measure.
        unlabelled = make_batch(folder, [(prompt, options, None) for prompt, options, _ in EXAMPLES])
        model(**unlabelled)
        assert model.get_metrics(reset=True)["text_accuracy"] == 0.0
        model(**unlabelled, details=[{"references": [answer or "green"]} for answer in answers])
        assert model.get_metrics(reset=True)["text_accuracy"] == 1.0


def test_the_target_is_no_answer(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    free = make_batch(folder, [("a good movie ?", ["yes"], 0), ("the cat sat", ["no"], 0)])
    model = make_model(folder, metrics=["exact_match"]).eval()
    with torch.no_grad():
        readable = model.make_output_human_readable(model(**free))
        assert readable["answer"] == readable["response"] == [None, None]
        assert readable["target"] == ["yes", "no"] and readable["correct_answer_index"] == [0, 0]
        with pytest.raises(ConfigurationError, match="metrics: 2 rows have a single option, their target, and nothing"):
            model.get_metrics(reset=True)
        writer = make_model(folder, metrics=["exact_match"], generation={"max_new_tokens": 3}).eval()
        readable = writer.make_output_human_readable(writer(**free))
    assert readable["best_option"] == [None, None] and readable["target"] == ["yes", "no"]
    right = [answer == target for answer, target in zip(readable["answer"], readable["target"])]
    assert writer.get_metrics(reset=True)["exact_match"] == sum(right) / 2 < 1


def test_without_options_a_model_writes(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    batch = {key: value for key, value in make_batch(folder).items() if key in ("prompt_and_input", "row")}
    with torch.no_grad(), pytest.raises(ConfigurationError, match="no options to rank; set `generation`"):
        make_model(folder).eval()(**batch)
    model = make_model(folder, generation={"max_new_tokens": 3})
    with pytest.raises(ConfigurationError, match="no options to rank"):
        model.train()(**batch)
    with torch.no_grad():
        assert model.eval()(**batch)["generated"] == model(**make_batch(folder))["generated"]


def test_options_that_decode_alike_are_different(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    options = ["\u7ea2", "\u7eff"]  # Unknown to the tokenizer, both.
    for kept in (False, True):
        reader = P3JsonlReader(folder, return_original_input=kept)
        values = []
        for gold in (0, 1):
            model = make_model(folder, metrics=["exact_match"]).eval()
            batch = Batch([reader.text_to_instance("a film", options, gold)]).as_tensor_dict()
            with torch.no_grad():
                model(**batch)
            values.append(model.get_metrics(reset=True)["exact_match"])
        assert values == ([1.0, 0.0] if kept else [1.0, 1.0])  # The first of equal options is chosen.


def test_what_is_measured_is_generated_once(tiny_model: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_model("t5")
    model = make_model(folder, metrics=["text_accuracy", "exact_match"], generation={"max_new_tokens": 2}).eval()
    calls = []
    generate = model.transformer.generate
    monkeypatch.setattr(model.transformer, "generate", lambda **inputs: calls.append(1) or generate(**inputs))
    with torch.no_grad():
        output = model.make_output_human_readable(model(**make_batch(folder)))
        assert calls == [1]
        model.get_metrics(reset=True)
        model(**make_batch(folder), details=[{"references": [text]} for text in output["answer"]])
    assert model.get_metrics(reset=True)["text_accuracy"] == 1.0


def test_a_word_twice_is_that_word(tiny_model: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["yes yes", "yes no", "no no no", "yes", "", "Yes yes", " no  no "]
    assert [undoubled(text) for text in texts] == ["yes", "yes no", "no no no", "yes", "", "Yes yes", "no"]
    folder = tiny_model("bart")
    doubled = torch.tensor([[2, 1, 4, 4, 2], [2, 1, 4, 5, 2], [2, 1, 5, 5, 5]])
    for undouble, value in ((False, 0.0), (True, 1 / 3)):
        model = make_model(folder, metrics=["exact_match"], generation={"max_new_tokens": 5}, undouble=undouble).eval()
        monkeypatch.setattr(model, "_generate", lambda prompts: doubled)
        with torch.no_grad():
            output = model(**make_batch(folder), details=[{"references": ["yes"]}] * 3)
        first = "yes" if undouble else "yes yes"
        assert model.make_output_human_readable(output)["answer"] == [first, "yes no", "no no no"]
        assert model.get_metrics(reset=True)["exact_match"] == pytest.approx(value)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"undouble": True}, "undouble: nothing is generated"),
        ({"model_name": "/nowhere/at/all"}, "/nowhere/at/all: no such folder"),
        ({"loss": "median"}, "loss: 'median' is none of mean, sum"),
        ({"metrics": ["exact_match", "exact_match"]}, "metrics: ExactMatch is there twice"),
        ({"metrics": ["f1"]}, "f1|positive_label"),
        ({"metrics": ["entropy"]}, "metrics: Entropy is not a metric of texts"),
        ({"option_score": "best"}, "option_score: 'best' is none of sum"),
        ({"delta": {"type": "lora", "target_modules": ["nothing"]}}, "lora: .*nothing"),
        ({"delta": {"type": "lora", "target_modules": []}}, "`target_modules` is empty"),
    ],
)
def test_bad_settings(settings: Any, message: str, tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_model(**{"folder": tiny_model("t5"), **settings}) if "model_name" not in settings else make_model(
            settings["model_name"]
        )


@pytest.mark.skipif("open-llama" not in CONFIG_MAPPING, reason="only transformers 4 has a model without generation")
def test_what_does_not_generate_is_refused_where_it_should(tmp_path: Path) -> None:
    build(("causal_lm", "open-llama"), tmp_path)
    assert load(("causal_lm", "open-llama"), tmp_path).reading.name == "pair by pair"
    with pytest.raises(ConfigurationError, match="a open-llama model does not generate; leave generation out"):
        load(("causal_lm", "open-llama"), tmp_path, generation={"max_new_tokens": 2})
