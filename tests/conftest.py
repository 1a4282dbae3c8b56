"""Tiny random models of each architecture, saved as Hugging Face folders: no hub, no network."""

import json
import logging
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence

import pytest
import torch
from hypothesis import settings
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BartConfig,
    BertConfig,
    EncoderDecoderConfig,
    GPT2Config,
    LlamaConfig,
    MarianConfig,
    PreTrainedTokenizerFast,
    T5Config,
)

from attribution.common.engines import RayEngine

# The same examples in every run, on a slow machine too.
settings.register_profile("same", deadline=None, derandomize=True, database=None)
settings.load_profile("same")

SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
WORDS = [
    "yes",
    "no",
    "maybe",
    "true",
    "false",
    "neither",
    "good",
    "bad",
    "movie",
    "the",
    "a",
    "film",
    "was",
    "this",
    "that",
    "it",
    "is",
    "question",
    "answer",
    "review",
    "does",
    "imply",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "red",
    "green",
    "blue",
    "cat",
    "dog",
    "sat",
    "on",
    "mat",
    "and",
    "not",
    "entailed",
    "?",
    ".",
    ":",
    # Of the fixtures' options, so that they are told apart.
    *["Yes", "No", "True", "False", "1", "2", "trophy", "case", "helium", "argon", "neon"],
    *["estoppel", "waiver", "laches", "comity", "standing"],
]
VOCABULARY_SIZE = 128

SEQ2SEQ = ["t5", "t5_gated", "bart", "marian", "bert2bert"]
CAUSAL = ["llama", "gpt2"]


