"""
Every architecture of `transformers` that writes text, loaded and evaluated as a user does, against a plain pass over
each prompt and option alone. `python -m tests.models.reading.matrix` writes the table in README.md anew.
"""

import sys
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models import Model
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
)

from attribution.data.fields import pad_token_ids
from tests.architectures import UNBUILT, signature, tiny_config

README = Path(__file__).parents[3] / "README.md"
BEGIN, END = "<!-- architectures -->", "<!-- end of architectures -->"

# Prompts that fit into a window, that nearly fill it (16), and that go beyond it; in each batch long and short ones.
LENGTHS = {"within": [5, 2, 9, 3, 1], "at the edge": [15, 1, 13, 16, 6], "beyond": [40, 5, 70, 1, 33]}
# Tokens of each row's options.
OPTIONS = [[2, 4], [3, 1, 4], [3, 3], [2, 3, 1, 5, 4], [1]]
GOLD = [1, 0, 1, 4, 0]

# What transformers 5.23 itself cannot continue a single prompt with.
WRITES_NOTHING = ("blt", "xlstm")

Architecture = Tuple[str, str]
"""The registered model, `causal_lm` or `seq2seq`, and the model type."""


class NotBuilt(Exception):
    """`transformers` makes no tiny, random model of this type."""


class Batch(NamedTuple):
    prompts: List[List[int]]
    options: List[List[List[int]]]

    def rows(self, *numbers: int) -> "Batch":
        return Batch([self.prompts[n] for n in numbers], [self.options[n] for n in numbers])


def architectures() -> List[Architecture]:
    """All that a model could be asked to load; of encoder-decoders those that read text."""
    causal = [("causal_lm", kind.model_type) for kind in MODEL_FOR_CAUSAL_LM_MAPPING]
    seq2seq = [
        ("seq2seq", kind.model_type) for kind in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING if _encodes_and_decodes(kind)
    ]
    return [(model, name) for model, name in dict.fromkeys([*causal, *seq2seq]) if name not in UNBUILT]


def build(architecture: Architecture, folder: Path, **changes: Any) -> Any:
    """A random model, saved into `folder`; what it was saved from."""
    kind, name = architecture
    if (
        kind == "causal_lm"
        and signature(CONFIG_MAPPING[name]).get("is_decoder") is False
        and "is_decoder" not in changes
    ):
        changes["is_decoder"] = True
    torch.manual_seed(13)
    auto = AutoModelForCausalLM if kind == "causal_lm" else AutoModelForSeq2SeqLM
    config = tiny_config(name, **changes)
    size = _size(auto, config)
    assert size < 10**8, f"{name}: {size:,} parameters are not tiny; tests/architectures.py makes it small"
    model = auto.from_config(config).float().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    model.save_pretrained(folder)
    return model


def _size(auto: Any, config: Any) -> int:
    try:
        with torch.device("meta"):
            return sum(weight.numel() for weight in auto.from_config(config).parameters())
    except NotImplementedError:  # Apertus, of transformers 4, looks at a weight.
        return 0


def load(architecture: Architecture, folder: Path, **settings: Any) -> Any:
    params = deepcopy({"type": architecture[0], "model_name": str(folder), **settings})
    return Model.from_params(Params(params), vocab=Vocabulary.empty()).eval()


def batches() -> Dict[str, Batch]:
    generator = torch.Generator().manual_seed(1)

    def text(length: int) -> List[int]:
        return torch.randint(5, 120, (length,), generator=generator).tolist()

    return {
        name: Batch([text(length) for length in lengths], [[text(count) for count in row] for row in OPTIONS])
        for name, lengths in LENGTHS.items()
    }


@torch.no_grad()
def plain_scores(reference: Any, batch: Batch, reading: Optional[Any] = None) -> List[List[float]]:
    """
    One unpadded pass for each prompt and option; of encoder-decoders the one of its own loss or, if a reading is given,
    with its start of targets.
    """
    return [
        [float(_plain(reference, prompt, option, reading)) for option in row]
        for prompt, row in zip(batch.prompts, batch.options)
    ]


