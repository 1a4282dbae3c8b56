"""Batches of similar length, filled to a budget of padded tokens."""

import random
from typing import Iterable, List, Sequence, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.data.instance import Instance
from allennlp.data.samplers.batch_sampler import BatchSampler


@BatchSampler.register("token_budget")
class TokenBudgetBatchSampler(BatchSampler):
    """
    Sorts rows by length and fills each batch until its *padded* size, rows x (longest prompt + longest option),
    would exceed a budget: little padding, and a step's cost and memory that do not depend on which rows met. Rows of
    equal length are mixed anew each epoch, and so is the order of the batches; their number stays the same.

    A row that alone exceeds the budget is a batch of its own.

    Registered as a `BatchSampler` with name "token_budget".

    # Parameters

    max_tokens : `int`
        Padded tokens per batch, prompt and options together.
    max_rows : `int`, optional
        No batch holds more rows than this.
    shuffle : `bool`, optional (default = `True`)
        Off for evaluation: then batches go from short rows to long ones and no random number is drawn.
    """

    def __init__(self, max_tokens: int, max_rows: int = 1_000_000, shuffle: bool = True) -> None:
        if max_tokens < 1 or max_rows < 1:
            raise ConfigurationError(
                f"token_budget: max_tokens ({max_tokens}) and max_rows ({max_rows}) must be positive"
            )
        self.max_tokens = max_tokens
        self.max_rows = max_rows
        self.shuffle = shuffle

    def get_batch_indices(self, instances: Sequence[Instance]) -> Iterable[List[int]]:
        order = list(range(len(instances)))
        if self.shuffle:
            random.shuffle(order)
        lengths = [_lengths(instance) for instance in instances]
        batches = self._fill(sorted(order, key=lengths.__getitem__), lengths)
        if self.shuffle:
            random.shuffle(batches)
        return batches

    def get_num_batches(self, instances: Sequence[Instance]) -> int:
        lengths = [_lengths(instance) for instance in instances]
        return len(self._fill(sorted(range(len(lengths)), key=lengths.__getitem__), lengths))

    def _fill(self, order: Sequence[int], lengths: Sequence[Tuple[int, int]]) -> List[List[int]]:
        batches: List[List[int]] = []
        batch: List[int] = []
        longest = (0, 0)
        for index in order:
            prompt, options = lengths[index]
            grown = (max(longest[0], prompt), max(longest[1], options))
            if batch and (len(batch) == self.max_rows or sum(grown) * (len(batch) + 1) > self.max_tokens):
                batches.append(batch)
                batch, grown = [], (prompt, options)
            batch.append(index)
            longest = grown
        return batches + [batch] if batch else batches


def _lengths(instance: Instance) -> Tuple[int, int]:
    """Tokens of the prompt, and of all its options padded to the longest."""
    prompt = instance["prompt_and_input"].get_padding_lengths()
    options = instance["answer_options"].get_padding_lengths()
    return prompt["num_tokens"], options["num_options"] * options["num_option_tokens"]
