"""
The files of the NLP Few-shot Gym (Ye et al., 2021, https://arxiv.org/abs/2104.08835): in a folder a task
`{task}_{shots}_{seed}_{split}.tsv`, in each line an input and its answers, with tabs between them.
"""

import re
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Sequence

from allennlp.common.checks import ConfigurationError

from attribution.common.compression import binary_lines
from attribution.common.rows import RowError, content_lines

SPLITS = ("train", "dev", "test")

_FILE = re.compile(rf"(?P<task>.+?)(_(?P<shots>\d+)_(?P<seed>\d+)|_fulldata)?_(?P<split>{'|'.join(SPLITS)})\.tsv")
_SPACES = str.maketrans("\t\n\r", "   ")
_NAMED = 20


class GymLine(NamedTuple):
    """A line of such a file."""

    input: str
    answers: List[str]
    """Never empty; the first is the one to train on."""

    def encode(self) -> bytes:
        """Tabs and line ends inside a text become spaces: the format cannot hold them."""
        texts = [self.input, *([answer for answer in self.answers if answer] or [""])]
        return ("\t".join(text.translate(_SPACES) for text in texts) + "\n").encode()


def read_lines(path: Path) -> Iterator[GymLine]:
    """
    # Raises

    `RowError` for a line without a tab, or one that is not UTF-8.
    """
    for number, line in enumerate(content_lines(binary_lines(path), blanks=b"\r\n"), start=1):
        yield parse_line(line, f"{path}:{number}")


def parse_line(line: bytes, where: str) -> GymLine:
    """
    # Raises

    `RowError` for a line without a tab, or one that is not UTF-8.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise RowError(where, "not UTF-8", f" ({error})") from error
    first, *answers = text.removesuffix("\n").removesuffix("\r").split("\t")
    if not answers:
        raise RowError(where, "no tab between an input and its answer", f": {first!r:.80}")
    return GymLine(first, [answer for answer in answers if answer] or [""])


def file_name(task: str, shots: int, seed: int, split: str) -> str:
    return f"{task}_{shots}_{seed}_{split}.tsv"


def gym_files(
    root: Path, task: str, split: str, shots: Optional[int] = None, seeds: Optional[Sequence[int]] = None
) -> List[Path]:
    """
    The files of a task in its folder, by seed. They begin with the task's name or, where none does, with any other.

    # Parameters

    root : `Path`
        The folder of the tasks' folders.
    task : `str`
        The task's name.
    split : `str`
        `train`, `dev` or `test`.
    shots : `int`, optional
        By default the number that the files have; 0 for a file without one, as `{task}_fulldata_{split}.tsv`.
    seeds : `Sequence[int]`, optional
        By default all there are; of `test`, which is the same for every seed, the smallest.

    # Raises

    `ConfigurationError`, naming the folder and what is there, if a file is missing or `shots` is not clear.
    """
    folder = root / task
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: no such folder; {root} has {_names(root)}")
    names = [path.name for path in sorted(folder.iterdir())]
    own = [name for name in names if name.startswith(f"{task}_")]
    matches = [match for match in map(_FILE.fullmatch, own or names) if match and match["split"] == split]
    found = {(int(match["shots"] or 0), int(match["seed"] or 0)): folder / match[0] for match in matches}
    if len(found) < len(matches):
        raise ConfigurationError(f"{folder}: several files of a split, {[match[0] for match in matches]}; leave one")
    sizes = sorted({size for size, _ in found})
    if shots is None and len(sizes) > 1:
        raise ConfigurationError(f"{folder}: has files of {sizes} shots; say which with `shots`")
    of_seed = {seed: path for (size, seed), path in sorted(found.items()) if shots in (None, size)}
    missing = [seed for seed in seeds or () if seed not in of_seed]
    if missing or not of_seed:
        wanted = f"{task}_{'*' if shots is None else shots}_{missing[0] if missing else '*'}_{split}.tsv"
        raise ConfigurationError(f"{folder}: no {wanted} in this folder; it has {_names(folder)}")
    chosen = list(of_seed) if seeds is None else sorted(set(seeds))
    return [of_seed[seed] for seed in (chosen[:1] if seeds is None and split == "test" else chosen)]


def _names(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more if names else "nothing"
