"""The model by itself: loss and ranking by hand, weights in and out."""

from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Vocabulary
from allennlp.models import Model
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

from attribution.data.dataset_readers import P3JsonlReader
from attribution.models import LoadSeq2Seq, Seq2Seq
from tests.conftest import SEQ2SEQ

EXAMPLES = [
    ("the cat sat on the mat", ["yes", "no", "not maybe"], 2),
    ("good movie ?", ["green"], 0),
    ("a bad film , was it ?", ["good", "bad movie", "red", "blue cat", "mat"], 1),
]


def _batch(folder: str, examples: Any = EXAMPLES) -> Dict[str, Any]:
    reader = P3JsonlReader(folder)
    return Batch([reader.text_to_instance(*example) for example in examples]).as_tensor_dict()


def _model(folder: str, **settings: Any) -> Any:
    params = Params({"type": "seq2seq", "model_name": folder, **settings})
    return Model.from_params(params, vocab=Vocabulary.empty())


def _gold(batch: Dict[str, Any]) -> torch.Tensor:
    options = batch["answer_options"]
    rows = options["num_options"].cumsum(0) - options["num_options"] + batch["correct_answer_index"]
    return options["token_ids"][rows].masked_fill(~options["mask"][rows], -100)


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_loss_is_the_published_mean_token_cross_entropy(name: str, tiny_model: Callable[[str], str]) -> None:
    model, batch = _model(tiny_model(name)), _batch(tiny_model(name))
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
    model = _model(folder, option_score=option_score, calibration_prompt="answer :", max_scored_tokens=40).eval()
    with torch.no_grad():
        output = model(**_batch(folder))
        for (prompt, options, _), scores, response in zip(EXAMPLES, output["scores"], output["response"]):
            expected = []
            null = _slow_scores(model, folder, "answer :", options)
            for tokens, without in zip(_slow_scores(model, folder, prompt, options), null):
                by_name = {"sum": tokens.sum(), "mean": tokens.mean(), "calibrated": tokens.sum() - without.sum()}
                expected.append(by_name[option_score].item())
            assert scores == pytest.approx(expected, abs=1e-4)
            assert response == expected.index(max(expected))
    accuracy = sum(r == gold for r, (_, _, gold) in zip(output["response"], EXAMPLES)) / 3
    assert model.get_metrics(reset=True)["accuracy"] == pytest.approx(accuracy)


