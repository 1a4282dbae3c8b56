from typing import Any, Callable, Dict

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Vocabulary
from allennlp.models import Model

from attribution.data.dataset_readers import P3JsonlReader
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


def test_calibration_needs_a_prompt_with_tokens(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("gpt2")
    assert _model(folder, option_score="calibrated", calibration_prompt="answer :").eval()(**_batch(folder))["scores"]
    with pytest.raises(ConfigurationError, match="calibration_prompt '' has no tokens"):
        _model(folder, option_score="calibrated").eval()(**_batch(folder))


def test_an_encoder_decoder_is_refused(tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="a bart model is an encoder-decoder; use the model type 'seq2seq'"):
        _model(tiny_model("bart"))
