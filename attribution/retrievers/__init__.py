from attribution.retrievers.exact import ExactRetriever
from attribution.retrievers.pool import Pool, PoolText
from attribution.retrievers.query_aggregator import FrequencyAggregator, QueryAggregator, RankedRows
from attribution.retrievers.random import RandomRetriever
from attribution.retrievers.retriever import Retrieved, Retriever

__all__ = [
    "ExactRetriever",
    "FrequencyAggregator",
    "Pool",
    "PoolText",
    "QueryAggregator",
    "RandomRetriever",
    "RankedRows",
    "Retrieved",
    "Retriever",
]
