from attribution.training.save_delta import SaveDelta
from attribution.training.save_transformer import SaveTransformer

__all__ = ["SaveDelta", "SaveTransformer"]