def _tokenizer(prefix: List[str], suffix: List[str], more: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    vocabulary = {token: number for number, token in enumerate(SPECIAL + WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=" ".join([*prefix, "$A", *suffix]), special_tokens=[(token, vocabulary[token]) for token in SPECIAL]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    fast.add_special_tokens({"additional_special_tokens": [*more]})
    return fast


_SMALL: Dict[str, Any] = {"vocab_size": VOCABULARY_SIZE, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_BART: Dict[str, Any] = {
    **_SMALL,
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 64,
    "forced_eos_token_id": None,
}
_T5: Dict[str, Any] = {
    **_SMALL,
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 32,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 2,
    "decoder_start_token_id": 0,
}
_BERT: Dict[str, Any] = {
    **_SMALL,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}


def _bert2bert() -> EncoderDecoderConfig:
    config = EncoderDecoderConfig.from_encoder_decoder_configs(BertConfig(**_BERT), BertConfig(**_BERT))
    config.decoder_start_token_id, config.pad_token_id = 1, 0
    return config


_CONFIGS: Dict[str, Callable[[], Any]] = {
    "t5": lambda: T5Config(**_T5),
    "t5_gated": lambda: T5Config(**_T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False),
    "t5_sentinel": lambda: T5Config(**_T5),
    "t5_without_dropout": lambda: T5Config(**_T5, dropout_rate=0.0),
    "bart": lambda: BartConfig(**_BART, decoder_start_token_id=2),
    "marian": lambda: MarianConfig(**_BART, decoder_start_token_id=0),
    "bert2bert": _bert2bert,
    "bert": lambda: BertConfig(**_BERT),
    "llama": lambda: LlamaConfig(
        **_SMALL,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
    ),
    "gpt2": lambda: GPT2Config(**_SMALL, n_embd=16, n_layer=2, n_head=2, n_positions=64),
}


def build_model(name: str, folder: Path) -> Path:
    """Saves a tiny random model of the named architecture with its tokenizer; returns the folder."""
    from transformers import AutoModel

    torch.manual_seed(13)
    config = _CONFIGS[name]()
    auto = (
        AutoModel
        if name == "bert"
        else AutoModelForSeq2SeqLM
        if name.startswith(tuple(SEQ2SEQ))
        else AutoModelForCausalLM
    )
    model = auto.from_config(config)
    if (
        name == "t5_gated"
    ):  # T5-v1.1, LM-adapt, T0 and Flan have a head of their own; `transformers` ties it all the same.
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) * 0.3)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)  # Otherwise T5's and BERT's logits are all but uniform.
    model.save_pretrained(folder)
    prefix = ["<s>"] if name in ("bart", "bert2bert", "bert", "llama") else []
    suffix = ["</s>"] if name.startswith((*SEQ2SEQ, "bert")) else []
    _tokenizer(prefix, suffix, ["<extra_id_0>"] if name == "t5_sentinel" else []).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """name of an architecture -> folder of a tiny random model, built once a session."""
    built: Dict[str, str] = {}

    def get(name: str) -> str:
        if name not in built:
            built[name] = str(build_model(name, tmp_path_factory.mktemp(f"{name}_model")))
        return built[name]

    return get


def build_classifier(folder: Path, num_labels: int = 2, **settings: Any) -> str:
    """A tiny random BERT classifier; its tokenizer puts a separator between the texts of a pair."""
    build_model("bert", folder)
    rust = AutoTokenizer.from_pretrained(folder).backend_tokenizer
    special = [(token, rust.token_to_id(token)) for token in ("<s>", "</s>")]
    rust.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=special
    )
    names = ["input_ids", "token_type_ids", "attention_mask"]
    PreTrainedTokenizerFast(
        tokenizer_object=rust, pad_token="<pad>", unk_token="<unk>", model_input_names=names
    ).save_pretrained(folder)
    torch.manual_seed(7)
    model = AutoModelForSequenceClassification.from_config(BertConfig(**{**_BERT, **settings}, num_labels=num_labels))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    model.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def tiny_classifier(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """number of labels -> folder of a tiny random classifier, built once a session."""
    built: Dict[int, str] = {}

    def get(num_labels: int = 2) -> str:
        if num_labels not in built:
            built[num_labels] = build_classifier(tmp_path_factory.mktemp(f"classifier_{num_labels}"), num_labels)
        return built[num_labels]

    return get


@pytest.fixture
def write_jsonl(tmp_path: Path) -> Callable[..., str]:
    """(name, rows) -> path of a JSONL file in the test's own folder."""

    def write(name: str, rows: List[Any]) -> str:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real prompted rows, where the machine has them: the Makefile sets the variable."""
    folder = os.environ.get("ATTRIBUTION_SHARED_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ATTRIBUTION_SHARED_DATA does not name a folder")
    return Path(folder)


@pytest.fixture(scope="session")
def ray_engines() -> Iterator[Dict[int, RayEngine]]:
    """number of workers -> an engine on a real Ray on this machine, started once a session."""
    ray = pytest.importorskip("ray")
    # Workers find the classes of the tests, too.
    environment = {"env_vars": {"PYTHONPATH": str(Path(__file__).parents[1])}}
    ray.init(num_cpus=7, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    yield {workers: RayEngine(workers) for workers in (1, 2, 4)}
    ray.shutdown()


@contextmanager
def _logging_as_before() -> Iterator[None]:
    """What AllenNLP's commands do to the process's logging is undone."""
    root = logging.root
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """No test's logging depends on the tests before it."""
    with _logging_as_before():
        logging.root.setLevel(logging.WARNING)
        yield


class CommandResult(NamedTuple):
    """What a command did."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture
def allennlp(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., CommandResult]:
    """Runs `allennlp ARGUMENTS` in this process, as the console script does."""
    from allennlp.commands import main
    from allennlp.common.port import run

    def command(*arguments: str) -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["allennlp", *map(str, arguments)])
        capsys.readouterr()
        with _logging_as_before():
            try:
                run(lambda: main(prog="allennlp"))
                status = 0
            except SystemExit as stop:
                status = int(stop.code or 0)
        return CommandResult(status, *capsys.readouterr())

    return command


ROWS = [
    {
        "input": " ".join(WORDS[10 + (7 * number + step) % 25] for step in range(3 + number % 5)) + f" {sign} ?",
        "target": "yes" if sign == "good" else "no",
        "answer_choices": ["yes", "no"],
    }
    for number, sign in enumerate(["good", "bad", "bad", "good", "good", "bad"] * 4)
]


@pytest.fixture
def train_config(
    tiny_model: Callable[[str], str], write_jsonl: Callable[..., str], tmp_path: Path
) -> Callable[..., str]:
    """(changes, model) -> path of a small configuration that trains and validates on `ROWS`."""

    def make(changes: Optional[Dict[str, Any]] = None, model: str = "t5") -> str:
        rows = write_jsonl("rows.jsonl", ROWS)
        config: Dict[str, Any] = {
            "dataset_reader": {"type": "p3_jsonl", "model_name": tiny_model(model)},
            "train_data_path": rows,
            "validation_data_path": rows,
            "vocabulary": {"type": "empty"},
            "model": {"type": "causal_lm" if model in CAUSAL else "seq2seq", "model_name": tiny_model(model)},
            "data_loader": {"batch_size": 4, "shuffle": True},
            "trainer": {
                "num_epochs": 2,
                "optimizer": {"type": "adam", "lr": 0.01},
                "cuda_device": -1,
                "enable_default_callbacks": False,
            },
        }
        for key, value in (changes or {}).items():
            *outer, last = key.split(".")
            block = config
            for name in outer:
                block = block.setdefault(name, {})
            block[last] = value
        path = tmp_path / "config.jsonnet"
        path.write_text(json.dumps(config))
        return str(path)

    return make
