import json
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, DatasetReader, Instance, Vocabulary
from allennlp.models import Model, load_archive

from attribution.encoders import TransformerEncoder
from tests.data.dataset_readers.probing.conftest import PROBING
from tests.encoders.conftest import store_words

CONFIG = Path(__file__).parents[2] / "training_config" / "checkpoint_zoo" / "probe.jsonnet"
FILES = {path.stem: str(path) for path in PROBING.iterdir()}


def _instances(task: str) -> List[Instance]:
    return list(DatasetReader.by_name(task)().read(FILES[task]))


def _batch(instances: List[Instance], vocab: Vocabulary) -> Dict[str, Any]:
    batch = Batch(instances)
    batch.index_instances(vocab)
    return batch.as_tensor_dict()


def _model(vocab: Vocabulary, folders: List[str], metric: Any = "accuracy", **settings: Any) -> Any:
    checkpoints = [{"model_name": folder, "pooling": "last"} for folder in folders]
    params = Params({"type": "linear_token_probe", "checkpoints": checkpoints, "metric": metric, **settings})
    return Model.from_params(params, vocab=vocab)


def _features(folder: str, sentences: List[List[str]]) -> np.ndarray:
    return TransformerEncoder(folder, pooling="last").encode_words(sentences)


def _counted(monkeypatch: pytest.MonkeyPatch) -> List[int]:
    """How many sentences go through a checkpoint, each time."""
    counts: List[int] = []
    encode = TransformerEncoder.encode_words

    def count(self: TransformerEncoder, sentences: Any) -> Any:
        counts.append(len(sentences))
        return encode(self, sentences)

    monkeypatch.setattr(TransformerEncoder, "encode_words", count)
    return counts


