import json
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
import torch.nn.functional as F
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Vocabulary
from allennlp.models import Model
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from attribution.data.dataset_readers import TextPairReader

PAIRS = [("the cat sat on the mat", "a dog", 1), ("good", "one two three", 0), ("red", "blue", 0)]


def _model(folder: str, **settings: Any) -> Any:
    return Model.from_params(
        Params({"type": "pair_classifier", "model_name": folder, **settings}), vocab=Vocabulary.empty()
    )


def _batch(folder: str, **settings: Any) -> Dict[str, Any]:
    reader = TextPairReader(folder, **settings)
    return Batch([reader.text_to_instance(*pair) for pair in PAIRS]).as_tensor_dict()


@pytest.mark.parametrize("logits", [1, 2])
def test_loss_and_probabilities_are_the_classifiers(logits: int, tiny_classifier: Any) -> None:
    folder = tiny_classifier(logits)
    output = _model(folder, num_logits=logits).eval()(**_batch(folder))
    other = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    inputs = AutoTokenizer.from_pretrained(folder)(
        [pair[0] for pair in PAIRS], [pair[1] for pair in PAIRS], padding=True, return_tensors="pt"
    )
    wanted = other(**inputs).logits
    labels = torch.tensor([pair[2] for pair in PAIRS])
    torch.testing.assert_close(output["logits"], wanted, atol=1e-5, rtol=0)
    if logits == 2:
        loss, probability = F.cross_entropy(wanted, labels), wanted.softmax(1)[:, 1]
    else:
        loss = F.binary_cross_entropy_with_logits(wanted[:, 0], labels.float())
        probability = wanted[:, 0].sigmoid()
    torch.testing.assert_close(output["loss"], loss, atol=1e-5, rtol=0)
    torch.testing.assert_close(output["probability"], probability, atol=1e-5, rtol=0)
    assert output["row"] == [0, 0, 0]


def test_metrics_of_an_evaluation(tiny_classifier: Any) -> None:
    model = _model(tiny_classifier())
    batch = _batch(tiny_classifier())
    assert set(model.train()(**batch)) == {"logits", "probability", "loss", "row"}
    assert set(model.get_metrics(True)) == {"loss"}
    probability = model.eval()(**batch)["probability"]
    right = ((probability > 0.5) == batch["label"].bool()).float().mean().item()
    assert set(model.get_metrics()) == {"loss"}
    assert model.get_metrics(reset=True)["accuracy"] == pytest.approx(right)


def test_starts_from_the_weights_of_another(tiny_classifier: Any, tmp_path: Path) -> None:
    first = _model(tiny_classifier(), random_weights=True)
    torch.save(first.state_dict(), tmp_path / "best.th")
    second = _model(tiny_classifier(), weights_file=str(tmp_path / "best.th"))
    assert all(torch.equal(one, other) for one, other in zip(first.parameters(), second.parameters()))


def test_an_encoder_gets_a_head(tiny_model: Any) -> None:
    assert _model(tiny_model("bert"))(**_batch(tiny_model("bert")))["logits"].shape == (3, 2)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"num_logits": 3}, "num_logits is 3"),
        ({"model_name": "/nowhere"}, "/nowhere: no such folder"),
        ({"weights_file": "/nowhere/best.th"}, "/nowhere/best.th: no such file"),
        ({"num_logits": 1}, "weights of BertForSequenceClassification have another shape, the first: classifier"),
    ],
)
def test_wrong_settings(settings: Any, message: str, tiny_classifier: Any) -> None:
    with pytest.raises(ConfigurationError, match=message):
        _model(settings.pop("model_name", tiny_classifier()), **settings)


def test_pairs_of_another_tokenizer_or_too_long(tiny_classifier: Any, tiny_model: Any) -> None:
    model = _model(tiny_classifier())
    batch = _batch(tiny_classifier())
    batch["pair"]["token_ids"][0, 0] = 128
    with pytest.raises(ConfigurationError, match="has 128 tokens; the reader's tokenizer has more"):
        model(**batch)
    reader = TextPairReader(tiny_classifier())
    long = Batch([reader.text_to_instance("good " * 80, "bad")]).as_tensor_dict()
    with pytest.raises(ConfigurationError, match="has 64 positions; a pair here has 84 tokens. Lower max_length"):
        model(**long)


def test_trains_from_the_command_line(
    tiny_classifier: Any,
    write_jsonl: Any,
    monkeypatch: pytest.MonkeyPatch,
    allennlp: Any,
    tmp_path: Path,
) -> None:
    """The label is whether both texts have the word good."""
    pairs = [(first, second) for first in ("good", "bad") for second in ("a good film", "a bad film")] * 4
    rows = [{"first": one, "second": two, "label": int(one == "good" and "good" in two)} for one, two in pairs]
    for name, value in {
        "TRAIN_DATA_PATH": write_jsonl("train.jsonl", rows),
        "VALIDATION_DATA_PATH": write_jsonl("dev.jsonl", rows[:4]),
        "MODEL_NAME": tiny_classifier(),
        "LEARNING_RATE": "0.01",
        "WARMUP_STEPS": "2",
        "EPOCHS": "20",
    }.items():
        monkeypatch.setenv(name, value)
    config = Path(__file__).parents[2] / "training_config" / "recross" / "reranker.jsonnet"
    result = allennlp("train", config, "-s", tmp_path / "run", "--include-package", "attribution")
    assert result.status == 0, result.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["validation_auc"] == 1 and metrics["validation_accuracy"] >= 0.75
