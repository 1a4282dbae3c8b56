"""Corpus BLEU."""

from itertools import zip_longest
from typing import Dict, List, Sequence, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.training.metrics.metric import Metric

from attribution.metrics.text_metric import Details, TextMetric, references_of


@Metric.register("sacrebleu")
class SacreBleu(TextMetric):
    """
    BLEU of all rows together (Papineni et al., 2002, https://aclanthology.org/P02-1040), between 0 and 100, as
    sacrebleu computes it (Post, 2018, https://aclanthology.org/W18-6319). Rows may have different numbers of
    references. AllenNLP's own `bleu` is about token ids. Needs the extra `metrics`.

    Registered as a `Metric` with name "sacrebleu".

    # Parameters

    tokenize : `str`, optional (default = `"13a"`)
        sacrebleu's tokenizer: `13a`, `intl`, `zh`, `char`, `none` or another.
    lowercase : `bool`, optional (default = `False`)
        Ignores case.
    """

    def __init__(self, tokenize: str = "13a", lowercase: bool = False) -> None:
        super().__init__()
        try:
            from sacrebleu.metrics.bleu import BLEU
        except ImportError as error:
            raise ConfigurationError(
                "sacrebleu: it is not installed; pip install 'cross-task-attribution[metrics]'"
            ) from error
        if tokenize not in BLEU.TOKENIZERS:
            raise ConfigurationError(f"sacrebleu: tokenize: {tokenize!r} is none of {', '.join(BLEU.TOKENIZERS)}")
        self._bleu = BLEU(tokenize=tokenize, lowercase=lowercase)

    def record(self, prediction: str, details: Details) -> Tuple[str, List[str]]:
        return prediction, references_of(details)

    def summary(self, records: Sequence[Tuple[str, List[str]]]) -> Dict[str, float]:
        if not records:
            return {"sacrebleu": 0.0}
        predictions, references = zip(*records)
        # One list for all first references, one for all second ones: None where a row has no more.
        streams = [list(stream) for stream in zip_longest(*references)]
        return {"sacrebleu": self._bleu.corpus_score(list(predictions), streams).score}