def test_a_tagger_over_two_checkpoints(tiny_model: Any) -> None:
    instances = _instances("conll2000_chunking")
    vocab = Vocabulary.from_instances(instances)
    folders = [tiny_model("bert"), tiny_model("t5")]
    model = _model(vocab, folders, "span_f1").eval()
    assert list(model.state_dict()) == ["head.weight", "head.bias"] and model.head.in_features == 32
    output = model(**_batch(instances, vocab))
    # One sentence and one checkpoint at a time.
    features, labels = [], []
    for instance in instances:
        words = instance["words"].metadata  # type: ignore[attr-defined]
        features.append(np.hstack([_features(folder, [words]) for folder in folders]))
        labels += [vocab.get_token_index(label, "labels") for label in instance["labels"].labels]  # type: ignore
    logits = model.head(torch.from_numpy(np.concatenate(features)))
    torch.testing.assert_close(output["logits"], logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(output["loss"], F.cross_entropy(logits, torch.tensor(labels)))
    best = [vocab.get_token_from_index(index, "labels") for index in logits.argmax(1).tolist()]
    assert [label for sentence in output["predicted"] for label in sentence] == best
    assert [len(sentence) for sentence in output["predicted"]] == [len(each) for each in features]
    assert set(model.get_metrics()) == {"loss"}
    assert set(model.get_metrics(reset=True)) == {"precision", "recall", "f1", "loss"}


def test_a_regressor_of_the_words_that_have_a_label(tiny_model: Any) -> None:
    instances = _instances("event_factuality")
    vocab = Vocabulary.from_instances(instances)
    model = _model(vocab, [tiny_model("bert")], "pearson").eval()
    output = model(**_batch(instances, vocab))
    values = [[2.75, 0.5], [-3.0], [0.0], [3.0], [3.0, -1.25]]  # The last sentence's predicates, in its own order.
    assert [len(sentence) for sentence in output["predicted"]] == [len(each) for each in values]
    wanted = torch.tensor([value for each in values for value in each])
    torch.testing.assert_close(output["loss"], F.mse_loss(output["logits"].squeeze(1), wanted))
    found = torch.tensor([number for each in output["predicted"] for number in each])
    pearson = torch.corrcoef(torch.stack([found, wanted]))[0, 1].item()
    assert model.get_metrics(reset=True)["pearson"] == pytest.approx(pearson, abs=1e-4)


def test_a_tagger_of_the_words_that_have_a_label(tiny_model: Any) -> None:
    """The selective tagger of Liu et al.: words without a class have no part in loss, output and metric."""
    reader: Any = DatasetReader.by_name("semantic_tagging")()
    words, labels = [["a", "good", "film"], ["the", "bad", "movie"]], [[None, "X", "Y"], ["Y", None, None]]
    instances = [reader.text_to_instance(*each) for each in zip(words, labels)]
    vocab = Vocabulary.from_instances(instances)
    assert vocab.get_vocab_size("labels") == 2
    model = _model(vocab, [tiny_model("bert")]).eval()
    output = model(**_batch(instances, vocab))
    logits = model.head(torch.from_numpy(_features(tiny_model("bert"), words)[[1, 2, 3]]))
    right = torch.tensor([vocab.get_token_index(label, "labels") for label in "XYY"])
    torch.testing.assert_close(output["loss"], F.cross_entropy(logits, right))
    assert [len(each) for each in output["predicted"]] == [2, 1]
    found = (logits.argmax(1) == right).float().mean().item()
    assert model.get_metrics(reset=True)["accuracy"] == pytest.approx(found)


def test_a_class_that_training_never_saw(tiny_model: Any) -> None:
    """The reference ended in a KeyError there."""
    reader: Any = DatasetReader.by_name("token_error_detection")()
    vocab = Vocabulary.from_instances([reader.text_to_instance(["one", "two"], ["c", "i"])])
    model = _model(vocab, [tiny_model("bert")], {"type": "accuracy", "at": [5]}).eval()
    output = model(**_batch([reader.text_to_instance(["good", "bad"], ["c", "new"])], vocab))
    torch.testing.assert_close(output["loss"], F.cross_entropy(output["logits"][:1], torch.tensor([0])))
    assert model.get_metrics(reset=True)["accuracy@5"] == 0.5
    alone = model(**_batch([reader.text_to_instance(["bad"], ["new"])], vocab))
    assert alone["loss"] == 0


def test_sentences_are_read_once_as_far_as_there_is_room(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    instances = _instances("token_error_detection")
    vocab = Vocabulary.from_instances(instances)
    counts = _counted(monkeypatch)
    model, without = (_model(vocab, [tiny_model("bert")], cache_gb=room) for room in (4.0, 0.0))
    without.load_state_dict(model.state_dict())
    batch = _batch(instances, vocab)
    counts.clear()
    losses = [each(**batch)["loss"] for each in (model, model, without, without)]
    assert counts == [len(instances)] * 3  # Once by the first, by the other each time.
    assert losses[0] == losses[1] == losses[3]
    losses[1].backward()
    assert model.head.weight.grad.abs().sum() > 0


def test_without_labels_every_word_is_predicted(tiny_model: Any) -> None:
    vocab = Vocabulary.from_instances(_instances("semantic_tagging"))
    reader: Any = DatasetReader.by_name("semantic_tagging")()
    output = _model(vocab, [tiny_model("bert")]).eval()(**_batch([reader.text_to_instance(["a", "cat"])], vocab))
    assert "loss" not in output and [len(each) for each in output["predicted"]] == [2]


def test_what_does_not_fit(tiny_model: Any) -> None:
    numbers, classes = _instances("event_factuality"), _instances("semantic_tagging")
    empty, vocab = Vocabulary.empty(), Vocabulary.from_instances(classes)
    folders = [tiny_model("bert")]
    for settings, message in (
        ((empty, folders), "the vocabulary has no classes; labels that are numbers have the metric pearson"),
        ((vocab, []), "checkpoints, or else features, are needed"),
        ((vocab, ["/nowhere"]), "/nowhere"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            _model(*settings)
    with pytest.raises(ConfigurationError, match="the task's labels are numbers; use pearson"):
        _model(vocab, folders)(**_batch(numbers, empty))
    with pytest.raises(ConfigurationError, match="the task's labels are classes; pearson is for numbers"):
        _model(vocab, folders, "pearson")(**_batch(classes, vocab))


def test_stored_features_are_those_of_the_checkpoints(tiny_model: Any, tmp_path: Path) -> None:
    """Of a zoo the selected ones, in their order."""
    instances = _instances("conll2000_chunking")
    sentences = [instance["words"].metadata for instance in instances]  # type: ignore[attr-defined]
    names = ["bert", "t5", "llama"]
    for name in names:
        store_words(tmp_path / f"CHECKPOINT={name}", sentences, _features(tiny_model(name), sentences))
    (tmp_path / "selected.json").write_text(json.dumps({"names": ["t5", "bert"]}))
    vocab = Vocabulary.from_instances(instances)
    features = {"folders": f"{tmp_path}/CHECKPOINT=*", "names": str(tmp_path / "selected.json")}
    stored = Model.from_params(Params({"type": "linear_token_probe", "features": features}), vocab=vocab).eval()
    model = _model(vocab, [tiny_model("t5"), tiny_model("bert")]).eval()
    model.load_state_dict(stored.state_dict())
    batch = _batch(instances, vocab)
    torch.testing.assert_close(stored(**batch)["logits"], model(**batch)["logits"], atol=1e-5, rtol=0)
    other = DatasetReader.by_name("conll2000_chunking")().text_to_instance(["none", "such"])  # type: ignore
    with pytest.raises(ConfigurationError, match="CHECKPOINT=t5: has no sentence 'none such'"):
        stored(**_batch([other], vocab))


@pytest.fixture
def probe(tiny_model: Any, monkeypatch: pytest.MonkeyPatch, allennlp: Any, tmp_path: Path) -> Any:
    """(task, variables) -> the result of training with the shipped configuration; it writes to `run`."""

    def run(task: str, path: Optional[str] = None, **variables: str) -> Any:
        data = path or FILES[task]
        settings = {"TASK": task, "TRAIN_DATA_PATH": data, "VALIDATION_DATA_PATH": data, "EPOCHS": "1"}
        settings["MODELS"] = f"{tiny_model('bert')} {tiny_model('llama')}"
        for name, value in {**settings, **variables}.items():
            monkeypatch.setenv(name, value)
        return allennlp("train", CONFIG, "-s", tmp_path / "run", "--include-package", "attribution")

    return run


@pytest.mark.parametrize("task", sorted(set(FILES) - {"probe_text"}))
def test_every_task_trains(task: str, probe: Any, tmp_path: Path) -> None:
    result = probe(task)
    assert result.status == 0, result.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert {"validation_f1", "validation_accuracy@3", "validation_pearson"} & set(metrics)


def test_the_best_epoch_on_validation_is_tested(probe: Any, tmp_path: Path) -> None:
    """The label of a word is the word; on the test file, whose labels are others, all is wrong."""
    words = ["good", "bad", "movie", "film", "cat", "dog"]
    train, test = tmp_path / "train.tsv", tmp_path / "test.tsv"
    train.write_text("".join(f"{word}\t{word.upper()}\n\n" for word in words))
    test.write_text("".join(f"{word}\tOTHER\n\n" for word in words))
    settings = {"EPOCHS": "40", "LEARNING_RATE": "0.1", "TEST_DATA_PATH": str(test)}
    result = probe("semantic_tagging", str(train), **settings)
    assert result.status == 0, result.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["best_validation_accuracy"] == 1 and metrics["test_accuracy"] == 0
    model = load_archive(tmp_path / "run" / "model.tar.gz").model
    assert len(model.state_dict()) == 2 and model.vocab.get_vocab_size("labels") == 6


def test_what_is_tested_is_the_best_epoch_and_not_the_last(probe: Any, tmp_path: Path) -> None:
    """Validation and test ask for every label but the one that is learned: guesses are better than knowledge."""
    words = ["good", "bad", "movie", "film", "cat", "dog"]
    train, other = tmp_path / "train.tsv", tmp_path / "other.tsv"
    train.write_text("".join(f"{word}\t{word.upper()}\n\n" for word in words))
    pairs = [(word, label) for word in words for label in words if label != word]
    other.write_text("".join(f"{word}\t{label.upper()}\n\n" for word, label in pairs))
    settings = {"VALIDATION_DATA_PATH": str(other), "TEST_DATA_PATH": str(other), "LEARNING_RATE": "0.1"}
    result = probe("semantic_tagging", str(train), EPOCHS="40", **settings)
    assert result.status == 0, result.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["validation_accuracy"] == 0 and metrics["best_epoch"] < metrics["epoch"]
    assert metrics["test_accuracy"] == metrics["best_validation_accuracy"] > 0


def test_the_published_way_to_select_is_on_the_test_file(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"{split.upper()}_DATA_PATH": f"{split}.txt" for split in ("train", "validation", "test")}
    for name, value in {**files, "TASK": "conllx_pos", "MODELS": "bert"}.items():
        monkeypatch.setenv(name, value)
    for select_on in ("validation", "test"):
        monkeypatch.setenv("SELECT_ON", select_on)
        params = Params.from_file(CONFIG).as_dict()
        assert (params["validation_data_path"], params["test_data_path"]) == (f"{select_on}.txt", "test.txt")
        assert params["evaluate_on_test"] and params["trainer"]["validation_metric"] == "+accuracy"


def test_wrong_variables(probe: Any, tiny_model: Any) -> None:
    for task, variables, message in (
        ("pos", {"path": "x"}, "TASK is pos; it is one of conll2000_chunking, "),
        (
            "semantic_tagging",
            {"POOLING": "middle"},
            "pooling 'middle' is none of mean, weighted_mean, first, last, max",
        ),
        ("conll2003_ner", {"POOLING": "last", "ENCODING": "BIOUL"}, "encoding 'BIOUL' is none of BIO, IOB1"),
        ("semantic_tagging", {"SELECT_ON": "dev"}, "dev"),
    ):
        result = probe(task, **variables)
        assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr
