"""The temperature of routes, over the updates of a training."""

import math

import torch
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError


class Temperature(FromParams, torch.nn.Module):
    """
    max(start * exp(-rate * updates), floor). The updates are counted in a buffer: checkpoints and archives hold them,
    and evaluation has the temperature that its weights had.

    # Parameters

    start : `float`, optional (default = `1.0`)
        Published: 2 for stage one; 300 for stage two, which makes all routes equal at first.
    floor : `float`, optional (default = `0.0`)
        The lowest; published 0.1 and 1.
    rate : `float`, optional (default = `0.0`)
        Published 3e-4 and 1e-4.
    """

    updates: torch.Tensor

    def __init__(self, start: float = 1.0, floor: float = 0.0, rate: float = 0.0) -> None:
        super().__init__()
        if not start > 0 or floor < 0 or rate < 0 or (rate and not floor > 0):
            raise ConfigurationError(
                f"temperature: start is {start}, floor {floor}, rate {rate}; start must be above 0, rate at least 0, "
                "and with a rate the floor above 0, too"
            )
        self.start = start
        self.floor = floor
        self.rate = rate
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    @property
    def value(self) -> float:
        return max(self.start * math.exp(-self.rate * int(self.updates)), self.floor)
