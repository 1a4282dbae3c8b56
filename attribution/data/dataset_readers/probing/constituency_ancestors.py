"""Words and the phrases that they are in, from bracketed trees."""

import re
from typing import Any, Iterator, List

from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.rows import RowError
from attribution.common.text_lines import Line, read_lines
from attribution.data.dataset_readers.probing.sentence_reader import Sentence, SentenceReader

ANCESTORS = {"parent": 1, "grandparent": 2, "great_grandparent": 3}
"""How far each is above the word's part of speech."""

ROOTS = {"", "ROOT", "TOP", "VROOT"}
"""Labels of an outermost bracket that is no phrase."""

BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LCB-": "{", "-RCB-": "}", "-LSB-": "[", "-RSB-": "]"}

NODE = re.compile(
    r"""\(\s*(?P<tag>[^\s()]+)\s+(?P<word>[^\s()]+)\s*\)  # A word in brackets with its part of speech,
    | \(\s*(?P<label>[^\s()]*)                            # the start of a phrase,
    | (?P<end>\))                                         # its end,
    | (?P<stray>[^\s()]+)                                 # what should not be there.
    """,
    re.VERBOSE,
)


@DatasetReader.register("constituency_ancestors")
class ConstituencyAncestorsReader(SentenceReader):
    """
    The label of the phrase above each word, above its part of speech (Liu et al., 2019,
    https://arxiv.org/abs/1903.08855), or "None" where the tree is not as high. Files have the brackets of the Penn
    Treebank, a tree on a line, or on several of which all but the first are indented; plain or gzipped.

    An outermost bracket without a label, or with TOP, VROOT or ROOT, is no phrase; brackets among the words are
    written as such (`-LRB-` is "("). Of the treebank's own files, empty words (`-NONE-`) and functions (`-SBJ`, `=2`)
    are left out; lines that start with `#` are comments. Evaluated by accuracy, on the Penn Treebank (LDC99T42, under
    LDC's licence) as published: one probe for each of the three ancestors.

    Registered as a `DatasetReader` with name "constituency_ancestors".

    # Parameters

    ancestor : `str`, optional (default = `"parent"`)
        "parent", "grandparent" or "great_grandparent".
    """

    def __init__(self, ancestor: str = "parent", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if ancestor not in ANCESTORS:
            raise ConfigurationError(f"ancestor '{ancestor}' is none of {', '.join(ANCESTORS)}")
        self.level = ANCESTORS[ancestor]

    def blocks(self, file_path: str) -> Iterator[List[Line]]:
        block: List[Line] = []
        depth = 0
        for line in read_lines(file_path):
            if not line.text.strip() or line.text.startswith("#"):
                continue
            if depth and line.text.startswith("("):
                break
            block.append(line)
            depth += line.text.count("(") - line.text.count(")")
            if depth < 0:
                raise RowError(line.where, "a closing bracket without its opening one")
            if not depth:
                yield block
                block = []
        if block:
            raise RowError(block[0].where, "a tree whose brackets are not closed")

    def parse(self, block: List[Line], number: int) -> Sentence:
        where = block[0].where
        words: List[str] = []
        labels: List[str] = []
        phrases: List[str] = []
        for node in NODE.finditer("\n".join(line.text for line in block)):
            if node["stray"]:
                raise RowError(where, "a word that is not in brackets with its part of speech", f": {node['stray']!r}")
            if not phrases and (words or node["end"]):
                raise RowError(where, "not one tree", f": its brackets are closed before {node[0]!r}")
            if node["end"]:
                phrases.pop()
            elif node["word"] is None:
                phrases.append(node["label"])
            elif node["tag"] != "-NONE-":
                words.append(BRACKETS.get(node["word"], node["word"]))
                labels.append(self._ancestor(phrases))
        if not words:
            raise RowError(where, "a tree without words")
        return Sentence(words, labels, number, where)

    def _ancestor(self, phrases: List[str]) -> str:
        """The label that is asked for, of the phrases around a word, outermost first."""
        above = phrases[1:] if phrases and phrases[0] in ROOTS else phrases
        return re.split("[-=]", above[-self.level])[0] if len(above) >= self.level else "None"
