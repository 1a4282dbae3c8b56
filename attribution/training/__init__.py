from attribution.training.save_delta import SaveDelta
from attribution.training.save_transformer import SaveTransformer
from attribution.training.ties_improve import TiesImprove

__all__ = ["SaveDelta", "SaveTransformer", "TiesImprove"]
