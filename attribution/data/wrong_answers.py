"""P3's `*_score_eval` have a row for each option of a question: its target is the option, right where `is_correct`."""

from attribution.common.rows import JsonDict

NOT_CORRECT = "not marked as correct"
"""Why such a row is left out."""

_FALSE = ("false", "0", "0.0")


def is_wrong_answer(content: JsonDict) -> bool:
    """Whether a row says that its target is wrong."""
    correct = content.get("is_correct")
    return correct is not None and str(correct).strip().casefold() in _FALSE
