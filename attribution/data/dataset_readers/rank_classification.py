"""DEFT's evaluation tasks. What one is, is a file in `attribution/data/tasks`: data set, prompt, options, labels."""

import json
import logging
import random
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Dict, Iterator, List, NamedTuple, Optional, Sequence

from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.rows import Row, RowError, Rows
from attribution.data.dataset_readers.prompted import PromptedExample
from attribution.data.dataset_readers.template import RowPrompt, RowPromptReader
from attribution.data.dataset_splits import DatasetSplits

logger = logging.getLogger(__name__)

_TASKS = Path(__file__).parent.parent / "tasks"
_PROMPTS = ("fixed", "faithful")


class RankClassificationReader(RowPromptReader):
    """
    Base of the readers of tasks whose options are ranked, with the prompts, splits and constructor arguments of DEFT
    (Ivison et al., 2023, https://arxiv.org/abs/2212.00196). A subclass names the task's file, which has

    - `dataset`, `name`, `splits`: see `DatasetSplits`;
    - `template`, `options`, `label`, `label_map`: see `RowPrompt`;
    - `faithful`: those of the last four that the published program has otherwise, where that was wrong.

    # Parameters

    model_name : `str`, optional (default = `"google/t5-small-lm-adapt"`)
        Whose tokenizer to use: a hub id or a local folder.
    max_query_length : `int`, optional (default = `512`)
        Prompts are cut to this many tokens; the end-of-sequence token is kept.
    split_name : `str`, optional (default = `"train"`)
        `train`, `validation` or `test`.
    val_size : `int`, optional (default = `1000`)
        How many rows are for validation where `use_val_split` divides them.
    use_val_split : `bool`, optional (default = `True`)
        Divide training and validation rows anew, as `select_rows` says; otherwise the data set's own splits.
    split_mapping : `Dict[str, str]`, optional
        What the data set calls its splits, if not what the task's file says.
    return_original_instance : `bool`, optional (default = `False`)
        Adds the texts as metadata.
    seed : `int`, optional (default = `42`)
        Of the division, the order of training rows, and what a prompt draws.
    prompts : `str`, optional (default = `"fixed"`)
        `faithful` for the published prompts and options also where they are wrong. It is logged.
    **kwargs : `Any`
        Of `PromptedReader`: `max_answer_length`, `end_of_sequence`, `source_language`, `target_language`,
        `max_instances`.
    """

    task: ClassVar[str]

    def __init__(
        self,
        model_name: str = "google/t5-small-lm-adapt",
        max_query_length: int = 512,
        split_name: str = "train",
        val_size: int = 1000,
        use_val_split: bool = True,
        split_mapping: Optional[Dict[str, str]] = None,
        return_original_instance: bool = False,
        seed: int = 42,
        prompts: str = "fixed",
        **kwargs: Any,
    ) -> None:
        if prompts not in _PROMPTS:
            raise ConfigurationError(f"prompts is {prompts!r}; {' and '.join(_PROMPTS)} are possible")
        facts = json.loads((_TASKS / f"{self.task}.json").read_text(encoding="utf-8"))
        if prompts == "faithful":
            facts.update(facts.get("faithful", {}))
        super().__init__(model_name, max_query_length, return_original_input=return_original_instance, **kwargs)
        self.prompt = RowPrompt(
            facts["template"], facts["options"], facts["label"], facts.get("label_map"), f"{self.task}_reader"
        )
        self.dataset = DatasetSplits(
            facts["dataset"],
            facts.get("name"),
            split_mapping or facts.get("splits"),
            split_name=split_name,
            use_val_split=use_val_split,
            val_size=val_size,
            seed=seed,
        )
        self.facts = facts
        self.prompts = prompts
        self.seed = seed

    def choices(self) -> Dict[str, Any]:
        return {"prompts": self.prompts}

    def open(self, file_path: str) -> Rows:
        logger.info("%s: %s prompts", self.task, self.prompts)
        return super().open(file_path)

    def _generator(self, row: Row) -> random.Random:
        """For what is drawn for this row: the same whichever process reads it."""
        return random.Random(f"{self.seed}|{row.number}")


@DatasetReader.register("rte_reader")
class RteReader(RankClassificationReader):
    """
    Does a premise imply a hypothesis? SuperGLUE's RTE.

    Registered as a `DatasetReader` with name "rte_reader".
    """

    task = "rte"


@DatasetReader.register("cb_reader")
class CbReader(RankClassificationReader):
    """
    Does a premise imply or contradict a hypothesis? SuperGLUE's CommitmentBank.

    Registered as a `DatasetReader` with name "cb_reader".
    """

    task = "cb"


