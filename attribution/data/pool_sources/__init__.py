from attribution.data.pool_sources.big_bench import BigBenchSource
from attribution.data.pool_sources.datasets import DatasetsSource
from attribution.data.pool_sources.pool_source import PoolRow, PoolSource, Skipped
from attribution.data.pool_sources.recross_triples import TriplesSource
from attribution.data.pool_sources.rows import RowsSource
from attribution.data.pool_sources.templates import TemplatesSource

__all__ = [
    "BigBenchSource",
    "DatasetsSource",
    "PoolRow",
    "PoolSource",
    "RowsSource",
    "Skipped",
    "TemplatesSource",
    "TriplesSource",
]
