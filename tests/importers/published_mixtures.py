"""
Mixtures of experts as the published program has them: its modules' names, shapes and formulas around a BART, and its
checkpoints.
"""

import json
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from transformers import AutoModelForSeq2SeqLM

EXPERTS, SIZE, HIDDEN = 3, 8, 4
TASKS = ["boolq", "copa", "rte"]
KINDS = [
    f"{kind}{specific}"
    for kind in ("linear", "rnn", "lstm", "gru", "transformer")
    for specific in ("", "_layer_specific")
]
Tensors = Dict[str, torch.Tensor]


class _Unit(torch.nn.Module):
    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.linear1 = torch.nn.Linear(SIZE, HIDDEN)
        self.linear2 = torch.nn.Linear(HIDDEN, outputs)

    def forward(self, vector: torch.Tensor) -> torch.Tensor:
        return self.linear2(F.gelu(self.linear1(vector)))


class PublishedRouter(torch.nn.Module):
    """One task's vector -> logits. Shape: (layers, experts)"""

    def __init__(self, kind: str, layers: int) -> None:
        super().__init__()
        self.kind, self.layers = kind, layers
        self.specific = kind.endswith("_layer_specific")
        width = HIDDEN if self.specific else SIZE
        if kind == "linear":
            self.linear1, self.linear2 = torch.nn.Linear(SIZE, HIDDEN), torch.nn.Linear(HIDDEN, layers * EXPERTS)
            return
        if kind == "linear_layer_specific":
            self.router_units = torch.nn.ModuleList(_Unit(EXPERTS) for _ in range(layers))
            return
        if self.specific:
            self.layer_specific_proj = torch.nn.Linear(SIZE, HIDDEN * layers)
        else:
            self.pos_embed = torch.nn.Embedding(layers, SIZE)
        if kind.startswith("transformer"):
            self.transformer = torch.nn.TransformerEncoderLayer(width, nhead=4, dim_feedforward=HIDDEN)
            self.proj = torch.nn.Linear(width, EXPERTS)
        else:
            cell = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind.partition("_")[0]]
            self.rnn = cell(width, HIDDEN, bidirectional=True)
            self.proj = torch.nn.Linear(2 * HIDDEN, EXPERTS)

    def forward(self, vector: torch.Tensor) -> torch.Tensor:
        if self.kind == "linear":
            return self.linear2(F.gelu(self.linear1(vector))).view(self.layers, EXPERTS)
        if self.kind == "linear_layer_specific":
            return torch.stack([unit(vector) for unit in self.router_units])
        if self.specific:
            sequence = self.layer_specific_proj(vector).view(self.layers, HIDDEN)
        else:
            sequence = vector + self.pos_embed.weight
        if self.kind.startswith("transformer"):
            return self.proj(self.transformer(sequence.unsqueeze(1)).squeeze(1))
        return self.proj(self.rnn(sequence.unsqueeze(1))[0].squeeze(1))


class Mixture:
    """
    # Parameters

    folder : `str`
        Of a BART.
    vanilla : `Sequence[str]`, optional
        Layers without experts: `encoder.0`, ...
    """

    def __init__(self, folder: str, kind: str = "linear_layer_specific", vanilla: Sequence[str] = ()) -> None:
        torch.manual_seed(5)
        model = AutoModelForSeq2SeqLM.from_pretrained(folder)
        self.config = model.config
        self.layers = [f"{stack}.{number}" for stack in ("encoder", "decoder") for number in range(2)]
        self.router = PublishedRouter(kind, len(self.layers)).eval()
        for weight in self.router.parameters():
            torch.nn.init.normal_(weight)
        self.vectors = torch.randn(len(TASKS), SIZE)
        self.vanilla = vanilla
        self.state: Tensors = {}
        for name, value in model.state_dict().items():
            parts = name.split(".")
            if ".layers." not in name or f"{parts[1]}.{parts[3]}" in vanilla:
                self.state[name] = value
                continue
            for expert in range(EXPERTS):
                inner = ".".join([*parts[:4], "blocks", str(expert), *parts[4:]])
                self.state[inner] = value + 0.3 * torch.randn_like(value)
        self.state["final_logits_bias"] = torch.randn_like(self.state["final_logits_bias"])

    def save(self, folder: Path, **changes: Any) -> Path:
        folder.mkdir()
        router = {f"router.model.{name}": value for name, value in self.router.state_dict().items()}
        torch.save({**self.state, **router, **changes}, folder / "model.pt")
        (folder / "id2task.json").write_text(json.dumps({str(number): name for number, name in enumerate(TASKS)}))
        np.save(folder / "task_vecs.npy", self.vectors.numpy())
        return folder

    @torch.no_grad()
    def logits(self, task: str, prompt: List[int], target: List[int], one_expert: bool) -> torch.Tensor:
        """Shape: (target length, vocabulary)"""
        found = self.router(self.vectors[TASKS.index(task)])
        routes = F.one_hot(found.argmax(-1), EXPERTS).float() if one_expert else found.softmax(-1)
        encoded = self._stack("encoder", prompt, None, routes)
        states = self._stack("decoder", target, encoded, routes)
        return states @ self.state["model.shared.weight"].T + self.state["final_logits_bias"][0]

    def _stack(self, stack: str, ids: List[int], encoded: Any, routes: torch.Tensor) -> torch.Tensor:
        place = f"model.{stack}"
        positions = self.state[f"{place}.embed_positions.weight"][2 : 2 + len(ids)]
        states = self._norm(f"{place}.layernorm_embedding", self.state["model.shared.weight"][ids] + positions)
        for number in range(2):
            layer = f"{place}.layers.{number}"
            if f"{stack}.{number}" in self.vanilla:
                states = self._layer(layer, states, encoded)
                continue
            route = routes[self.layers.index(f"{stack}.{number}")]
            outputs = [self._layer(f"{layer}.blocks.{expert}", states, encoded) for expert in range(EXPERTS)]
            states = sum(weight * output for weight, output in zip(route, outputs))
        return states

    def _layer(self, place: str, states: torch.Tensor, encoded: Any) -> torch.Tensor:
        output = self._attend(f"{place}.self_attn", states, states, encoded is not None)
        states = self._norm(f"{place}.self_attn_layer_norm", states + output)
        if encoded is not None:
            output = self._attend(f"{place}.encoder_attn", states, encoded, False)
            states = self._norm(f"{place}.encoder_attn_layer_norm", states + output)
        output = self._linear(f"{place}.fc2", F.gelu(self._linear(f"{place}.fc1", states)))
        return self._norm(f"{place}.final_layer_norm", states + output)

    def _attend(self, place: str, states: torch.Tensor, memory: torch.Tensor, causal: bool) -> torch.Tensor:
        query, key, value = (
            self._linear(f"{place}.{name}_proj", source) for name, source in zip("qkv", (states, memory, memory))
        )
        size = self.config.d_model // 2
        heads = []
        for part in (slice(0, size), slice(size, 2 * size)):
            scores = query[:, part] @ key[:, part].T / size**0.5
            if causal:
                scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -torch.inf)
            heads.append(scores.softmax(-1) @ value[:, part])
        return self._linear(f"{place}.out_proj", torch.cat(heads, dim=1))

    def _linear(self, place: str, states: torch.Tensor) -> torch.Tensor:
        return states @ self.state[f"{place}.weight"].T + self.state[f"{place}.bias"]

    def _norm(self, place: str, states: torch.Tensor) -> torch.Tensor:
        centred = states - states.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return scaled * self.state[f"{place}.weight"] + self.state[f"{place}.bias"]