@DatasetReader.register("anli_r1_reader")
class AnliR1Reader(RankClassificationReader):
    """
    Adversarial natural language inference, first round.

    Registered as a `DatasetReader` with name "anli_r1_reader".
    """

    task = "anli_r1"


@DatasetReader.register("anli_r2_reader")
class AnliR2Reader(RankClassificationReader):
    """
    Adversarial natural language inference, second round.

    Registered as a `DatasetReader` with name "anli_r2_reader".
    """

    task = "anli_r2"


@DatasetReader.register("anli_r3_reader")
class AnliR3Reader(RankClassificationReader):
    """
    Adversarial natural language inference, third round.

    Registered as a `DatasetReader` with name "anli_r3_reader".
    """

    task = "anli_r3"


@DatasetReader.register("wic_reader")
class WicReader(RankClassificationReader):
    """
    Has a word the same sense in two sentences? SuperGLUE's WiC.

    Registered as a `DatasetReader` with name "wic_reader".
    """

    task = "wic"


@DatasetReader.register("wsc_reader")
class WscReader(RankClassificationReader):
    """
    Does a pronoun refer to a noun? SuperGLUE's Winograd schemas.

    Registered as a `DatasetReader` with name "wsc_reader".
    """

    task = "wsc"


@DatasetReader.register("copa_reader")
class CopaReader(RankClassificationReader):
    """
    Which of two is the cause, or the effect? SuperGLUE's COPA. The published prompt asks for the effect always.

    Registered as a `DatasetReader` with name "copa_reader".
    """

    task = "copa"


@DatasetReader.register("winogrande_reader")
class WinograndeReader(RankClassificationReader):
    """
    What fills the blank? WinoGrande, all training rows. The published options are "1" and "2", of which the prompt says
    nothing.

    Registered as a `DatasetReader` with name "winogrande_reader".
    """

    task = "winogrande"


@DatasetReader.register("story_cloze_reader")
class StoryClozeReader(RankClassificationReader):
    """
    How does a story end? Story Cloze of 2016, whose validation rows are for training, and test rows for validation.
    They are had from their authors only: put them where `DatasetSplits` says.

    Registered as a `DatasetReader` with name "story_cloze_reader".
    """

    task = "story_cloze"


@DatasetReader.register("hellaswag_reader")
class HellaswagReader(RankClassificationReader):
    """
    How does a description go on? HellaSwag.

    Registered as a `DatasetReader` with name "hellaswag_reader".
    """

    task = "hellaswag"


@DatasetReader.register("casehold_reader")
class CaseholdReader(RankClassificationReader):
    """
    Which holding does a citing passage go with? CaseHOLD, of LexGLUE.

    Registered as a `DatasetReader` with name "casehold_reader".
    """

    task = "casehold"


@DatasetReader.register("boolq_reader")
class BoolqReader(RankClassificationReader):
    """
    Is the answer to a question about a passage yes? SuperGLUE's BoolQ, also DEFT's few-shot files of it, whose rows are
    not prompted; the published program has no such reader.

    Registered as a `DatasetReader` with name "boolq_reader".
    """

    task = "boolq"


@DatasetReader.register("sst2_reader")
class Sst2Reader(RankClassificationReader):
    """
    Is a sentence of a film review positive? SST-2, also DEFT's few-shot files of it, whose rows are not prompted; the
    published program has no such reader.

    Registered as a `DatasetReader` with name "sst2_reader".
    """

    task = "sst2"


@DatasetReader.register("ledgar_reader")
class LedgarReader(RankClassificationReader):
    """
    The topic of a contract's provision, of a hundred. LEDGAR, of LexGLUE.

    Registered as a `DatasetReader` with name "ledgar_reader".
    """

    task = "ledgar"


@DatasetReader.register("sciq_reader")
class SciqReader(RankClassificationReader):
    """
    Science questions with a paragraph and four choices. SciQ. The published order of choices is the same in each row,
    with the right one third; here it is drawn for each row.

    Registered as a `DatasetReader` with name "sciq_reader".
    """

    task = "sciq"

    def row_to_example(self, row: Row, labelled: bool = True) -> Optional[PromptedExample]:
        fields = ["distractor1", "distractor2", "distractor3", "correct_answer"]
        missing = sorted(set(fields) - row.content.keys())
        if missing:
            raise RowError(row.where, f"no field {missing[0]!r}", f"; there are {sorted(row.content)}")
        order = [2, 1, 3, 0] if self.prompts == "faithful" else self._generator(row).sample(range(4), 4)
        choices = [row.content[fields[place]] for place in order]
        content = {**row.content, "choices": choices, "choice": order.index(3)}
        return super().row_to_example(row._replace(content=content), labelled)


