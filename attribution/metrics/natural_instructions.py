"""Super-NaturalInstructions: two metrics, by track, category and task."""

import unicodedata
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from allennlp.training.metrics.metric import Metric

from attribution.data.prompt_tokenizer import load_tokenizer
from attribution.metrics.normalization import without_punctuation
from attribution.metrics.rouge_l import rouge_l_scorer
from attribution.metrics.text_metric import Details, TextMetric, mean, references_of

# Thai and Lao, Burmese, Khmer, kana, Chinese characters: scripts that put no spaces between words.
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF),
    (0x20000, 0x2FA1F),
)  # fmt: skip


class InstructionRecord(NamedTuple):
    """One instance of a task."""

    exact_match: float
    rouge_l: float
    groups: List[str]
    """`track/default`, `category/Textual Entailment`, `task/task937_...`: those that its row names."""


@Metric.register("natural_instructions")
class NaturalInstructions(TextMetric):
    """
    Exact match (without case, punctuation and double spaces) and ROUGE-L (with stems) of Super-NaturalInstructions
    (Wang et al., 2022, https://arxiv.org/abs/2204.07705), each with the best reference, as shares:
    `natural_instructions_exact_match` and `natural_instructions_rouge_l` over all rows, and over the rows of each
    track, category and task under names such as `natural_instructions_rouge_l/category/Textual Entailment`. A row's
    details say `track`, `category` and `task`; what they do not say is not reported. Needs the extra `metrics`.

    In the track `xlingual` ROUGE-L has no stems, and other tokens. The published numbers have GPT-2's, which
    `xlingual_tokenizer: 'gpt2'` fetches. By default, so that nothing is fetched, they are words of any script, in lower
    case, and single characters where a script puts no spaces between words: those values are not the published ones.

    Registered as a `Metric` with name "natural_instructions".

    # Parameters

    xlingual_tokenizer : `str`, optional
        A hub id or a local folder of the tokenizer for the track `xlingual`.
    """

    def __init__(self, xlingual_tokenizer: Optional[str] = None) -> None:
        super().__init__()
        tokenizer = UnicodeWords() if xlingual_tokenizer is None else load_tokenizer(xlingual_tokenizer)
        self._scorer = rouge_l_scorer(stemmer=True)
        self._xlingual_scorer = rouge_l_scorer(tokenizer=tokenizer)

    def record(self, prediction: str, details: Details) -> InstructionRecord:
        references = references_of(details)
        scorer: Any = self._xlingual_scorer if details.get("track") == "xlingual" else self._scorer
        return InstructionRecord(
            max(float(without_punctuation(prediction) == without_punctuation(text)) for text in references),
            max(scorer.score(text, prediction)["rougeL"].fmeasure for text in references),
            [f"{kind}/{details[kind]}" for kind in ("track", "category", "task") if details.get(kind) is not None],
        )

    def summary(self, records: Sequence[InstructionRecord]) -> Dict[str, float]:
        groups: Dict[str, List[InstructionRecord]] = {"": list(records)}
        for record in records:
            for group in record.groups:
                groups.setdefault(f"/{group}", []).append(record)
        values = {}
        for group, members in sorted(groups.items()):
            values[f"natural_instructions_exact_match{group}"] = mean([record.exact_match for record in members])
            values[f"natural_instructions_rouge_l{group}"] = mean([record.rouge_l for record in members])
        return values


class UnicodeWords:
    """Runs of letters, marks and digits; a character of a script without spaces stands alone."""

    def tokenize(self, text: str) -> List[str]:
        return "".join(map(_spaced, text.lower())).split()


def _spaced(character: str) -> str:
    if unicodedata.category(character)[0] not in "LMN":
        return " "
    alone = any(first <= ord(character) <= last for first, last in _UNSPACED)
    return f" {character} " if alone else character
