"""ReCross's trained index: one small network for queries, another for the rows of a pool."""

import torch
from torch.nn.functional import normalize


class TwoTowers(torch.nn.Module):
    """
    Two networks of two layers, over vectors that stay as they are. What comes out has length one, row by row, so that
    inner products are cosines.

    # Parameters

    dimension : `int`
        That of the vectors.
    hidden_size, size : `int`
        Those of the layer between, and of what comes out.
    """

    def __init__(self, dimension: int, hidden_size: int, size: int) -> None:
        super().__init__()
        self.query = _tower(dimension, hidden_size, size)
        self.row = _tower(dimension, hidden_size, size)

    def queries(self, vectors: torch.Tensor) -> torch.Tensor:
        """Shapes: (queries, dimension) and (queries, size)."""
        return normalize(self.query(vectors), dim=-1)

    def rows(self, vectors: torch.Tensor) -> torch.Tensor:
        """Shapes: (rows, dimension) and (rows, size)."""
        return normalize(self.row(vectors), dim=-1)


def _tower(dimension: int, hidden_size: int, size: int) -> torch.nn.Sequential:
    return torch.nn.Sequential(
        torch.nn.Linear(dimension, hidden_size), torch.nn.ReLU(), torch.nn.Linear(hidden_size, size)
    )