class Concept(NamedTuple):
    """One of the things that a text may be about."""

    name: str
    is_there: bool


class ConceptReader(RankClassificationReader):
    """
    Base of the tasks that ask, for each of several concepts, whether a text is about it: a row becomes as many
    examples, whose `details` have the row's `id` and the concept, as `label`, for the metric `multi_label_f1`.
    """

    def concepts(self, row: Row, labels: List[Any]) -> List[Concept]:
        """What to ask of a row with these labels: none, where they are not looked at."""
        raise NotImplementedError

    def row_to_examples(self, row: Row, labelled: bool = True) -> Sequence[PromptedExample]:
        return list(self._examples(row, labelled))

    def _examples(self, row: Row, labelled: bool) -> Iterator[PromptedExample]:
        for concept in self.concepts(row, self._labels(row) if labelled else []):
            content = {**row.content, "concept": concept.name, "answer": 0 if concept.is_there else 1}
            example = super().row_to_example(row._replace(content=content), labelled)
            if example is not None:
                yield example._replace(details={"id": str(row.number), "label": concept.name})

    def _labels(self, row: Row) -> List[Any]:
        labels = row.content.get("labels")
        if not isinstance(labels, list):
            raise RowError(row.where, "no list under `labels`", f"; there are {sorted(row.content)}")
        return labels


@DatasetReader.register("unfair_tos_reader")
class UnfairTosReader(ConceptReader):
    """
    Which of eight kinds of unfair clause are in a sentence of terms of service? LexGLUE's UNFAIR-ToS; a question for
    each.

    Registered as a `DatasetReader` with name "unfair_tos_reader".
    """

    task = "unfair_tos"

    def concepts(self, row: Row, labels: List[Any]) -> List[Concept]:
        names = self.facts["concepts"]
        labels = [_named(label, names) for label in labels]
        unknown = [label for label in labels if label not in names]
        if unknown:
            raise RowError(row.where, "an unknown label", f", {unknown[0]!r}; there are {names}")
        return [Concept(name, name in labels) for name in names]


@DatasetReader.register("eurlex_reader")
class EurlexReader(ConceptReader):
    """
    Which concepts is a law of the European Union about? LexGLUE's EUR-LEX; a question for each of its own, and for five
    others. The published program asks for others in training only, and as many as are missing to five, so that in
    evaluation every answer is yes; it may ask for the same twice.

    Registered as a `DatasetReader` with name "eurlex_reader".

    # Parameters

    descriptors : `str`, optional (default = `"data/eurovoc_descriptors.json"`)
        `{code: {"en": name}}`, as the authors of MultiEURLEX publish it (`eurovoc_descriptors.json`).
    **kwargs : `Any`
        See `RankClassificationReader`.
    """

    task = "eurlex"
    _OTHERS = 5

    def __init__(self, descriptors: str = "data/eurovoc_descriptors.json", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._descriptors = Path(descriptors)
        self._codes: List[str] = []

    @cached_property
    def names(self) -> Dict[str, str]:
        """From a concept's code to its name."""
        try:
            concepts = json.loads(self._descriptors.read_text(encoding="utf-8-sig"))
            return {code: names["en"] for code, names in concepts.items()}
        except (OSError, ValueError, RecursionError, KeyError, AttributeError, TypeError) as error:
            raise ConfigurationError(
                f"eurlex_reader: descriptors: {self._descriptors} is no file of {{code: {{'en': name}}}} ({error!r}); "
                "the authors of MultiEURLEX publish it as eurovoc_descriptors.json"
            ) from error

    def open(self, file_path: str) -> Rows:
        rows = super().open(file_path)
        self._codes = rows.class_names("labels")
        return rows

    def concepts(self, row: Row, labels: List[Any]) -> List[Concept]:
        gold = [self._code(label, row) for label in labels]
        others = sorted(set(self._codes or self.names) - set(gold))
        generator = self._generator(row)
        if self.prompts == "fixed":
            asked = [*gold, *generator.sample(others, min(self._OTHERS, len(others)))]
        elif self.dataset is not None and self.dataset.split_name == "train":
            asked = [*gold, *generator.choices(others, k=max(0, self._OTHERS - len(gold)))]
        else:
            return [Concept(self.names[code], True) for code in gold]
        generator.shuffle(asked)
        return [Concept(self.names[code], code in gold) for code in asked]

    def _code(self, label: Any, row: Row) -> str:
        code = str(_named(label, self._codes))
        if code not in self.names:
            raise RowError(row.where, "a label that `descriptors` does not have", f", {label!r}")
        return code


def _named(label: Any, names: List[str]) -> Any:
    """A label's name, where it is a number."""
    return names[label] if type(label) is int and 0 <= label < len(names) else label
