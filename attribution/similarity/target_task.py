"""A task whose sources are looked for."""

from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import lazy_groups_of
from allennlp.data import Instance

from attribution.data.fields import TokenIds, pad_token_ids

# What one more pass costs, roughly, in tokens: padding beyond it is worth another batch.
_PADDING = 256


class LabelledBatch(NamedTuple):
    """Prompts, each with its right answer."""

    prompts: TokenIds
    """Shape: (batch, prompt length)"""
    answers: TokenIds
    """Shape: (batch, answer length)"""

    @property
    def labels(self) -> torch.Tensor:
        """The tokens of all answers, one after the other. Shape: (answer tokens,)"""
        return self.answers["token_ids"][self.answers["mask"]]

    def example(self, number: int) -> "LabelledBatch":
        """One of them, without padding."""
        return LabelledBatch(*({name: ids[None] for name, ids in _unpadded(text, number).items()} for text in self))

    def to(self, device: torch.device) -> "LabelledBatch":
        return LabelledBatch(*({name: tensor.to(device) for name, tensor in text.items()} for text in self))


class TargetTask(NamedTuple):
    """What is known of a target."""

    name: str
    batches: Sequence[LabelledBatch]
    """Its labelled examples; empty where the measure needs none."""
    folder: Optional[Path] = None
    """Its own, of what the sources are, where these are compared with it."""


def labelled_batches(
    instances: Sequence[Instance], batch_size: int, where: str, in_order: bool = False
) -> List[LabelledBatch]:
    """
    Instances of a `PromptedReader` in batches of similar length: of `batch_size` examples, or fewer where the shorter
    ones would be mostly padding. With `in_order` as they come, always of `batch_size`, but for the last batch.

    # Raises

    `ConfigurationError` if there are none, or the answer of one is not known.
    """
    unlabelled = [instance for instance in instances if "correct_answer_index" not in instance.fields]
    if unlabelled:
        row = unlabelled[0]["row"].metadata  # type: ignore[attr-defined]
        raise ConfigurationError(f"{where}: {len(unlabelled)} rows have no answer, the first is number {row}")
    if not instances:
        raise ConfigurationError(f"{where}: has no examples")
    if in_order:
        return [_batch(batch) for batch in lazy_groups_of(instances, batch_size)]
    batches: List[List[Instance]] = []
    longest = padding = 0
    for instance in sorted(instances, key=_length, reverse=True):
        padding += longest - _length(instance)
        if not batches or len(batches[-1]) == batch_size or padding > _PADDING:
            batches.append([])
            longest, padding = _length(instance), 0
        batches[-1].append(instance)
    return [_batch(batch) for batch in batches]


def _length(instance: Instance) -> int:
    return len(instance["prompt_and_input"])  # type: ignore[arg-type]


def _batch(instances: Sequence[Instance]) -> LabelledBatch:
    prompts, answers = [], []
    for instance in instances:
        options, right = instance["answer_options"], instance["correct_answer_index"].number  # type: ignore[attr-defined]
        prompts.append(instance["prompt_and_input"].ids)  # type: ignore[attr-defined]
        answers.append(options.human_readable_repr()[right])
    pad_id = instances[0]["prompt_and_input"].pad_id  # type: ignore[attr-defined]
    return LabelledBatch(pad_token_ids(prompts, pad_id), pad_token_ids(answers, pad_id))


def _unpadded(text: TokenIds, number: int) -> TokenIds:
    length = int(text["mask"][number].sum())
    return {name: tensor[number, :length] for name, tensor in text.items()}