def _plain(reference: Any, prompt: List[int], option: List[int], reading: Optional[Any]) -> torch.Tensor:
    if reference.config.is_encoder_decoder:
        given = {"labels": torch.tensor([option])}
        if reading is not None:
            first = option[-1] if reading.start is None else reading.start
            given = {"decoder_input_ids": torch.tensor([[first, *option[:-1]]])}
        logits = reference(input_ids=torch.tensor([prompt]), **given).logits[0]
    else:
        ids = torch.tensor([prompt + option])
        logits = reference(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits[0]
        logits = logits[len(prompt) - 1 : -1]
    return logits.float().log_softmax(-1)[range(len(option)), option].sum()


def tensors(batch: Batch, gold: Optional[List[int]] = None) -> Dict[str, Any]:
    options = pad_token_ids([option for row in batch.options for option in row], 0)
    options["num_options"] = torch.tensor([len(row) for row in batch.options])
    inputs: Dict[str, Any] = {"prompt_and_input": pad_token_ids(batch.prompts, 0), "answer_options": options}
    if gold is not None:
        inputs["correct_answer_index"] = torch.tensor(gold)
    return inputs


@torch.no_grad()
def check(architecture: Architecture, folder: Path, **changes: Any) -> str:
    """
    Which way its options are read, after everything that must be equal was found equal.

    # Raises

    `ConfigurationError` if it is refused; `AssertionError` if a number is wrong; `NotBuilt`.
    """
    try:
        saved = build(architecture, folder, **changes)
    except AssertionError:
        raise
    except Exception as error:
        raise NotBuilt(f"{type(error).__name__}: {error}") from error
    writes = architecture[1] not in WRITES_NOTHING and hasattr(saved, "generate")
    model = load(architecture, folder, **({"generation": {"max_new_tokens": 3, "do_sample": False}} if writes else {}))
    model.tokenizer = SimpleNamespace(pad_id=0)
    reference = (AutoModelForSeq2SeqLM if model.encoder_decoder else AutoModelForCausalLM).from_pretrained(folder)
    reference = reference.float().eval()
    _make_steady(reference)
    for name, batch in batches().items():
        expected = plain_scores(reference, batch)
        together = model(**tensors(batch, GOLD))
        alone = [model(**tensors(batch.rows(row), [GOLD[row]])) for row in range(len(batch.prompts))]
        _assert_close(together["scores"], expected, f"{name} together")
        _assert_close([output["scores"][0] for output in alone], expected, f"{name} alone")
        tokens = sum(len(row[gold]) for row, gold in zip(batch.options, GOLD))
        loss = -sum(row[gold] for row, gold in zip(expected, GOLD)) / tokens
        targets = [row[gold] for row, gold in zip(batch.options, GOLD)]
        trained = model.training_loss(pad_token_ids(batch.prompts, 0), pad_token_ids(targets, 0))
        _assert_close([[float(together["loss"]), float(trained)]], [[loss, loss]], f"{name} loss")
        if writes:
            written = [_written(model, reference, prompt) for prompt in batch.prompts]
            assert _padded(written) == _padded(_of_decoder(model, together["generated"])), f"{name} written"
    if not writes:
        with pytest.raises(ConfigurationError, match="cannot write with a"):
            load(architecture, folder, generation={"max_new_tokens": 3})
    model.train()
    with torch.enable_grad():
        model(**tensors(batch, GOLD))["loss"].backward()
    trained = [weight.grad for weight in model.transformer.parameters() if weight.grad is not None]
    assert trained and all(gradient.isfinite().all() for gradient in trained), "a step of training"
    torch.save(model.transformer.state_dict(), folder / "weights.th")
    again = load(architecture, folder, weights_file=str(folder / "weights.th"))
    _assert_close(again(**tensors(batch))["scores"], expected, "saved and loaded")
    assert len(saved.state_dict()) == len(again.transformer.state_dict())
    return model.reading.name


@torch.no_grad()
def check_delta(architecture: Architecture, folder: Path, delta: Dict[str, Any]) -> None:
    """
    With a delta that acts, trained or not, scores are those of a plain pass over the model that has it.

    # Raises

    `ConfigurationError` if it is refused; `AssertionError` if a number is wrong.
    """
    if not (folder / "config.json").exists():
        build(architecture, folder)
    model = load(architecture, folder, delta=delta)
    generator = torch.Generator().manual_seed(5)
    for weight in model.transformer.parameters():
        if weight.requires_grad:
            weight.add_(torch.randn(weight.shape, generator=generator) * 0.3)
    for name, batch in batches().items():
        # Labels would have masks of their own, without the virtual tokens of a prefix.
        expected = plain_scores(model.transformer, batch, model.reading)
        _assert_close(model(**tensors(batch))["scores"], expected, f"{name} together")
        _assert_close(model(**tensors(batch.rows(1)))["scores"], expected[1:2], f"{name} alone")


def _written(model: Any, reference: Any, prompt: List[int]) -> List[int]:
    settings = {"max_new_tokens": 3, "do_sample": False, "pad_token_id": 0}
    # The cache that `generate` makes is not every model's, and RecurrentGemma's, of transformers 4, is the last text's.
    if "past_key_values" in model.reading.for_generate() or hasattr(reference.base_model, "_setup_cache"):
        settings["use_cache"] = False
    if model.encoder_decoder and getattr(reference.generation_config, "decoder_start_token_id", None) is None:
        settings["decoder_start_token_id"] = model.reading.start
    ids = torch.tensor([prompt])
    [text] = reference.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **settings)
    return text[1 if model.encoder_decoder else len(prompt) :].tolist()


