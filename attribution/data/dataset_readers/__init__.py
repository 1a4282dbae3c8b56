from attribution.data.dataset_readers import probing
from attribution.data.dataset_readers.fewshot_gym import FewShotGymReader
from attribution.data.dataset_readers.p3_jsonl import P3JsonlReader
from attribution.data.dataset_readers.prompted import PromptedExample, PromptedReader
from attribution.data.dataset_readers.rank_classification import RankClassificationReader
from attribution.data.dataset_readers.recross_triples import TriplesReader
from attribution.data.dataset_readers.template import TemplateReader

__all__ = [
    "FewShotGymReader",
    "P3JsonlReader",
    "PromptedExample",
    "PromptedReader",
    "RankClassificationReader",
    "TemplateReader",
    "TriplesReader",
    "probing",
]
