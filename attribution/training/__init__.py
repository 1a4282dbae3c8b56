from attribution.training.save_delta import SaveDelta
from attribution.training.update_routing import UpdateRouting

__all__ = ["SaveDelta", "UpdateRouting"]
