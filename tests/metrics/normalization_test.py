import pytest

from attribution.metrics.normalization import normalize_answer, without_punctuation


@pytest.mark.parametrize(
    "text, answer, words",
    [
        ("The  Cat, sat!", "cat sat", "the cat sat"),
        ("an A the", "", "an a the"),
        ("anthem, no-one", "anthem noone", "anthem noone"),
        ("a-b", "ab", "ab"),
        ("", "", ""),
    ],
)
def test_by_hand(text: str, answer: str, words: str) -> None:
    assert (normalize_answer(text), without_punctuation(text)) == (answer, words)
