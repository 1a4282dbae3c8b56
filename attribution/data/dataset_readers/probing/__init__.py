from attribution.data.dataset_readers.probing.columns import (
    ColumnReader,
    Conll2000ChunkingReader,
    Conll2003NerReader,
    ConllxPosReader,
    SemanticTaggingReader,
    TokenErrorDetectionReader,
)
from attribution.data.dataset_readers.probing.constituency_ancestors import ConstituencyAncestorsReader
from attribution.data.dataset_readers.probing.event_factuality import EventFactualityReader
from attribution.data.dataset_readers.probing.probe_text import ProbeTextReader
from attribution.data.dataset_readers.probing.sentence_reader import Sentence, SentenceReader

__all__ = [
    "ColumnReader",
    "Conll2000ChunkingReader",
    "Conll2003NerReader",
    "ConllxPosReader",
    "ConstituencyAncestorsReader",
    "EventFactualityReader",
    "ProbeTextReader",
    "SemanticTaggingReader",
    "Sentence",
    "SentenceReader",
    "TokenErrorDetectionReader",
]
