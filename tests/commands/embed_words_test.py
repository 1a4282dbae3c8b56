import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
from allennlp.common import Params

from attribution.commands.embed_words import WordEmbedding, Words
from attribution.common.engines import InProcessEngine, RayEngine
from attribution.data.dataset_readers.probing import Conll2003NerReader
from attribution.encoders import TransformerEncoder, Vectors
from tests.conftest import WORDS

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "probing"
# The longest have more words than the tiny encoder reads.
SENTENCES = [[WORDS[(3 * line + place) % 40] for place in range(2 + 5 * line % 11)] for line in range(12)]


@pytest.fixture
def config(tiny_model: Callable[[str], str], tmp_path: Path) -> Callable[..., str]:
    (tmp_path / "text.txt").write_text("".join(" ".join(words) + "\n" for words in SENTENCES))
    settings: Dict[str, Any] = {
        "words": {"path": str(tmp_path / "text.txt"), "reader": {"type": "probe_text", "min_words": 1}},
        "encoder": {"type": "transformer", "model_name": tiny_model("bert"), "max_length": 10, "pooling": "last"},
        "dtype": "float32",
        "shard_rows": 16,
    }

    def make(**changes: Any) -> str:
        path = tmp_path / "embed.json"
        path.write_text(json.dumps({**settings, **changes}))
        return str(path)

    return make


def _files(folder: Path) -> Dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _sentences(folder: Path) -> List[List[str]]:
    return [json.loads(line) for line in (folder / "sentences.jsonl").read_text().splitlines()]


def test_a_row_for_each_word(config: Any, allennlp: Any, tiny_model: Any, tmp_path: Path) -> None:
    result = allennlp("embed", config(), "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    lengths = [len(words) for words in SENTENCES]
    cut = sum(max(0, length - 8) for length in lengths)
    assert f"{sum(lengths)} words of 12 sentences, {cut} of them not read whole" in result.stdout and cut > 0
    assert _sentences(tmp_path / "out") == SENTENCES
    starts = np.cumsum([0, *lengths])
    stored = list(Vectors(tmp_path / "out").blocks())
    assert [len(block) for block in stored][:-1] == [16] * (sum(lengths) // 16)
    rows = np.concatenate(stored)
    encoder = TransformerEncoder(tiny_model("bert"), max_length=10, pooling="last")
    for start, words in zip(starts, SENTENCES):
        np.testing.assert_allclose(rows[start : start + len(words)], encoder.encode_words([words]), atol=1e-5)
        assert not rows[start + 8 : start + len(words)].any()
    assert "finished already" in allennlp("embed", config(), "-s", tmp_path / "out").stdout
    assert "was made from something else: pool.words.size" in (
        allennlp("embed", config(words={**json.loads(Path(config()).read_text())["words"], "size": 3}), "-s",
                 tmp_path / "out").stderr
    )  # fmt: skip


def test_flags_instead_of_a_configuration(
    config: Any, allennlp: Any, tiny_model: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    text, model = tmp_path / "text.txt", tiny_model("bert")
    text.write_text("".join(" ".join(words * 6) + "\n" for words in SENTENCES))
    flags = ("--words", text, "--encoder", model, "-o", '{"dtype": "float32"}')
    for pooling in ("last", "first"):
        extra = () if pooling == "last" else ("--pooling", pooling)
        assert allennlp("embed", *flags, *extra, "-s", tmp_path / pooling).status == 0
        wanted = TransformerEncoder(model, pooling=pooling).encode_words([words * 6 for words in SENTENCES])
        np.testing.assert_allclose(np.concatenate(list(Vectors(tmp_path / pooling).blocks())), wanted, atol=1e-5)
    monkeypatch.setenv("CHECKPOINT", "gpt2")
    monkeypatch.setenv("TEXT_PATH", str(text))
    shipped = Params.from_file(ROOT / "training_config" / "checkpoint_zoo" / "words.jsonnet").as_dict()
    assert Vectors(tmp_path / "last").identity["pool"]["words"] == {"reader": shipped["words"]["reader"]}
    for wrong, message in (
        ((config(), "--words", text), "embed: --words beside a configuration; change that with -o"),
        (("--words", text), "embed: name a configuration, or --words and --encoder"),
    ):
        result = allennlp("embed", *wrong, "-s", tmp_path / "out")
        assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr


def test_it_goes_on_to_the_same_bytes_with_any_workers(
    config: Any, tiny_model: Any, tmp_path: Path, ray_engines: Dict[int, RayEngine]
) -> None:
    settings = json.loads(Path(config()).read_text())

    def job() -> WordEmbedding:
        words = Words(settings["words"]["path"], size=None)
        return WordEmbedding(words, TransformerEncoder(tiny_model("bert"), max_length=10), "float16", 7)

    (tmp_path / "text.txt").write_text("".join(" ".join(words * 8) + "\n" for words in SENTENCES))
    for name, engine in {"here": InProcessEngine(), "two": ray_engines[2]}.items():
        (tmp_path / name).mkdir()
        job().run(tmp_path / name, engine)
    assert _files(tmp_path / "here") == _files(tmp_path / "two") and len(_files(tmp_path / "two")) > 5
    lost = [tmp_path / "two" / f"vectors_{first:010d}.npy" for first in (7, 21)]
    for path in lost:
        path.unlink()
    job().run(tmp_path / "two", InProcessEngine())
    assert _files(tmp_path / "here") == _files(tmp_path / "two")


def test_a_task_of_words(config: Any, allennlp: Any, tmp_path: Path) -> None:
    words = {"path": str(FIXTURES / "conll2003_ner.txt"), "reader": "conll2003_ner", "size": 2}
    assert allennlp("embed", config(words=words), "-s", tmp_path / "out").status == 0
    sentences = _sentences(tmp_path / "out")
    assert len(sentences) == 2 and len(Vectors(tmp_path / "out")) == sum(map(len, sentences))
    read = list(Conll2003NerReader().sentences(words["path"]))[:2]  # type: ignore[arg-type]
    labels = [str(label) for sentence in read for label in sentence.labels or []]
    numbers = np.load(tmp_path / "out" / "labels.npy")
    assert [sorted(set(labels))[number] for number in numbers] == labels


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"words": {"path": "/nowhere"}}, "/nowhere: no such file"),
        ({"words": {"path": "text.txt", "size": 0}}, "words.size is 0; at least one sentence is needed"),
        ({"words": {"path": "text.txt"}}, "no line has 10 words; lower min_words"),
        ({"words": {"path": "text.txt", "reader": {"type": "p3_jsonl"}}}, "words.reader: P3JsonlReader reads no"),
        ({"encoder": {"type": "sentence_transformers", "model_name": "x"}}, "words have vectors of the encoder `trans"),
        ({"dtype": "float64"}, "dtype is 'float64'; float16 and float32 are possible"),
        ({"shard_rows": 0}, "shard_rows is 0"),
    ],
)
def test_bad_settings(changes: Any, message: str, config: Any, allennlp: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    path = config(**changes)
    if "lower" in message:
        (tmp_path / "text.txt").write_text("a film\n")
    result = allennlp("embed", path, "-s", tmp_path / "out")
    assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr
    assert not (tmp_path / "out").exists()
