"""From rows of a file to instances of a prompt, its answer options and the right one."""

import logging
import os
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple
from typing import Counter as CounterType

from allennlp.common.checks import ConfigurationError
from allennlp.common.util import lazy_groups_of
from allennlp.data.dataset_readers.dataset_reader import DatasetReader, WorkerInfo
from allennlp.data.fields import MetadataField
from allennlp.data.instance import Instance

from attribution.common.rows import Row, RowError, Rows
from attribution.data.dataset_readers.shards import shard_of
from attribution.data.fields import AnswerOptionsField, NumberField, TokenIdsField
from attribution.data.formats import open_rows
from attribution.data.prompt_tokenizer import PromptTokenizer, TokenIdLists

logger = logging.getLogger(__name__)

ROWS_PER_BLOCK = 512

_NO_DETAILS = MetadataField({})  # One for all rows: most have none.

_SKIPPED = "rows skipped: "
_SEVERAL = "rows with several options"
ADDED = "targets added to their choices, which did not have them"
_ALIKE = "rows with options that the tokenizer does not tell apart"

TokenizedBlock = Tuple[TokenIdLists, TokenIdLists]
"""The ids of a block's prompts, and of all its options, row by row."""


class PromptedExample(NamedTuple):
    """One prompt with its answer options."""

    input: str
    """The prompt: template and input."""
    options: List[str]
    """The texts to rank; a single one is a plain sequence-to-sequence target."""
    answer: Optional[int]
    """The index of the right option; None where the label is not known."""
    row: int
    """The number of the row it came from."""
    where: str = "the given input"
    """`file:line` of that row, for messages."""
    details: Optional[Dict[str, Any]] = None
    """What metrics want to know beside the options: `references`, the texts that are right, or a question's id."""


