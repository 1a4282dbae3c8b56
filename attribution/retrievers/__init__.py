from attribution.retrievers.bm25 import Bm25Retriever
from attribution.retrievers.coreset import Coreset
from attribution.retrievers.exact import ExactRetriever
from attribution.retrievers.faiss import FaissRetriever
from attribution.retrievers.group_removal import GroupRemovalRetriever
from attribution.retrievers.lucene import LuceneRetriever
from attribution.retrievers.overlap import OverlapFilter
from attribution.retrievers.pool import Pool, PoolPart, PoolText
from attribution.retrievers.queries import Queries
from attribution.retrievers.query_aggregator import (
    FrequencyAggregator,
    MeanScoreAggregator,
    QueryAggregator,
    QuotaAggregator,
    RankCutAggregator,
    RankedRows,
    RoundRobinAggregator,
)
from attribution.retrievers.random import BalancedRandomRetriever, RandomRetriever
from attribution.retrievers.retriever import Retrieved, Retriever
from attribution.retrievers.search_log import SearchLogRetriever
from attribution.retrievers.two_stage import TwoStageRetriever

__all__ = [
    "BalancedRandomRetriever",
    "Bm25Retriever",
    "Coreset",
    "ExactRetriever",
    "FaissRetriever",
    "FrequencyAggregator",
    "GroupRemovalRetriever",
    "LuceneRetriever",
    "MeanScoreAggregator",
    "OverlapFilter",
    "Pool",
    "PoolPart",
    "PoolText",
    "Queries",
    "QueryAggregator",
    "QuotaAggregator",
    "RankCutAggregator",
    "RandomRetriever",
    "RankedRows",
    "Retrieved",
    "Retriever",
    "RoundRobinAggregator",
    "SearchLogRetriever",
    "TwoStageRetriever",
]
