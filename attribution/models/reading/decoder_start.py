"""The token that a decoder reads before a target's first."""

import logging
from typing import Any, Dict, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

_LABELS = (7, 8, 9)


class _Seen(Exception):
    """Ends a pass once the decoder's input is known."""


def decoder_start(transformer: PreTrainedModel) -> Optional[int]:
    """
    What the model's own loss puts before a label: T5's padding, BART's `</s>`, BERT's `[CLS]`. None: the label's own
    last token (mBART's language, PLBart's). The model is asked, with a label.

    # Raises

    `ConfigurationError` if its loss does not shift labels by one token, or nothing says what they begin with.
    """
    seen = _decoder_input(transformer)
    if seen is None:
        return _configured(transformer)
    if seen == (_LABELS[-1], *_LABELS[:-1]):
        return None
    if len(seen) == len(_LABELS) and seen[1:] == _LABELS[:-1]:
        return seen[0]
    raise ConfigurationError("its own loss does not put one token before a label and leave out the last")


def _decoder_input(transformer: Any) -> Optional[Tuple[int, ...]]:
    """What the decoder is given for a label; None where the model computes no loss as it is configured."""
    seen = []

    def look(_module: torch.nn.Module, arguments: Tuple[Any, ...], settings: Dict[str, Any]) -> None:
        seen.append(settings["input_ids"] if "input_ids" in settings else arguments[0])
        raise _Seen

    label = torch.tensor([_LABELS], device=transformer.device)
    hook = transformer.get_decoder().register_forward_pre_hook(look, with_kwargs=True)
    try:
        transformer(input_ids=label, attention_mask=torch.ones_like(label), labels=label)
    except _Seen:
        return tuple(seen[0][0].tolist())
    except Exception as error:  # Whatever its class raises: `EncoderDecoderModel` wants a start in its configuration.
        logger.debug("a %s has no loss: %s", type(transformer).__name__, error)
    finally:
        hook.remove()
    return None


def _configured(transformer: Any) -> int:
    configs = (transformer.config, transformer.generation_config, getattr(transformer.config, "decoder", None))
    for name in ("decoder_start_token_id", "bos_token_id"):
        for config in configs:
            if getattr(config, name, None) is not None:
                return getattr(config, name)
    raise ConfigurationError("its configuration has no decoder_start_token_id")
