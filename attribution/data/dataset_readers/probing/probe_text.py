"""Text without labels, to compare checkpoints on."""

import logging
from typing import Any, Iterator

from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.text_lines import Line, read_lines
from attribution.data.dataset_readers.probing.sentence_reader import Sentence, SentenceReader

logger = logging.getLogger(__name__)


@DatasetReader.register("probe_text")
class ProbeTextReader(SentenceReader):
    """
    Plain text, or gzipped, a sentence (or a paragraph) on each line, cut into words at white space: what the similarity
    of checkpoints is estimated on. Huang et al. (NeurIPS 2021) take the training part of WikiText-2 (Merity et al.,
    2017, https://arxiv.org/abs/1609.07843; CC BY-SA), of which they keep the lines of ten words and more.

    Registered as a `DatasetReader` with name "probe_text".

    # Parameters

    min_words : `int`, optional (default = `10`)
        Lines with fewer words are left out, and have no sentence number.
    """

    def __init__(self, min_words: int = 10, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if min_words < 1:
            raise ConfigurationError(f"min_words is {min_words}; at least one is needed")
        self.min_words = min_words

    def blocks(self, file_path: str) -> Iterator[Line]:
        kept = short = 0
        for line in read_lines(file_path):
            if len(line.text.split(None, self.min_words - 1)) < self.min_words:
                short += 1
            else:
                kept += 1
                yield line
        if not kept:
            raise ConfigurationError(f"{file_path}: no line has {self.min_words} words; lower min_words")
        logger.info("%s: %d lines, %d others have fewer than %d words", file_path, kept, short, self.min_words)

    def parse(self, block: Line, number: int) -> Sentence:
        return Sentence(block.text.split(), None, number, block.where)
