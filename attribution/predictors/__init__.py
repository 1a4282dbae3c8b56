from attribution.predictors.prompted_predictor import PromptedPredictor
from attribution.predictors.row_serializer import RowSerializer

__all__ = ["PromptedPredictor", "RowSerializer"]
