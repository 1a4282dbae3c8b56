"""From task vectors to logits of every layer's experts (Ye et al., 2022, https://arxiv.org/abs/2205.12701)."""

from abc import abstractmethod
from typing import Any

import torch
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError


class Router(torch.nn.Module, Registrable):
    """
    Base of the routers.

    # Parameters

    layers, experts : `int`
        The model gives them: layers with experts, and experts of each.
    input_size : `int`
        The model gives it: that of a task vector.
    hidden_size : `int`, optional (default = `64`)
        Its own width.
    layer_specific : `bool`, optional (default = `False`)
        Whether every layer has its own weights from the task vector to the hidden states.
    """

    def __init__(
        self, layers: int, experts: int, input_size: int, hidden_size: int = 64, layer_specific: bool = False
    ) -> None:
        super().__init__()
        if hidden_size < 1:
            raise ConfigurationError(f"router: hidden_size is {hidden_size}; at least 1 is needed")
        self.layers = layers
        self.experts = experts
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.layer_specific = layer_specific

    def attach(self, transformer: torch.nn.Module) -> None:
        """Called once with the transformer that has the experts."""

    @abstractmethod
    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """
        # Parameters

        vectors : `torch.Tensor`
            Shape: (batch, input size)

        # Returns

        `torch.Tensor`
            Shape: (layers, batch, experts)
        """


@Router.register("linear")
class LinearRouter(Router):
    """
    Two linear layers with GELU between them; with `layer_specific` as many of these pairs as layers, which is the
    published default.

    Registered as a `Router` with name "linear".

    Parameters are those of `Router`.
    """

    def __init__(self, layers: int, experts: int, input_size: int, **kwargs: Any) -> None:
        super().__init__(layers, experts, input_size, **kwargs)
        routers, outputs = (layers, experts) if self.layer_specific else (1, layers * experts)
        self.routers = torch.nn.ModuleList(
            torch.nn.Sequential(
                torch.nn.Linear(input_size, self.hidden_size),
                torch.nn.GELU(),
                torch.nn.Linear(self.hidden_size, outputs),
            )
            for _ in range(routers)
        )

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        if self.layer_specific:
            return torch.stack([router(vectors) for router in self.routers])
        return self.routers[0](vectors).view(-1, self.layers, self.experts).transpose(0, 1)


class SequenceRouter(Router):
    """
    Base of the routers that read the layers as a sequence. A layer's input is the task vector and the layer's own
    position embedding, added up; with `layer_specific` its own projection of the task vector.

    Parameters are those of `Router`.
    """

    def __init__(self, layers: int, experts: int, input_size: int, **kwargs: Any) -> None:
        super().__init__(layers, experts, input_size, **kwargs)
        if self.layer_specific:
            self.width = self.hidden_size
            self.projection = torch.nn.Linear(input_size, layers * self.hidden_size)
        else:
            self.width = input_size
            self.positions = torch.nn.Embedding(layers, input_size)

    def sequence(self, vectors: torch.Tensor) -> torch.Tensor:
        """Shape: (batch, layers, width)"""
        if self.layer_specific:
            return self.projection(vectors).view(-1, self.layers, self.width)
        return vectors.unsqueeze(1) + self.positions.weight


class RecurrentRouter(SequenceRouter):
    """Base of `rnn`, `lstm` and `gru`: one bidirectional recurrent layer over the layers, then a linear layer."""

    cell: Any

    def __init__(self, layers: int, experts: int, input_size: int, **kwargs: Any) -> None:
        super().__init__(layers, experts, input_size, **kwargs)
        self.recurrent = self.cell(self.width, self.hidden_size, batch_first=True, bidirectional=True)
        self.output = torch.nn.Linear(2 * self.hidden_size, experts)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return self.output(self.recurrent(self.sequence(vectors))[0]).transpose(0, 1)


@Router.register("rnn")
class RNNRouter(RecurrentRouter):
    """
    A bidirectional Elman network over the layers.

    Registered as a `Router` with name "rnn".

    Parameters are those of `Router`.
    """

    cell = torch.nn.RNN


@Router.register("lstm")
class LSTMRouter(RecurrentRouter):
    """
    A bidirectional LSTM over the layers.

    Registered as a `Router` with name "lstm".

    Parameters are those of `Router`.
    """

    cell = torch.nn.LSTM


@Router.register("gru")
class GRURouter(RecurrentRouter):
    """
    A bidirectional GRU over the layers.

    Registered as a `Router` with name "gru".

    Parameters are those of `Router`.
    """

    cell = torch.nn.GRU


@Router.register("transformer")
class TransformerRouter(SequenceRouter):
    """
    One layer of a Transformer's encoder over the layers, then a linear layer.

    Registered as a `Router` with name "transformer".

    # Parameters

    heads : `int`, optional (default = `4`)
        They divide the task vector's size, or with `layer_specific` the hidden size.
    dropout : `float`, optional (default = `0.1`)
        In the layer.

    All others are those of `Router`.
    """

    def __init__(
        self, layers: int, experts: int, input_size: int, heads: int = 4, dropout: float = 0.1, **kwargs: Any
    ) -> None:
        super().__init__(layers, experts, input_size, **kwargs)
        if heads < 1 or self.width % heads:
            raise ConfigurationError(
                f"router: transformer: heads is {heads}, which does not divide the width {self.width} of its input"
            )
        self.encoder = torch.nn.TransformerEncoderLayer(
            self.width, heads, self.hidden_size, dropout=dropout, batch_first=True
        )
        self.output = torch.nn.Linear(self.width, experts)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return self.output(self.encoder(self.sequence(vectors))).transpose(0, 1)
