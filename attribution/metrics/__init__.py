from attribution.metrics.bleu import SacreBleu
from attribution.metrics.classification_f1 import ClassificationF1
from attribution.metrics.correlation import Matthews, Pearson
from attribution.metrics.drop import Drop
from attribution.metrics.exact_match import ExactMatch, SoftExactMatch, TextAccuracy
from attribution.metrics.fewshot_gym import FewShotGym
from attribution.metrics.grouped import Grouped
from attribution.metrics.mean_loss import MeanLoss
from attribution.metrics.metric_list import MetricList
from attribution.metrics.multi_label_f1 import MultiLabelF1
from attribution.metrics.natural_instructions import NaturalInstructions
from attribution.metrics.qa_f1 import QaF1
from attribution.metrics.qasper_evidence import QasperEvidence
from attribution.metrics.rank_classification import RankClassification
from attribution.metrics.rouge_l import RougeL
from attribution.metrics.squad import Squad
from attribution.metrics.text_metric import TextMetric
from attribution.metrics.word_labels import LabelF1, SpanF1, WordAccuracy, WordMetric, WordPearson

__all__ = [
    "ClassificationF1",
    "Drop",
    "ExactMatch",
    "FewShotGym",
    "Grouped",
    "LabelF1",
    "Matthews",
    "MeanLoss",
    "MetricList",
    "MultiLabelF1",
    "NaturalInstructions",
    "Pearson",
    "QaF1",
    "QasperEvidence",
    "RankClassification",
    "RougeL",
    "SacreBleu",
    "SoftExactMatch",
    "SpanF1",
    "Squad",
    "TextAccuracy",
    "TextMetric",
    "WordAccuracy",
    "WordMetric",
    "WordPearson",
]
