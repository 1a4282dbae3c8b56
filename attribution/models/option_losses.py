"""The losses of T-Few that look at all options (Liu et al., 2022, https://arxiv.org/abs/2205.05638)."""

import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence

# Of a wrong token that is all but certain: its loss stays finite, and its gradient too.
_FLOOR = 1e-6


def unlikelihood_loss(log_probs: torch.Tensor, mask: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
    """
    Equation 1: the mean of -log(1 - p) over the tokens of all wrong options of the batch; 0 where there are none.

    # Parameters

    log_probs : `torch.Tensor`
        log p of each token after the prompt and the option's tokens before it. Shape: (options of all rows, length)
    mask : `torch.Tensor`
        Where there are tokens. Shape: (options of all rows, length)
    gold : `torch.Tensor`
        Each row's right option, as its place among those of all rows. Shape: (batch,)
    """
    wrong = mask.clone()
    wrong[gold] = False
    losses = -(-torch.expm1(log_probs[wrong].clamp(max=0)) + _FLOOR).log()
    return losses.sum() / wrong.sum().clamp(min=1)


def length_normalized_loss(
    log_probs: torch.Tensor, mask: torch.Tensor, num_options: torch.Tensor, gold: torch.Tensor
) -> torch.Tensor:
    """
    Equation 2: the cross-entropy of the right option among the row's, each scored by the mean of its tokens'
    log-likelihoods; the mean over rows. A row with one option adds 0.

    # Parameters

    num_options : `torch.Tensor`
        How many options each row has. Shape: (batch,)

    The others are those of `unlikelihood_loss`.
    """
    scores = log_probs.sum(1) / mask.sum(1)
    # Shape: (batch, most options of a row)
    by_row = pad_sequence(list(scores.split(num_options.tolist())), batch_first=True, padding_value=-torch.inf)
    return F.cross_entropy(by_row, gold - (num_options.cumsum(0) - num_options))