class PromptedReader(DatasetReader):
    """
    Base of every reader of prompted rows. It owns the loop: rows are sharded over processes before they are parsed,
    tokenised in blocks by a fast tokenizer, and held as arrays. A subclass says what one row means, in
    `row_to_example`, or in `row_to_examples` where that may be several, and where rows are, in `open`.

    An `Instance` has the fields `prompt_and_input` (`TokenIdsField`), `answer_options` (`AnswerOptionsField`), `row`
    (`MetadataField`, the row's number), `correct_answer_index` (`NumberField`) where the answer is known, `details`
    (`MetadataField`) where the example has some and, on request, `metadata` (`MetadataField`, the texts).

    # Parameters

    model_name : `str`
        Whose tokenizer to use: a hub id or a local folder.
    max_query_length : `int`, optional (default = `512`)
        Prompts are cut to this many tokens; the end-of-sequence token is kept.
    max_answer_length : `int`, optional (default = `256`)
        The same for answer options.
    return_original_input : `bool`, optional (default = `False`)
        Adds the texts as metadata.
    end_of_sequence : `bool`, optional (default = `True`)
        For decoder-only models: whether options end with the end-of-sequence token.
    extra_bos : `bool`, optional (default = `False`)
        For encoder-decoders such as BART: prompts and options begin with the beginning-of-sequence token, written out
        (`<s> a text`), as ReCross's do (Lin et al., 2022, https://arxiv.org/abs/2204.07937). Every reader has it.
    source_language, target_language : `str`, optional
        For encoder-decoders whose tokenizer writes a language beside each text, such as mBART, NLLB, M2M100 and PLBart:
        that of prompts and that of options, as the tokenizer names them (`en_XX`, `eng_Latn`, `en`, `java`). By default
        the tokenizer's own, which are logged. Every reader has them.
    answer_prefix : `str`, optional (default = `""`)
        What options begin with as tokens; texts and references are without it. `"<extra_id_0>"` for T5 and `" "` for
        BART, as published for few-shot gyms; null: `"<extra_id_0>"` where the tokenizer has that token, otherwise
        nothing. Every reader has it.
    """

    def __init__(
        self,
        model_name: str,
        max_query_length: int = 512,
        max_answer_length: int = 256,
        return_original_input: bool = False,
        end_of_sequence: bool = True,
        extra_bos: bool = False,
        source_language: Optional[str] = None,
        target_language: Optional[str] = None,
        answer_prefix: Optional[str] = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(manual_distributed_sharding=True, manual_multiprocess_sharding=True, **kwargs)
        for name, length in (("max_query_length", max_query_length), ("max_answer_length", max_answer_length)):
            if length < 1:
                raise ConfigurationError(f"{name} is {length}; at least one is needed")
        self.model_name = model_name
        self.max_query_length = max_query_length
        self.max_answer_length = max_answer_length
        self.return_original_input = return_original_input
        self.end_of_sequence = end_of_sequence
        self.extra_bos = extra_bos
        self.source_language = source_language
        self.target_language = target_language
        self.answer_prefix = answer_prefix
        self.counts: CounterType[str] = Counter()

    @cached_property
    def tokenizer(self) -> PromptTokenizer:
        """The one of instances, which is busy in a thread."""
        return self.new_tokenizer()

    def new_tokenizer(self) -> PromptTokenizer:
        """One more, as set: where a text is cut, and its language, are states of a tokenizer."""
        return PromptTokenizer(
            self.model_name, self.end_of_sequence, self.extra_bos, self.source_language, self.target_language
        )

    def choices(self) -> Dict[str, Any]:
        """What it does by default that could be done otherwise, for what is kept of a retrieval: plain JSON."""
        return {}

    def open(self, file_path: str) -> Rows:
        """The rows of a file. A reader that knows where its data are may take them from there."""
        return open_rows(file_path)

    def row_to_example(self, row: Row, labelled: bool = True) -> Optional[PromptedExample]:
        """
        The example of a row, or None if the row is to be skipped (and counted in `self.counts`). With `labelled`
        off, the answer may be missing.
        """
        raise NotImplementedError

    def row_to_examples(self, row: Row, labelled: bool = True) -> Sequence[PromptedExample]:
        """All examples of a row."""
        example = self.row_to_example(row, labelled)
        return () if example is None else (example,)

    def examples(self, file_path: str, labelled: bool = True, skip_bad_rows: bool = False) -> Iterator[PromptedExample]:
        """
        The examples of this process's share of the rows, as texts: no tokenizer is needed. With `skip_bad_rows`, those
        of all rows but what cannot be used, which is counted in `self.counts` instead of an error.
        """
        found = False
        rows = self.open(file_path)
        for row in rows.each() if skip_bad_rows else rows.shard(*shard_of(self)):
            found = True
            try:
                if isinstance(row, RowError):
                    raise row
                yield from self.row_to_examples(row, labelled)
            except RowError as error:
                if not skip_bad_rows:
                    raise
                self.counts[_SKIPPED + error.reason] += 1
        if not found and shard_of(self) == (0, 1):
            raise ConfigurationError(f"{', '.join(map(str, rows.files()[:3])) or file_path}: has no rows")

    def text_to_instance(  # type: ignore[override]
        self, input: str, options: List[str], answer: Optional[int] = None, row: int = 0
    ) -> Instance:
        """
        An instance of one prompt: what a predictor needs. `answer` is the index of the right option, if known. Without
        options it has none to rank.
        """
        block = [PromptedExample(input, options, answer, row)]
        return next(self._block_to_instances(block, self._tokenize(block)))

    def _read(self, file_path: str) -> Iterable[Instance]:
        self.counts.clear()
        with ThreadPoolExecutor(1) as beside:  # Tokenises the next block while this one becomes instances.
            waiting: Optional[Tuple[List[PromptedExample], "Future[TokenizedBlock]"]] = None
            for block in lazy_groups_of(self.examples(file_path), ROWS_PER_BLOCK):
                tokenized = beside.submit(self._tokenize, block)
                if waiting is not None:
                    yield from self._block_to_instances(waiting[0], waiting[1].result())
                waiting = block, tokenized
            if waiting is not None:
                yield from self._block_to_instances(waiting[0], waiting[1].result())
        for reason, count in sorted(self.counts.items()):
            surprising = reason in (_ALIKE, ADDED) or reason.startswith(_SKIPPED)
            logger.log(logging.WARNING if surprising and count else logging.INFO, "%s: %d %s", file_path, count, reason)
        if not self.counts["rows read"] and shard_of(self) == (0, 1):
            raise ConfigurationError(f"{file_path}: no usable row; {dict(self.counts)}")
        if self.counts[_ALIKE] and self.counts[_ALIKE] == self.counts[_SEVERAL] and shard_of(self) == (0, 1):
            raise ConfigurationError(
                f"{file_path}: the tokenizer of {self.model_name} gives several options of a row the same tokens, in "
                "all rows, so nothing can be ranked; take other words for them, or a model that knows these"
            )

    def _tokenize(self, block: List[PromptedExample]) -> TokenizedBlock:
        prompts = self.tokenizer.prompts([example.input for example in block], self.max_query_length)
        prefix = self.tokenizer.sentinel if self.answer_prefix is None else self.answer_prefix
        texts = [prefix + option for example in block for option in example.options]
        return prompts, self.tokenizer.options(texts, self.max_answer_length)

    def _block_to_instances(self, block: List[PromptedExample], tokenized: TokenizedBlock) -> Iterator[Instance]:
        pad_id = self.tokenizer.pad_id
        options = iter(tokenized[1])
        for example, prompt in zip(block, tokenized[0]):
            self.counts["rows read"] += 1
            self.counts["prompts as long as max_query_length, cut if longer"] += len(prompt) == self.max_query_length
            fields: Any = {"prompt_and_input": TokenIdsField(prompt, pad_id)}
            if example.options or example.answer is not None:
                fields["answer_options"] = AnswerOptionsField(self._with_tokens(example, options), pad_id)
            fields["row"] = MetadataField(example.row)
            if example.answer is not None:
                fields["correct_answer_index"] = NumberField(example.answer)
            if example.details is not None:
                fields["details"] = MetadataField(example.details) if example.details else _NO_DETAILS
            if self.return_original_input:
                fields["metadata"] = MetadataField({"input": example.input, "options": example.options})
            yield Instance(fields)

    def _with_tokens(self, example: PromptedExample, options: Iterator[List[int]]) -> List[List[int]]:
        """The next ids for each of the example's options."""
        ids = [next(options) for _ in example.options]
        if not ids or not all(ids):
            raise ConfigurationError(f"{example.where}: an option without tokens, or none at all: {example.options}")
        if len(ids) > 1:
            self.counts[_SEVERAL] += 1
            if len(set(map(tuple, ids))) < len(ids):
                self.counts[_ALIKE] += 1
                if self.counts[_ALIKE] == 1:
                    self._warn_of_alike(example, ids)
        return ids

    def _warn_of_alike(self, example: PromptedExample, ids: List[List[int]]) -> None:
        place = next(place for place, option in enumerate(ids) if option in ids[:place])
        first = ids.index(ids[place])
        logger.warning(
            "%s: the tokenizer of %s gives %r and %r the same tokens, so that they have equal scores and the second is "
            "never chosen; further such rows are counted",
            example.where, self.model_name, example.options[first], example.options[place],
        )  # fmt: skip

    def _set_worker_info(self, info: Optional[WorkerInfo]) -> None:
        if info is not None:
            os.environ["TOKENIZERS_PARALLELISM"] = "false"  # A forked worker must not start the parent's thread pool.
        super()._set_worker_info(info)