def test_scores_do_not_depend_on_the_neighbours_in_the_batch(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    model = _model(folder).eval()
    with torch.no_grad():
        together = model(**_batch(folder))["scores"]
        alone = [model(**_batch(folder, [example]))["scores"][0] for example in EXAMPLES]
    for one, other in zip(together, alone):
        assert one == pytest.approx(other, abs=1e-5)


def test_the_first_of_equal_options_wins(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    batch = _batch(folder, [("a film", ["red", "red", "red"], 2)])
    assert _model(folder).eval()(**batch)["response"] == [0]


def test_answers_are_texts_and_generation_is_beam_search(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    model = _model(folder, generation={"num_beams": 3, "max_new_tokens": 5}).eval()
    batch = _batch(folder)
    output = model(**batch)
    expected = model.transformer.generate(
        input_ids=batch["prompt_and_input"]["token_ids"],
        attention_mask=batch["prompt_and_input"]["mask"].long(),
        num_beams=3,
        max_new_tokens=5,
    )
    assert output["generated"] == expected.tolist()
    readable = model.make_output_human_readable(output)
    assert [options[best] for (_, options, _), best in zip(EXAMPLES, readable["response"])] == readable["answer"]
    assert len(readable["generated_text"]) == 3


@pytest.mark.parametrize("setting", ["weights_file", "checkpoint_for_initialization"])
@pytest.mark.parametrize("ending", ["th", "safetensors"])
def test_weights_from_a_file(setting: str, ending: str, tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    trained = _model(tiny_model("t5"), random_weights=True)
    path = tmp_path / f"weights.{ending}"
    if ending == "th":
        torch.save(trained.state_dict(), path)
    else:
        trained.transformer.save_pretrained(tmp_path)
        (tmp_path / "model.safetensors").rename(path)
    loaded = _model(tiny_model("t5"), **{setting: str(path)})
    for name, weight in trained.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight), name


def test_load_seq2seq(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    trained = _model(tiny_model("t5"), random_weights=True)
    torch.save(trained.state_dict(), tmp_path / "weights.th")
    loaded = LoadSeq2Seq(Vocabulary.empty(), load_from_file=str(tmp_path / "weights.th"), model_name=tiny_model("t5"))
    assert torch.equal(loaded.transformer.shared.weight, trained.transformer.shared.weight)


class Harmful:
    def __reduce__(self) -> Any:
        return (print, ("executed",))


def test_bad_weight_files(tiny_model: Callable[[str], str], tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "weights.th"
    state = {name: weight for name, weight in _model(tiny_model("t5")).state_dict().items()}
    settings = {"weights_file": str(path)}

    def message() -> str:
        with pytest.raises(ConfigurationError) as error:
            _model(tiny_model("t5"), **settings)
        return str(error.value)

    assert "no such file" in message()
    torch.save({**state, "transformer.shared.weight": torch.zeros(3, 3)}, path)
    assert "have another shape, the first: transformer.shared.weight (3, 3) instead of (128, 16)" in message()
    torch.save({"transformer.shared.weight": state["transformer.shared.weight"]}, path)
    assert "are missing" in message()
    torch.save({**state, "transformer.surplus": torch.zeros(3)}, path)
    assert "are unknown, the first: transformer.surplus" in message()
    torch.save({"x": Harmful()}, path)
    assert "could execute code" in message() and str(path) in message()
    assert "executed" not in capsys.readouterr().out
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[:2000])
    assert "truncated" in message()
    save_file(state_clone := {name: weight.clone() for name, weight in state.items()}, tmp_path / "w.safetensors")
    assert state_clone
    (tmp_path / "w.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:100])
    settings["weights_file"] = str(tmp_path / "w.safetensors")
    assert "truncated" in message()


def test_lora_is_the_identity_at_first_and_alone_in_the_state_dict(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    plain, lora = _model(folder).eval(), _model(folder, delta={"type": "lora", "r": 2}).eval()
    batch = _batch(folder)
    for one, other in zip(lora(**batch)["scores"], plain(**batch)["scores"]):
        assert one == pytest.approx(other, abs=1e-5)
    trainable = {name for name, weight in lora.named_parameters() if weight.requires_grad}
    assert trainable and all("lora_" in name for name in trainable)
    assert set(lora.state_dict()) == trainable
    changed = {name: torch.randn_like(weight) for name, weight in lora.state_dict().items()}
    lora.load_state_dict(changed)
    assert lora(**batch)["scores"] != plain(**batch)["scores"]
    again = _model(folder, delta={"type": "lora", "r": 2}).eval()
    again.load_state_dict(lora.state_dict())
    assert again(**batch)["scores"] == lora(**batch)["scores"]
    with pytest.raises(RuntimeError, match="Missing key"):
        again.load_state_dict({})


def test_gradient_checkpointing_gives_the_same_gradients(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5_without_dropout")
    gradients = []
    for setting in (False, True):
        torch.manual_seed(0)
        settings = {"gradient_checkpointing": setting, "delta": {"type": "lora", "r": 2}}
        model = _model(folder, **settings).train()
        model(**_batch(folder))["loss"].backward()
        gradients.append([weight.grad for weight in model.parameters() if weight.requires_grad])
    for one, other in zip(*gradients):
        torch.testing.assert_close(one, other)


def test_fake_training_changes_nothing(tiny_model: Callable[[str], str]) -> None:
    model = _model(tiny_model("t5"), fake_training=True).train()
    loss = model(**_batch(tiny_model("t5")))["loss"]
    loss.backward()
    assert loss.item() == 0 and not model.transformer.shared.weight.grad.any()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"model_name": "/nowhere/at/all"}, "/nowhere/at/all: no model configuration there"),
        ({"loss": "median"}, "loss: 'median' is none of mean, sum"),
        ({"option_score": "best"}, "option_score: 'best' is none of sum"),
        ({"delta": {"type": "lora", "target_modules": ["nothing"]}}, "lora: .*nothing"),
        ({"delta": {"type": "lora", "target_modules": []}}, "`target_modules` is empty"),
    ],
)
def test_bad_settings(settings: Any, message: str, tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match=message):
        _model(**{"folder": tiny_model("t5"), **settings}) if "model_name" not in settings else _model(
            settings["model_name"]
        )


def test_a_decoder_only_model_is_refused(tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="a llama model is decoder-only; use the model type 'causal_lm'"):
        Seq2Seq(Vocabulary.empty(), model_name=tiny_model("llama"))
