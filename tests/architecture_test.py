"""What holds for the tree as a whole."""

import ast
import inspect
import re
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest
from allennlp.commands.subcommand import Subcommand
from allennlp.common import Registrable
from allennlp.data import DatasetReader
from allennlp.data.samplers import BatchSampler
from allennlp.evaluation.serializers.serializers import Serializer
from allennlp.models import Model
from allennlp.predictors import Predictor
from allennlp.training import TrainerCallback
from allennlp.training.learning_rate_schedulers import LearningRateScheduler
from allennlp.training.metrics import Metric

import attribution
from attribution.data.pool_sources import PoolSource
from attribution.encoders import Encoder
from attribution.ensembling import DeltaMerger, Weighting
from attribution.importers import Importer
from attribution.metrics import WordMetric
from attribution.mining import TupleMiner
from attribution.modules.delta import DeltaModule
from attribution.modules.moe import Experts, Router, RouteSelector, TaskRepresentation
from attribution.reports import ReportSection
from attribution.rerankers import Reranker
from attribution.retrievers import QueryAggregator, Retriever
from attribution.selection import CheckpointSelector
from attribution.similarity import TaskSimilarity
from attribution.task_vectors import TaskEmbedder

ROOT = Path(attribution.__file__).parent

# An import never points to a later layer.
LAYERS = [
    {"common"},
    {"data", "encoders", "modules"},
    {"retrievers", "metrics", "models"},
    {"predictors", "rerankers", "mining", "similarity", "ensembling", "selection", "training"},
    {"task_vectors", "reports", "importers"},
    {"commands", "sweeps"},
]


def _imports() -> Iterator[Tuple[Path, str]]:
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("attribution."):
                yield path, str(node.module)


def test_imports_never_point_upstream() -> None:
    level = {package: number for number, layer in enumerate(LAYERS) for package in layer}
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path, module in _imports()
        if len(path.relative_to(ROOT).parts) > 1
        and level[module.split(".")[1]] > level[path.relative_to(ROOT).parts[0]]
    ]
    assert wrong == []


def test_every_module_has_a_test_at_its_place() -> None:
    tests = Path(__file__).parent
    missing = [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if path.name != "__init__.py"
        and not (tests / path.relative_to(ROOT)).with_name(f"{path.stem}_test.py").exists()
    ]
    assert missing == []


def _registered() -> List[Tuple[type, str, type]]:
    bases = [
        DatasetReader, BatchSampler, Model, Metric, Predictor, Serializer, Subcommand, Encoder, DeltaModule, Retriever,
        QueryAggregator, PoolSource, TrainerCallback, Weighting, DeltaMerger,
        TaskSimilarity, CheckpointSelector, TaskEmbedder, ReportSection, Experts, Router, RouteSelector,
        TaskRepresentation, Reranker, TupleMiner, WordMetric, LearningRateScheduler, Importer,
    ]  # fmt: skip
    return [
        (base, name, subclass)
        for base in bases
        for name, (subclass, _) in Registrable._registry[base].items()
        if subclass.__module__.startswith("attribution.")
    ]


@pytest.mark.parametrize("base, name, subclass", _registered(), ids=lambda value: getattr(value, "__name__", value))
def test_a_registered_class_says_so_and_is_typed_as_allennlp_needs(base: type, name: str, subclass: type) -> None:
    text = " ".join((subclass.__doc__ or "").split())
    article = "an" if base.__name__[0] in "AEIOU" else "a"
    assert f'Registered as {article} `{base.__name__}` with name "{name}".' in text
    for parameter in inspect.signature(subclass.__init__).parameters.values():
        # AllenNLP leaves a nested configuration as a plain dict under quoted annotations and `X | None`.
        assert not isinstance(parameter.annotation, str) and "|" not in str(parameter.annotation), parameter


def test_configured_classes_are_typed_as_allennlp_needs() -> None:
    for path in ROOT.rglob("*.py"):
        source = path.read_text()
        if "FromParams" in source or ".register(" in source:
            assert "from __future__ import annotations" not in source, path
            assert not re.search(r":\s*[\w\[\], .]+\|\s*None\b", source), path
