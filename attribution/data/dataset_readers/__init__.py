from attribution.data.dataset_readers import probing
from attribution.data.dataset_readers.drop import DropReader, MultiTaskDropReader
from attribution.data.dataset_readers.fewshot_gym import FewShotGymReader
from attribution.data.dataset_readers.icl import InContextReader
from attribution.data.dataset_readers.labelled_images import LabelledImagesReader
from attribution.data.dataset_readers.natural_instructions import NaturalInstructionsReader
from attribution.data.dataset_readers.p3_cluster import P3ClusterReader
from attribution.data.dataset_readers.p3_jsonl import P3JsonlReader
from attribution.data.dataset_readers.prompted import PromptedExample, PromptedReader
from attribution.data.dataset_readers.qasper import QasperEvidenceReader
from attribution.data.dataset_readers.rank_classification import RankClassificationReader
from attribution.data.dataset_readers.recross_triples import TriplesReader
from attribution.data.dataset_readers.template import TemplateReader
from attribution.data.dataset_readers.text_pairs import TextPair, TextPairReader
from attribution.data.dataset_readers.tuples import TuplesReader

__all__ = [
    "DropReader",
    "FewShotGymReader",
    "InContextReader",
    "LabelledImagesReader",
    "MultiTaskDropReader",
    "NaturalInstructionsReader",
    "P3ClusterReader",
    "P3JsonlReader",
    "PromptedExample",
    "PromptedReader",
    "QasperEvidenceReader",
    "RankClassificationReader",
    "TemplateReader",
    "TextPair",
    "TextPairReader",
    "TriplesReader",
    "TuplesReader",
    "probing",
]
