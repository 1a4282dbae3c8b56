from attribution.metrics.rank_classification import RankClassification

__all__ = ["RankClassification"]
