import json
import pickle
import shutil
from pathlib import Path
from typing import Any, List, Sequence

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from attribution.rerankers import CrossEncoderReranker
from attribution.rerankers.cross_encoder import _Scored
from tests.conftest import VOCABULARY_SIZE, build_classifier

QUERIES = ["the cat sat on the mat", "good"]
TEXTS = ["a bad film , was it ?", "red green blue", "one two three four five six seven eight nine ten", "cat"]


@torch.no_grad()
def _slow(folder: str, query: str, text: str, label: int, max_length: int) -> float:
    """One pair at a time: no batch, no padding."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pair = tokenizer(query, text, truncation=True, max_length=max_length, return_tensors="pt")
    return AutoModelForSequenceClassification.from_pretrained(folder).eval()(**pair).logits[0, label].item()


@pytest.mark.parametrize("labels, positive, label", [(1, None, 0), (2, None, 1), (2, 0, 0), (3, 2, 2)])
@pytest.mark.parametrize("max_tokens", [1, 30, 100_000])
def test_is_the_positive_logit_of_each_pair(
    labels: int, positive: Any, label: int, max_tokens: int, tiny_classifier: Any
) -> None:
    folder = tiny_classifier(labels)
    reranker = CrossEncoderReranker(folder, 2, positive_label=positive, max_length=12, max_tokens=max_tokens)
    scores = reranker.score(QUERIES, TEXTS)
    wanted = [[_slow(folder, query, text, label, 12) for text in TEXTS] for query in QUERIES]
    np.testing.assert_allclose(scores, wanted, atol=1e-5)


def test_the_query_comes_first_and_a_long_row_leaves_something_of_it(tiny_classifier: Any) -> None:
    reranker = CrossEncoderReranker(tiny_classifier(), 2, max_length=8)
    swapped = reranker.score(TEXTS[:1], QUERIES[:1])
    assert abs(swapped.item() - reranker.score(QUERIES[:1], TEXTS[:1]).item()) > 1e-4
    long = ["one " * 500]
    assert abs(np.diff(reranker.score(QUERIES, long)[:, 0]).item()) > 1e-4


def test_lower_case(tiny_classifier: Any) -> None:
    cased, lowered = (CrossEncoderReranker(tiny_classifier(), 2, lower_case=lower) for lower in (False, True))
    upper = [text.upper() for text in TEXTS]
    np.testing.assert_array_equal(lowered.score(["GOOD"], upper), cased.score(["good"], TEXTS))
    assert (cased.score(["GOOD"], upper) != cased.score(["good"], TEXTS)).all()


def test_equal_pairs_are_scored_once(tiny_classifier: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scored = _count(monkeypatch)
    scores = CrossEncoderReranker(tiny_classifier(), 2).score(["good", "good"], ["cat", "red", "cat"])
    assert scored == [2] and (scores[0] == scores[1]).all() and (scores[:, 0] == scores[:, 2]).all()


def test_kept_scores_are_used_again(tiny_classifier: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored = _count(monkeypatch)
    cache = str(tmp_path / "scores")
    whole = CrossEncoderReranker(tiny_classifier(), 2).score(QUERIES, TEXTS)
    CrossEncoderReranker(tiny_classifier(), 2, cache=cache).score(QUERIES, TEXTS[:2])
    found = CrossEncoderReranker(tiny_classifier(), 2, cache=cache).score(QUERIES, TEXTS)
    assert scored == [8, 4, 4]
    np.testing.assert_allclose(found, whole, atol=1e-6)
    CrossEncoderReranker(tiny_classifier(), 2, max_length=7, cache=cache).score(QUERIES, TEXTS[:2])
    assert scored == [8, 4, 4, 4]  # Other settings are other scores.


def test_a_killed_run_goes_on_and_ends_the_same(
    tiny_classifier: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attribution.rerankers.cross_encoder._WINDOW", 3)
    whole = CrossEncoderReranker(tiny_classifier(), 2).score(QUERIES, TEXTS)
    scored = _count(monkeypatch, stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        CrossEncoderReranker(tiny_classifier(), 2).score(QUERIES, TEXTS, scratch=tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr("attribution.rerankers.cross_encoder._WINDOW", 3)
    later = _count(monkeypatch)
    found = CrossEncoderReranker(tiny_classifier(), 2).score(QUERIES, TEXTS, scratch=tmp_path)
    assert scored == [3, 3] and later == [2]
    np.testing.assert_array_equal(found, whole)


def test_is_pickled_without_its_model(tiny_classifier: Any) -> None:
    reranker = CrossEncoderReranker(tiny_classifier(), 2)
    scores = reranker.score(QUERIES, TEXTS)
    copy = pickle.loads(pickle.dumps(reranker))
    assert copy._transformer is None and (copy.score(QUERIES, TEXTS) == scores).all()


def test_says_what_it_cuts(tiny_classifier: Any, caplog: pytest.LogCaptureFixture) -> None:
    CrossEncoderReranker(tiny_classifier(), 2, max_length=12).score(QUERIES, TEXTS)
    assert "3 of 8 pairs are longer than it reads, and were cut" in caplog.text


@pytest.mark.parametrize(
    "labels, settings, message",
    [
        (3, {}, "has 3 labels; set positive_label"),
        (2, {"positive_label": 2}, "has 2 labels; positive_label 2"),
        (2, {"max_length": 4}, "max_length is 4; a pair has 5 tokens at least"),
    ],
)
def test_wrong_settings(labels: int, settings: Any, message: str, tiny_classifier: Any) -> None:
    with pytest.raises(ConfigurationError, match=message):
        CrossEncoderReranker(tiny_classifier(labels), 2, **settings).score(QUERIES, TEXTS)
    with pytest.raises(ConfigurationError, match="max_tokens is 0"):
        CrossEncoderReranker(tiny_classifier(), 2, max_tokens=0)


def test_a_model_without_a_head(tiny_model: Any) -> None:
    with pytest.raises(
        ConfigurationError, match="are missing, the first: .*holds a base model without this head; train one"
    ):
        CrossEncoderReranker(tiny_model("bert"), 2).score(QUERIES, TEXTS)
    with pytest.raises(ConfigurationError, match="/nowhere: no such folder"):
        CrossEncoderReranker("/nowhere", 2).score(QUERIES, TEXTS)


def test_a_tokenizer_of_another_model(tmp_path: Path) -> None:
    folder = build_classifier(tmp_path / "model", vocab_size=VOCABULARY_SIZE // 4)
    with pytest.raises(ConfigurationError, match="its tokenizer has 66 tokens, the model 32; .* another tokenizer"):
        CrossEncoderReranker(folder, 2).score(QUERIES, TEXTS)


def test_a_model_of_damaged_weights(tiny_classifier: Any, tmp_path: Path) -> None:
    shutil.copytree(tiny_classifier(), tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(
        ConfigurationError,
        match="cannot be loaded as a bert model",
    ):
        CrossEncoderReranker(str(tmp_path / "model"), 2).score(QUERIES, TEXTS)


def _train(folder: Path, tokenizer: str, model: str) -> Path:
    """The directory of a `pair_classifier`'s training, of pairs that a tokenizer has read."""
    from allennlp.commands.train import train_model
    from allennlp.common import Params

    rows = [{"first": QUERIES[0], "second": text, "label": number % 2} for number, text in enumerate(TEXTS)]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = {
        "dataset_reader": {"type": "text_pairs", "model_name": tokenizer, "max_length": 12, "lower_case": True},
        "train_data_path": str(folder / "pairs.jsonl"),
        "vocabulary": {"type": "empty"},
        "model": {"type": "pair_classifier", "model_name": model},
        "data_loader": {"batch_size": 4},
        "trainer": {"num_epochs": 1, "optimizer": {"type": "adam", "lr": 0.01}, "cuda_device": -1},
    }
    train_model(Params(config), str(folder / "run"))
    return folder / "run"


