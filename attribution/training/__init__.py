from attribution.training.save_delta import SaveDelta

__all__ = ["SaveDelta"]
