import random
import sys

import pytest
from allennlp.common.checks import ConfigurationError
from nltk.translate.bleu_score import corpus_bleu

from attribution.metrics import SacreBleu
from tests.metrics.conftest import measure, values_of


def test_equals_another_implementation_on_different_numbers_of_references() -> None:
    pytest.importorskip("sacrebleu")
    source = random.Random(4)
    references = [
        [source.choices("abcd", k=source.randint(4, 12)) for _ in range(source.randint(1, 3))] for _ in range(200)
    ]
    # At least four words: nltk counts one n-gram of those that a shorter text lacks.
    predictions = [source.choice(of_row)[: source.randint(4, 9)] for of_row in references]
    expected = 100 * corpus_bleu(references, predictions)
    details = [{"references": [" ".join(words) for words in of_row]} for of_row in references]
    values = measure(SacreBleu(tokenize="none"), [" ".join(words) for words in predictions], details)
    assert 20 < expected < 95 and values == {"sacrebleu": pytest.approx(expected)}


def test_by_hand() -> None:
    pytest.importorskip("sacrebleu")
    assert values_of(SacreBleu(), "a b c d e", references=["x", "a b c d e"])["sacrebleu"] == pytest.approx(100)
    # Precisions 4/5, 3/4, 2/3, 1/2 of as many words: their geometric mean.
    assert values_of(SacreBleu(), "a b c d x", references=["a b c d e"])["sacrebleu"] == pytest.approx(100 * 0.2**0.25)
    assert values_of(SacreBleu(lowercase=True), "A B C D", references=["a b c d"])["sacrebleu"] == pytest.approx(100)
    assert values_of(SacreBleu(), "", references=["a b c d"]) == {"sacrebleu": 0.0}
    assert SacreBleu().get_metric() == {"sacrebleu": 0.0}


def test_an_unknown_tokenizer() -> None:
    pytest.importorskip("sacrebleu")
    with pytest.raises(ConfigurationError, match="tokenize: '14a' is none of .*13a"):
        SacreBleu(tokenize="14a")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    with pytest.raises(ConfigurationError, match=r"sacrebleu: it is not installed; pip install .*\[metrics\]"):
        SacreBleu()
