from typing import Any, List

import numpy as np
import pytest
import torch

from attribution.data.prompt_tokenizer import TokenIdLists
from attribution.encoders import BatchedEncoder


class LengthEncoder(BatchedEncoder):
    """A text's vector is the number of its words; remembers its batches."""

    identity = {}

    def load(self) -> None:
        self.batches: List[List[int]] = []

    def tokenize(self, texts: List[str]) -> TokenIdLists:
        return [[1] * len(text.split()) for text in texts]

    def embed(self, token_ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        self.batches.append(mask.sum(1).tolist())
        assert token_ids.shape == mask.shape
        return mask.sum(1, keepdim=True)


def test_batches_are_of_similar_length_and_within_the_budget() -> None:
    lengths = np.random.default_rng(0).integers(0, 40, 300)
    encoder = LengthEncoder(max_tokens=64)
    vectors = encoder.encode(["w " * length for length in lengths])
    assert vectors[:, 0].tolist() == np.maximum(lengths, 1).tolist()  # An empty text is one padding token.
    assert sum(map(len, encoder.batches)) == 300
    assert all(max(batch) * len(batch) <= 64 for batch in encoder.batches)
    assert sum(max(batch) * len(batch) for batch in encoder.batches) < 1.1 * lengths.sum()


def test_progress_moves_with_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    moves: List[int] = []
    monkeypatch.setattr("attribution.encoders.progress.Tqdm.tqdm", lambda total, **_: _Bar(total, moves))
    encoder = LengthEncoder(max_tokens=4)
    encoder.encode(["w " * length for length in (1, 2, 3, 4)])
    assert moves == [2, 1, 1] == list(map(len, encoder.batches))


class _Bar:
    def __init__(self, total: int, moves: List[int]) -> None:
        assert total == 4
        self.update = moves.append

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: Any) -> None:
        pass


def test_a_text_over_the_budget_is_a_batch_of_its_own() -> None:
    encoder = LengthEncoder(max_tokens=4)
    assert encoder.encode(["w " * 9, "w", "w w"]).tolist() == [[9], [1], [2]]
    assert encoder.batches == [[1, 2], [9]]
