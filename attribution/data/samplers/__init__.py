from attribution.data.samplers.one_task import OneTaskBatchSampler
from attribution.data.samplers.token_budget import TokenBudgetBatchSampler

__all__ = ["OneTaskBatchSampler", "TokenBudgetBatchSampler"]
