"""How certainly the events of a sentence have happened."""

import json
import math
from typing import Any, Dict, Iterator, List, Optional, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.rows import RowError
from attribution.common.text_lines import read_lines
from attribution.data.dataset_readers.probing.sentence_reader import Sentence, SentenceReader


@DatasetReader.register("event_factuality")
class EventFactualityReader(SentenceReader):
    """
    Factuality of It Happened (Rudinger et al., 2018, https://arxiv.org/abs/1804.02472): a number, from -3 (it did not
    happen) to 3 (it did), for the predicates of a sentence; other words have no label. A file is one JSON object, plain
    or gzipped, as Liu et al. (2019, https://arxiv.org/abs/1903.08855) have it:

        {"id": {"sentence": ["She", "left", "."], "predicate_indices": [2], "labels": [2.8]}, ...}

    where 1 is the first word. Sentences without predicates are left out. Evaluated by Pearson's correlation. The
    annotation is free to download (Universal Decompositional Semantics), over the English Web Treebank (CC BY-SA 4.0).

    Registered as a `DatasetReader` with name "event_factuality".
    """

    namespace = None

    def blocks(self, file_path: str) -> Iterator[Tuple[str, Dict[str, Any]]]:
        try:
            content = json.loads("\n".join(line.text for line in read_lines(file_path)))
        except (ValueError, RecursionError) as error:
            line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            raise ConfigurationError(f"{file_path}{line}: not valid JSON ({error})") from error
        if not isinstance(content, dict):
            raise ConfigurationError(f"{file_path}: not a JSON object of sentences by id, but {type(content).__name__}")
        for name, item in content.items():
            where = f"{file_path}: sentence '{name}'"
            if not isinstance(item, dict):
                raise RowError(where, "not a JSON object", f", but {type(item).__name__}")
            for key in ("sentence", "predicate_indices", "labels"):
                if not isinstance(item.get(key), list):
                    raise RowError(where, f"`{key}` is not a list", f", but {item.get(key)!r:.80}")
            if item["predicate_indices"] or item["labels"]:
                yield where, item

    def parse(self, block: Tuple[str, Dict[str, Any]], number: int) -> Sentence:
        where, item = block
        words, indices, values = item["sentence"], item["predicate_indices"], item["labels"]
        if not all(isinstance(word, str) for word in words):
            raise RowError(where, "a word that is not a text")
        if len(indices) != len(values):
            raise RowError(where, "as many labels as predicates are needed", f": {len(values)} for {len(indices)}")
        labels: List[Optional[float]] = [None] * len(words)
        for index, value in zip(indices, values):
            if type(index) is not int or not 1 <= index <= len(words):
                raise RowError(where, "a predicate that is none of its words", f": {index!r} of {len(words)}")
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise RowError(where, "a label that is not a number", f": {value!r}")
            if labels[index - 1] is not None:
                raise RowError(where, "a word with two labels", f": {index}")
            labels[index - 1] = float(value)
        return Sentence(words, labels, number, where)
