"""A model that is tuned on few rows, again and again from the same start."""

from typing import Any, List, NamedTuple, Optional, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from allennlp.common import Lazy
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models import Model
from torch.nn.utils.rnn import pad_sequence

from attribution.data.fields import TokenIds, pad_token_ids
from attribution.data.prompt_tokenizer import PromptTokenizer
from attribution.encoders.batched import batches_of_similar_length
from attribution.models import PromptedModel
from attribution.modules.delta import DeltaModule

_ROWS_PER_PASS = 32


class Example(NamedTuple):
    """A prompt and its answer."""

    prompt: List[int]
    answer: List[int]
    states: Optional[torch.Tensor] = None
    """The encoder's, where tuning does not change them. Shape: (prompt length, dimension)."""


class Batch(NamedTuple):
    """Several examples."""

    prompts: TokenIds
    answers: TokenIds


class TunedCopy:
    """
    The model is loaded once. What is trained, a delta or all weights, is put back before each tuning; the encoder's
    states of the examples are kept where nothing in the encoder is trained. There is no dropout.

    # Parameters

    model : `Lazy[Model]`
        A `PromptedModel`, without `delta`.
    delta : `DeltaModule`
        What is tuned.
    learning_rate, batch_size, epochs, warmup_steps, max_norm :
        Of the tuning: Adam, after the warm-up with a linear decay to 0; the gradient's norm is clipped.
    extra_bos, source_language, target_language : optional
        Of `PromptTokenizer`.
    """

    def __init__(
        self,
        model: Lazy[Model],
        delta: DeltaModule,
        learning_rate: float,
        batch_size: int,
        epochs: int,
        warmup_steps: int,
        max_norm: float,
        extra_bos: bool = False,
        source_language: Optional[str] = None,
        target_language: Optional[str] = None,
    ) -> None:
        built: Any = model.construct(vocab=Vocabulary.empty(), delta=delta)
        if not isinstance(built, PromptedModel):
            raise ConfigurationError(f"model: a {type(built).__name__} cannot be tuned on rows; use seq2seq, causal_lm")
        if built.delta is not delta:
            raise ConfigurationError("model: leave `delta` out; it is a setting of the miner")
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = built.to(self.device).eval()
        self.tokenizer = PromptTokenizer(
            built.model_name,
            extra_bos=extra_bos,
            source_language=source_language,
            target_language=target_language,
        )
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.warmup_steps = warmup_steps
        self.max_norm = max_norm
        self.weights = list(delta.tensors(self.model.transformer).values())
        self._start = [weight.detach().clone() for weight in self.weights]

    @torch.no_grad()
    def examples(self, texts: Sequence[Sequence[str]], lengths: Sequence[int]) -> List[Example]:
        """Prompts with their answers, cut to these `lengths`; the states are those of the untuned model."""
        self.restore()
        prompt_ids = self.tokenizer.prompts([prompt for prompt, _ in texts], lengths[0])
        answer_ids = self.tokenizer.options([answer for _, answer in texts], lengths[1])
        examples = [Example(*ids) for ids in zip(prompt_ids, answer_ids)]
        for first in range(0, len(texts), _ROWS_PER_PASS):
            some = examples[first : first + _ROWS_PER_PASS]
            read = self.model.remember(self.batch(some).prompts)
            if "states" in read:
                states = [read["states"][place, : len(one.prompt)].clone() for place, one in enumerate(some)]
                examples[first : first + _ROWS_PER_PASS] = [one._replace(states=its) for one, its in zip(some, states)]
        return examples

    def batch(self, examples: Sequence[Example]) -> Batch:
        pad_id = self.tokenizer.pad_id
        prompts = self._to_device(pad_token_ids([example.prompt for example in examples], pad_id))
        states = [example.states for example in examples if example.states is not None]
        if states:
            prompts["states"] = pad_sequence(states, batch_first=True)
        batch = Batch(prompts, self._to_device(pad_token_ids([example.answer for example in examples], pad_id)))
        self.model.check_length(*batch)
        return batch

    def batches(self, examples: Sequence[Example]) -> List[Batch]:
        """Of similar length, to be measured on."""
        lengths = [len(example.prompt) for example in examples]
        budget = _ROWS_PER_PASS * max(lengths, default=1)
        return [self.batch([examples[at] for at in some]) for some in batches_of_similar_length(lengths, budget)]

    @torch.no_grad()
    def restore(self) -> None:
        """The untuned model."""
        for weight, start in zip(self.weights, self._start):
            weight.copy_(start)

    def tune(self, examples: Sequence[Example], generator: np.random.Generator) -> None:
        """From the untuned model, in an order that is drawn for each epoch."""
        self.restore()
        orders = [generator.permutation(len(examples)) for _ in range(self.epochs)]
        batches = [
            order[first : first + self.batch_size]
            for order in orders
            for first in range(0, len(order), self.batch_size)
        ]
        warmup = max(1, min(self.warmup_steps, len(batches)))
        optimizer = torch.optim.AdamW(self.weights, lr=self.learning_rate, weight_decay=0.0)
        for step, places in enumerate(batches):
            rate = min((step + 1) / warmup, (len(batches) - step) / (len(batches) - warmup + 1))
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * rate
            batch = self.batch([examples[place] for place in places])
            optimizer.zero_grad()
            self.model.training_loss(*batch).backward()
            torch.nn.utils.clip_grad_norm_(self.weights, self.max_norm)
            optimizer.step()

    @torch.no_grad()
    def loss(self, batches: Sequence[Batch]) -> float:
        """The mean cross-entropy of the answers' tokens."""
        total, tokens = 0.0, 0
        for batch in batches:
            labels = batch.answers["token_ids"][batch.answers["mask"]]
            logits = self.model.target_logits(*batch).float()
            total += F.cross_entropy(logits, labels, reduction="sum").item()
            tokens += len(labels)
        return total / tokens

    def _to_device(self, texts: TokenIds) -> TokenIds:
        return {name: tensor.to(self.device) for name, tensor in texts.items()}
