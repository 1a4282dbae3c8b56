from typing import Any, Callable, Dict

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Vocabulary
from allennlp.models import Model
from transformers import ViTConfig

from attribution.data.dataset_readers import P3JsonlReader
from attribution.data.fields import pad_token_ids
from tests.conftest import CAUSAL

EXAMPLES = [("the cat sat on the mat", ["yes", "no", "not maybe"], 2), ("good ?", ["green", "blue cat"], 0)]


def _model(folder: str, **settings: Any) -> Any:
    return Model.from_params(Params({"type": "causal_lm", "model_name": folder, **settings}), vocab=Vocabulary.empty())


def _batch(folder: str, **settings: Any) -> Dict[str, Any]:
    reader = P3JsonlReader(folder, **settings)
    return Batch([reader.text_to_instance(*example) for example in EXAMPLES]).as_tensor_dict()


@pytest.mark.parametrize("end_of_sequence", [True, False])
@pytest.mark.parametrize("name", CAUSAL)
def test_loss_and_scores_equal_one_pass_per_option(
    name: str, end_of_sequence: bool, tiny_model: Callable[[str], str]
) -> None:
    folder = tiny_model(name)
    model = _model(folder).eval()
    tokenizer = P3JsonlReader(folder, end_of_sequence=end_of_sequence).tokenizer
    batch = _batch(folder, end_of_sequence=end_of_sequence)
    gold_log_probs = []
    with torch.no_grad():
        output = model(**batch)
        for (prompt, options, answer), scores in zip(EXAMPLES, output["scores"]):
            [prompt_ids] = tokenizer.prompts([prompt], 512)
            for number, option in enumerate(tokenizer.options(options, 64)):
                logits = model.transformer(input_ids=torch.tensor([prompt_ids + option])).logits[0]
                log_probs = logits[len(prompt_ids) - 1 : -1].log_softmax(-1)[range(len(option)), option]
                assert scores[number] == pytest.approx(log_probs.sum().item(), abs=1e-5)
                if number == answer:
                    gold_log_probs.append(log_probs)
        expected = -torch.cat(gold_log_probs).mean().item()
        assert output["loss"].item() == pytest.approx(expected, abs=1e-5)
        model.train()
        model.transformer.eval()  # No dropout.
        assert model(**batch)["loss"].item() == pytest.approx(expected, abs=1e-5)


def test_generation_leaves_the_prompt_out_and_does_not_see_padding(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("llama")
    model = _model(folder, generation={"max_new_tokens": 4, "do_sample": False}).eval()
    output = model(**_batch(folder))
    for (prompt, _, _), generated in zip(EXAMPLES, output["generated"]):
        [ids] = P3JsonlReader(folder).tokenizer.prompts([prompt], 512)
        alone = model.transformer.generate(input_ids=torch.tensor([ids]), max_new_tokens=4, do_sample=False)
        assert generated == alone[0, len(ids) :].tolist()


@pytest.mark.parametrize("cache", [{"cache_implementation": "static"}, {"use_cache": False}])
def test_generation_with_another_cache(cache: Dict[str, Any], tiny_model: Callable[[str], str]) -> None:
    folder, settings = tiny_model("llama"), {"max_new_tokens": 4, "do_sample": False}
    plain = _model(folder, generation=settings).eval()(**_batch(folder))
    assert _model(folder, generation={**settings, **cache}).eval()(**_batch(folder))["generated"] == plain["generated"]


def test_calibration_by_no_text_at_all(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("gpt2")
    batch = _batch(folder)
    plain = _model(folder).eval()(**batch)["scores"]
    calibrated = _model(folder, option_score="calibrated").eval()(**batch)["scores"]
    assert calibrated != plain and len(calibrated) == len(plain)


@pytest.mark.parametrize("name", CAUSAL)
def test_an_empty_prompt_is_a_start_token(name: str, tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model(name)
    reader = P3JsonlReader(folder)
    assert reader.tokenizer.prompts([""], 8) == [[1]]  # <s>
    examples = [("", ["yes", "no"], 0), ("good ?", ["green"], 0)]
    model = _model(folder).eval()
    alone = [model(**Batch([reader.text_to_instance(*one)]).as_tensor_dict())["scores"][0] for one in examples]
    together = model(**Batch([reader.text_to_instance(*one) for one in examples]).as_tensor_dict())["scores"]
    assert [pytest.approx(scores, abs=1e-5) for scores in alone] == together
    assert model.train()(**Batch([reader.text_to_instance(*examples[0])]).as_tensor_dict())["loss"].isfinite()


def test_an_option_without_tokens_is_refused(tiny_model: Callable[[str], str]) -> None:
    reader = P3JsonlReader(tiny_model("gpt2"), end_of_sequence=False)
    with pytest.raises(ConfigurationError, match="an option without tokens"):
        reader.text_to_instance("good ?", ["yes", ""], 0)


def test_an_encoder_is_refused(tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="a vit model does not generate text"):
        ViTConfig().save_pretrained(tiny_model("gpt2") + "/vit")
        _model(tiny_model("gpt2") + "/vit")


def test_an_encoder_decoder_is_refused(tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="a bart model is an encoder-decoder; use the model type 'seq2seq'"):
        _model(tiny_model("bart"))


def test_a_batch_is_as_long_as_its_longest_pair(tiny_model: Callable[[str], str]) -> None:
    """GPT-2 has 64 positions here: no pair is longer, though the longest prompt and the longest option would be."""
    model = _model(tiny_model("gpt2")).eval()
    prompts = pad_token_ids([[5] * 60, [6] * 5], 0)
    options = {**pad_token_ids([[7] * 4, [8] * 2, [9] * 20, [7]], 0), "num_options": torch.tensor([2, 2])}
    with torch.no_grad():
        together = model(prompts, options)["scores"]
        for row, count in enumerate([60, 5]):
            own = pad_token_ids([[7] * 4, [8] * 2] if row == 0 else [[9] * 20, [7]], 0)
            alone = model(pad_token_ids([[5 + row] * count], 0), {**own, "num_options": torch.tensor([2])})["scores"]
            assert together[row] == pytest.approx(alone[0], abs=1e-5)
        options["num_options"] = torch.tensor([3, 1])
        with pytest.raises(ConfigurationError, match="has 64 positions; prompts here have up to 60 tokens"):
            model(prompts, options)