def _of_decoder(model: Any, texts: List[List[int]]) -> List[List[int]]:
    return [text[1:] for text in texts] if model.encoder_decoder else texts


def _padded(texts: List[List[int]]) -> List[List[int]]:
    return [text + [0] * (3 - len(text)) for text in texts]


def _make_steady(reference: Any) -> None:
    """Block-sparse attention becomes full for good after one short text: full from the first."""
    for module in reference.modules():
        if getattr(module, "attention_type", None) == "block_sparse" and hasattr(module, "set_attention_type"):
            module.set_attention_type("original_full")


def _assert_close(found: List[List[float]], expected: List[List[float]], what: str) -> None:
    difference = max(abs(one - other) for row, rows in zip(found, expected) for one, other in zip(row, rows))
    assert [len(row) for row in found] == [len(row) for row in expected], what
    assert difference < 1e-4, f"{what}: {difference:.1e} apart"


def outcome(architecture: Architecture, folder: Path) -> str:
    """The way, or the reason of the refusal."""
    try:
        return check(architecture, folder)
    except ConfigurationError as error:
        reason = str(error).removeprefix(f"model_name {folder}: ")
        return "refused: " + reason.rpartition(" model cannot score options: ")[2].partition("; ")[0].partition(" (")[0]


def table(outcomes: Dict[Architecture, str]) -> str:
    """In Markdown: a row for each model and outcome."""
    lines = ["| model | options are read | model types |", "|---|---|---|"]
    for kind in ("causal_lm", "seq2seq"):
        found = {name: way for (model, name), way in outcomes.items() if model == kind}
        for way in sorted(
            set(found.values()), key=lambda way: (way.startswith("refused"), -list(found.values()).count(way))
        ):
            names = ", ".join(sorted(name for name, own in found.items() if own == way))
            lines.append(f"| `{kind}` | {way} | {names} |")
    return "\n".join(lines)


def documented() -> Dict[Architecture, str]:
    """What the table in README.md says."""
    _, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    rows = [line.strip("| ").split(" | ") for line in rest.partition(END)[0].strip().splitlines()[2:]]
    return {(kind.strip("`"), name): way for kind, way, names in rows for name in names.split(", ")}


def main() -> None:
    outcomes: Dict[Architecture, str] = {}
    for architecture in architectures():
        with TemporaryDirectory() as folder:
            try:
                outcomes[architecture] = outcome(architecture, Path(folder))
            except Exception as error:
                outcomes[architecture] = f"WRONG: {type(error).__name__} {error}".replace("\n", " ")[:300]
        print(*architecture, outcomes[architecture], flush=True)
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    if rest:
        README.write_text(
            before + BEGIN + "\n" + table(outcomes) + "\n" + END + rest.partition(END)[2], encoding="utf-8"
        )
    sys.exit(any(way.startswith("WRONG") for way in outcomes.values()))


def _encodes_and_decodes(kind: Any) -> bool:
    return bool(kind().is_encoder_decoder) if kind.model_type != "encoder-decoder" else True


if __name__ == "__main__":
    main()
