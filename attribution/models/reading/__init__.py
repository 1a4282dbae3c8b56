from attribution.models.reading.choice import check_generates, choose_reading
from attribution.models.reading.option_scoring import option_log_probs
from attribution.models.reading.reading import Reading, ReadPrompts

__all__ = ["ReadPrompts", "Reading", "check_generates", "choose_reading", "option_log_probs"]
