from attribution.data.samplers.token_budget import TokenBudgetBatchSampler

__all__ = ["TokenBudgetBatchSampler"]
