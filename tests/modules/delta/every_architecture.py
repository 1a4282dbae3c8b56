"""A tiny random model of every class of `transformers` that a delta may go into."""

from typing import Any, Dict, List, NamedTuple

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    EncoderDecoderConfig,
)

from tests.architectures import UNBUILT, VOCABULARY_SIZE, tiny_config


class Architecture(NamedTuple):
    """One class of `transformers`."""

    name: str
    encoder_decoder: bool

    def __str__(self) -> str:
        return f"{self.name}-{'seq2seq' if self.encoder_decoder else 'causal_lm'}"


# Both halves of an `encoder-decoder` are models of their own.
_PAIRS = {"bert2bert": ("bert", "bert"), "bert2gpt2": ("bert", "gpt2"), "bert2roberta": ("bert", "roberta")}


def causal() -> List[Architecture]:
    types = sorted({config.model_type for config in MODEL_FOR_CAUSAL_LM_MAPPING})
    return [Architecture(name, False) for name in types if name not in UNBUILT]


def seq2seq() -> List[Architecture]:
    """Those of the classes that are one; speech and sound models are in the table, too, and have no text encoder."""
    types = sorted(
        config.model_type
        for config in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING
        if config.model_type not in {*UNBUILT, "encoder-decoder"} and tiny_config(config.model_type).is_encoder_decoder
    )
    return [Architecture(name, True) for name in [*types, *_PAIRS]]


def build(architecture: Architecture) -> Any:
    """All weights are well away from zero, so that what is wrong shows."""
    name = architecture.name
    if name in _PAIRS:
        halves = [tiny_config(half) for half in _PAIRS[name]]
        config: Any = EncoderDecoderConfig.from_encoder_decoder_configs(*halves)
        config.decoder_start_token_id, config.pad_token_id = 1, 0
    else:
        config = tiny_config(name)
    if not architecture.encoder_decoder and getattr(config, "is_decoder", None) is False:
        config.is_decoder = True
    auto = AutoModelForSeq2SeqLM if architecture.encoder_decoder else AutoModelForCausalLM
    torch.manual_seed(1)
    model: Any = auto.from_config(config).float().eval()
    shake(model, 0.1)
    return model


def shake(model: Any, std: float, trainable: bool = False) -> None:
    """Adds noise to the weights; with `trainable` to these alone."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad or not trainable:
                weight.add_(torch.randn(weight.shape, generator=generator) * std)


def inputs(architecture: Architecture, lengths: List[int]) -> Dict[str, torch.Tensor]:
    """Random texts, padded on the right. Of an encoder-decoder the targets are all of the same length."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(10, VOCABULARY_SIZE - 10, (len(lengths), max(lengths)), generator=generator)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    batch = {"input_ids": ids * mask, "attention_mask": mask}
    if architecture.encoder_decoder:
        targets = torch.randint(10, VOCABULARY_SIZE - 10, (len(lengths), 5), generator=generator)
        batch["decoder_input_ids"] = targets
    return batch
