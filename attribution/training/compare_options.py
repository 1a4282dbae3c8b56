"""Whether what a training ranks can be what its validation ranks."""

import logging
from collections import Counter
from itertools import islice
from typing import Any, FrozenSet, Iterable, Iterator, Tuple

from allennlp.data import Instance
from allennlp.training import TrainerCallback

from attribution.data.dataset_readers import PromptedReader
from attribution.data.fields import AnswerOptionsField

logger = logging.getLogger(__name__)

_ROWS = 1000
Options = FrozenSet[Tuple[int, ...]]


@TrainerCallback.register("compare_options")
class CompareOptions(TrainerCallback):
    """
    Warns, before a training, where all its rows rank the same options and no validation row ranks these: DEFT's
    few-shot files of WinoGrande rank "1" and "2", say, and `winogrande_reader` the words of a row unless its `prompts`
    are `faithful`. The first thousand rows of both are looked at.

    Registered as a `TrainerCallback` with name "compare_options".
    """

    def on_start(self, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        super().on_start(trainer, is_primary, **kwargs)
        training, validation = trainer.data_loader, trainer._validation_data_loader
        reader = getattr(training, "reader", None)
        if not is_primary or validation is None or not isinstance(reader, PromptedReader):
            return
        trained = Counter(_ranked(training.iter_instances()))
        if len(trained) != 1:
            return
        [options] = trained
        validated = Counter(_ranked(validation.iter_instances()))
        if validated and options not in validated:
            [(other, _)] = validated.most_common(1)
            ours, theirs = (sorted(map(reader.tokenizer.decode, some)) for some in (options, other))
            logger.warning(
                "All training rows rank %s, and no validation row does: these rank %s, say. Are both of one task, and "
                "one form of it (`prompts: 'faithful'` of a task's reader has DEFT's published options)?",
                ours,
                theirs,
            )


def _ranked(instances: Iterable[Instance]) -> Iterator[Options]:
    """The options of rows that have several."""
    for instance in islice(instances, _ROWS):
        options = instance.fields.get("answer_options")
        if isinstance(options, AnswerOptionsField) and len(options) > 1:
            yield frozenset(map(tuple, options.human_readable_repr()))
