from attribution.importers.delta_checkpoint import DeltaCheckpoint
from attribution.importers.importer import Importer
from attribution.importers.scores import Scores

__all__ = ["DeltaCheckpoint", "Importer", "Scores"]
