from attribution.training.compare_options import CompareOptions
from attribution.training.image_statistics import ImageStatistics
from attribution.training.multi_step_with_warmup import MultiStepWithWarmup
from attribution.training.save_delta import SaveDelta
from attribution.training.save_routes import SaveRoutes
from attribution.training.save_transformer import SaveTransformer
from attribution.training.ties_improve import TiesImprove
from attribution.training.update_routing import UpdateRouting
from attribution.training.validate_from import ValidateFrom

__all__ = [
    "CompareOptions",
    "ImageStatistics",
    "MultiStepWithWarmup",
    "SaveDelta",
    "SaveRoutes",
    "SaveTransformer",
    "TiesImprove",
    "UpdateRouting",
    "ValidateFrom",
]
