from attribution.data import dataset_readers, fields, samplers

__all__ = ["dataset_readers", "fields", "samplers"]
