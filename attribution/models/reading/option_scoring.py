"""
The log-likelihood of every answer option given its prompt (DEFT, Ivison et al., 2023, section 3; T0, Sanh et al.,
2022).

A prompt is read once, whatever the number of its options, where the model allows it (`attribution.models.reading`):
its encoder pass, its keys and values and the prediction of the first option token are shared. An option then costs its
own tokens and nothing else, and logits are computed at those tokens only.
"""

from typing import Iterator, List

import torch
import torch.nn.functional as F

from attribution.data.fields import TokenIds
from attribution.models.reading.reading import ReadPrompts


def option_log_probs(
    prompts: ReadPrompts, options: TokenIds, num_options: torch.Tensor, max_tokens: int
) -> torch.Tensor:
    """
    log p(token | prompt, the option's tokens before it), for every token of every option.

    # Parameters

    prompts : `ReadPrompts`
        From a `Reading`.
    options : `TokenIds`
        All options of the batch, row by row. Shape: (options, length).
    num_options : `torch.Tensor`
        How many options each prompt has. Shape: (batch,).
    max_tokens : `int`
        A budget of attended positions, options x (prompt + option), for one decoder pass: large sets of options are
        scored in several passes.

    # Returns

    `torch.Tensor`
        float32, 0 at padding. Shape: (options, length).
    """
    token_ids, mask = options["token_ids"], options["mask"]
    lengths = mask.sum(1)
    row_of = torch.arange(len(num_options), device=mask.device).repeat_interleave(num_options)
    # Shape: (options, length)
    log_probs = torch.zeros(token_ids.shape, dtype=torch.float32, device=token_ids.device)
    begin = 0
    if prompts.first_logits is not None:
        begin = 1
        first_logits = prompts.first_logits.float()
        log_probs[:, 0] = first_logits[row_of, token_ids[:, 0]] - first_logits.logsumexp(-1)[row_of]
    per_pass = max(1, max_tokens // (prompts.length + token_ids.size(1)))
    for block in _blocks(num_options.tolist(), lengths, per_pass):
        # Shape: (rows x options,)
        chosen = block.flatten()
        longest = int(lengths[chosen].max())
        if longest > begin:
            targets, wanted = token_ids[chosen, :longest], mask[chosen, :longest]
            wanted[:, :begin] = False
            # Shape: (wanted tokens, vocabulary)
            logits = prompts.continue_with(row_of[block[:, 0]], targets, wanted)
            scores = torch.zeros(targets.shape, dtype=torch.float32, device=targets.device)
            scores[wanted] = -F.cross_entropy(logits.float(), targets[wanted], reduction="none")
            log_probs[chosen, begin:longest] = scores[:, begin:]
    return log_probs


def _blocks(num_options: List[int], lengths: torch.Tensor, per_pass: int) -> Iterator[torch.Tensor]:
    """
    The passes to make: option numbers, shape (rows, options of each), at most `per_pass` of them. Rows with as many
    options go together; those of a row that does not fit into one pass are split, the ones of similar length together.
    """
    starts = torch.tensor([0, *num_options]).cumsum(0)
    for count in sorted(set(num_options)):
        rows = [row for row, options in enumerate(num_options) if options == count]
        # Shape: (rows, count)
        numbers = (starts[rows].unsqueeze(1) + torch.arange(count)).to(lengths.device)
        if count <= per_pass:
            yield from numbers.split(per_pass // count)
        else:
            for row in numbers:
                for part in row[lengths[row].argsort()].split(per_pass):
                    yield part.unsqueeze(0)
