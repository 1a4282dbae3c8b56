"""ReCross's triples, and its query files."""

from functools import cached_property
from typing import Any, FrozenSet, Optional

from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.rows import Row, Rows
from attribution.data.dataset_readers.prompted import PromptedExample, PromptedReader
from attribution.data.triples import open_triples, plain_input


@DatasetReader.register("recross_triples")
class TriplesReader(PromptedReader):
    """
    Reads ReCross's files (Lin et al., 2022, https://arxiv.org/abs/2204.07937): a JSON list of triples
    `[input, [references], "dataset|split|template|#number"]`, JSON lines
    `{"input_text", "output_text", "example_id"}`, and query files of such lists by number of shots and round.

    The first reference is the only option and the target. An instance's `details` have all of them as `references`
    and, where the row has an id, `id`, `task`, `split` and `template`. Empty references are left out; rows that have no
    other are skipped and counted in the log.

    Registered as a `DatasetReader` with name "recross_triples".

    # Parameters

    model_name : `str`
        Whose tokenizer to use: a hub id or a local folder.
    shots : `int`, optional
        The file is a query file: so many rows of one round, the beginning of a longer list where there is none of
        this length.
    round : `int`, optional (default = `0`)
        Which round of a query file.
    test_path : `str`, optional
        A file of test rows: rows whose input is one of theirs, but for white space, are counted, and the log says how
        many there are.
    max_query_length : `int`, optional (default = `512`)
        Prompts are cut to this many tokens; the end-of-sequence token is kept.
    max_answer_length : `int`, optional (default = `64`)
        The same for answers.
    return_original_input : `bool`, optional (default = `False`)
        Adds the texts as metadata.
    end_of_sequence : `bool`, optional (default = `True`)
        For decoder-only models: whether answers end with the end-of-sequence token.
    """

    def __init__(
        self,
        model_name: str,
        shots: Optional[int] = None,
        round: int = 0,
        test_path: Optional[str] = None,
        max_query_length: int = 512,
        max_answer_length: int = 64,
        return_original_input: bool = False,
        end_of_sequence: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            model_name, max_query_length, max_answer_length, return_original_input, end_of_sequence, **kwargs
        )
        if shots is not None and shots < 1:
            raise ConfigurationError(f"shots is {shots}; at least one is needed")
        self.shots = shots
        self.round = round
        self.test_path = test_path

    def open(self, file_path: str) -> Rows:
        return open_triples(file_path, self.shots, self.round)

    def row_to_example(self, row: Row, labelled: bool = True) -> Optional[PromptedExample]:
        content = row.content
        if plain_input(row) in self._test_inputs:
            self.counts[f"rows with the input of a row of {self.test_path}"] += 1
        references = [text for text in content["references"] if text.strip()]
        if labelled and not references:
            self.counts["rows skipped: no reference but empty ones"] += 1
            return None
        details = {key: value for key, value in content.items() if key not in ("input", "target")}
        details["references"] = references
        answer = 0 if labelled else None
        return PromptedExample(content["input"], references[:1], answer, row.number, row.where, details)

    @cached_property
    def _test_inputs(self) -> FrozenSet[str]:
        return frozenset() if self.test_path is None else frozenset(map(plain_input, open_triples(self.test_path)))
