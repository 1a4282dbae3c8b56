from attribution.data import dataset_readers, fields, pool_sources, samplers

__all__ = ["dataset_readers", "fields", "pool_sources", "samplers"]
