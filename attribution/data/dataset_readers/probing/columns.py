"""Tasks whose files have a word and its label on a line, in columns, and an empty line between sentences."""

import re
from itertools import groupby
from typing import Iterator, List, Tuple

from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.rows import RowError
from attribution.common.text_lines import Line, read_lines
from attribution.data.dataset_readers.probing.sentence_reader import Sentence, SentenceReader

SPACES = r"[ \t]+"


class ColumnReader(SentenceReader):
    """
    Base of the tasks in columns, UTF-8, plain or gzipped. A task is a row of data.
    """

    columns: Tuple[str, ...] = ("word", "label")
    """What the columns are, from the left. A last "..." stands for any number of others."""
    separator: str = "\t"
    """Between columns (a regular expression)."""
    label: str = ".+"
    """What a label looks like (a regular expression)."""
    between: str = r"\s*$"
    """What a line that separates sentences looks like at its start."""
    ignored: str = "(?!)"
    """The same for a line that is left out; by default none is."""

    def blocks(self, file_path: str) -> Iterator[List[Line]]:
        between, ignored = re.compile(self.between), re.compile(self.ignored)
        lines = (line for line in read_lines(file_path) if not ignored.match(line.text))
        for is_between, block in groupby(lines, key=lambda line: bool(between.match(line.text))):
            if not is_between:
                yield list(block)

    def parse(self, block: List[Line], number: int) -> Sentence:
        words: List[str] = []
        labels: List[str] = []
        for line in block:
            word, label = self._word_and_label(line)
            pieces = self.split(word)
            words += pieces
            labels += [label] * len(pieces)
        return Sentence(words, labels, number, block[0].where)

    def split(self, word: str) -> List[str]:
        """The words of the word column."""
        return [word]

    def _word_and_label(self, line: Line) -> Tuple[str, str]:
        cells = re.split(self.separator, line.text.strip(" "))
        named = [name for name in self.columns if name != "..."]
        if len(cells) < len(named) or len(cells) > len(named) == len(self.columns):
            expected = f"{len(named)}: {', '.join(self.columns)}"
            raise RowError(line.where, "the wrong number of columns", f", {len(cells)} instead of {expected}")
        word, label = cells[named.index("word")], cells[named.index("label")]
        if not word or not re.fullmatch(self.label, label):
            raise RowError(line.where, "not a word and its label", f", but {word!r} and {label!r}")
        return word, label


@DatasetReader.register("conll2000_chunking")
class Conll2000ChunkingReader(ColumnReader):
    """
    Chunks of CoNLL-2000 (Tjong Kim Sang and Buchholz, 2000, https://aclanthology.org/W00-0726): `word pos chunk`, with
    tags B-NP, I-NP, O. Evaluated by the F1 of spans (BIO). The task's files are free to download; their text is the
    Penn Treebank's.

    Registered as a `DatasetReader` with name "conll2000_chunking".
    """

    columns = ("word", "pos", "label")
    separator = SPACES
    label = r"O|[BI]-\S+"


@DatasetReader.register("conll2003_ner")
class Conll2003NerReader(ColumnReader):
    """
    Named entities of CoNLL-2003 (Tjong Kim Sang and De Meulder, 2003, https://aclanthology.org/W03-0419):
    `word pos chunk entity`, documents separated by `-DOCSTART-`. Tags are kept as they are: IOB1 in the original files
    (B- only between two entities of a kind), BIO in many copies. Evaluated by the F1 of spans, in that encoding. The
    annotation is free, the text (Reuters, RCV1) is had from NIST under an agreement.

    Registered as a `DatasetReader` with name "conll2003_ner".
    """

    columns = ("word", "pos", "chunk", "label")
    separator = SPACES
    label = r"O|[BI]-\S+"
    between = r"\s*$|-DOCSTART-"


@DatasetReader.register("conllx_pos")
class ConllxPosReader(ColumnReader):
    """
    Parts of speech in the format of CoNLL-X (Buchholz and Marsi, 2006, https://aclanthology.org/W06-2920): tabs, the
    word in column 2, its fine tag in column 5. Comments (`#`) are left out, and so are the lines of CoNLL-U for
    contractions (`1-2`) and empty nodes (`1.1`). Evaluated by accuracy, on the Penn Treebank (LDC99T42, under LDC's
    licence) as published.

    Registered as a `DatasetReader` with name "conllx_pos".
    """

    columns = ("id", "word", "lemma", "coarse", "label", "...")
    label = r"(?!_$).+"
    ignored = r"#|\d+[-.]\d+\t"


@DatasetReader.register("semantic_tagging")
class SemanticTaggingReader(ColumnReader):
    """
    Semantic tags (Bjerva et al., 2016, https://arxiv.org/abs/1609.07053) of the Parallel Meaning Bank (Abzianidze et
    al., 2017, https://arxiv.org/abs/1702.03964): `word<TAB>tag`. Words in one, `New~York` or `New York`, are split, and
    each has the tag. Evaluated by accuracy. The bank is free to download, its texts have open licences.

    Registered as a `DatasetReader` with name "semantic_tagging".
    """

    def split(self, word: str) -> List[str]:
        return [piece for piece in re.split(r"[~\s]+", word) if piece] or [word]


@DatasetReader.register("token_error_detection")
class TokenErrorDetectionReader(ColumnReader):
    """
    Words of learners that are wrong (Rei and Yannakoudakis, 2016, https://arxiv.org/abs/1607.06153): `word<TAB>c` or,
    if incorrect, `word<TAB>i`. Evaluated by the F1 of `i`. Published with the First Certificate in English corpus (FCE;
    Yannakoudakis et al., 2011, https://aclanthology.org/P11-1019), for research that is not commercial.

    Registered as a `DatasetReader` with name "token_error_detection".
    """

    label = "[ci]"