@pytest.fixture(scope="module")
def trained(tiny_classifier: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _train(tmp_path_factory.mktemp("pairs"), tiny_classifier(), tiny_classifier())


def test_an_archive_whose_pairs_another_tokenizer_read(tiny_classifier: Any, tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    shutil.copytree(tiny_classifier(), other)
    tokenizer = AutoTokenizer.from_pretrained(other)
    tokenizer.add_tokens(["unheard"])
    tokenizer.save_pretrained(other)
    run = _train(tmp_path, other, tiny_classifier())
    with pytest.raises(
        ConfigurationError, match=f"trained for another tokenizer: {other} read its pairs, the model is"
    ):
        CrossEncoderReranker(str(run), 2).score(QUERIES, TEXTS)


@pytest.mark.parametrize("archive", ["", "model.tar.gz"])
def test_an_archive_brings_its_readers_settings(archive: str, trained: Path, tiny_classifier: Any) -> None:
    reranker = CrossEncoderReranker(str(trained / archive), 2)
    scores = reranker.score(["GOOD"], TEXTS)
    assert (reranker._tokenizer.max_length, reranker._tokenizer.lower_case) == (12, True)
    untrained = CrossEncoderReranker(tiny_classifier(), 2, max_length=12)
    assert np.abs(scores - untrained.score(["good"], TEXTS)).min() > 1e-4
    assert list(reranker.identity()["model"]) == ["archive"]


def test_an_archive_of_another_model(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    assert allennlp("train", train_config(), "-s", tmp_path / "run").status == 0
    with pytest.raises(ConfigurationError, match="a Seq2Seq scores no pairs; train a pair_classifier"):
        CrossEncoderReranker(str(tmp_path / "run"), 2).score(QUERIES, TEXTS)


def _count(monkeypatch: pytest.MonkeyPatch, stop_after: int = 100) -> List[int]:
    """How many pairs each window had."""
    scored: List[int] = []
    real = CrossEncoderReranker.score_window

    def score_window(reranker: CrossEncoderReranker, pairs: Sequence[Any]) -> _Scored:
        if len(scored) == stop_after:
            raise KeyboardInterrupt
        scored.append(len(pairs))
        return real(reranker, pairs)

    monkeypatch.setattr(CrossEncoderReranker, "score_window", score_window)
    return scored
