"""
`allennlp rerank`: what a retrieval found, in a better order, and the best of it.
"""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Tuple

from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.commands.retrieve import (
    COMPOSITION,
    OWN_FILES,
    RERANKING,
    TRAINING_ROWS,
    composition_matrix,
    describe,
    scratch_folder,
    shares,
)
from attribution.common.engines import Engine
from attribution.common.json_lines import json_line
from attribution.common.manifest import Identity, read_json, write_json
from attribution.common.names import check_names
from attribution.common.rows import Row, RowError, label_of
from attribution.data.formats import open_rows
from attribution.rerankers import Reranker
from attribution.retrievers.search_log import SEARCH_LOG
from attribution.similarity import SimilarityMatrix

_AGAIN = "name the directory of an `allennlp retrieve`"


class Reranking(ArtefactJob):
    """
    The configuration of `allennlp rerank`.

    # Parameters

    retrieved : `str`
        The directory of an `allennlp retrieve`, of one target or several. All inputs of its search log are queries; the
        candidates are its rows, those first that most queries found, then by best score.
    reranker : `Reranker`
    seed : `int`, optional (default = `0`)
        Nothing is drawn.
    """

    goes_on = True

    def __init__(self, retrieved: str, reranker: Reranker, seed: int = 0) -> None:
        self.retrieved = Path(retrieved)
        self.reranker = reranker
        if not (self.retrieved / "composition.npz").is_file():
            raise ConfigurationError(f"retrieved: {retrieved} has no composition.npz; {_AGAIN}")
        self.before = SimilarityMatrix.load(self.retrieved / "composition.npz")
        several = not (self.retrieved / TRAINING_ROWS).is_file()
        if several:
            check_names(self.before.targets, str(self.retrieved / "composition.npz"), OWN_FILES)
        self.folders = {name: name if several else "." for name in self.before.targets}

    def inputs(self) -> List[Path]:
        folders = [self.retrieved / folder for folder in self.folders.values()]
        files = [folder / name for folder in folders for name in (TRAINING_ROWS, SEARCH_LOG, COMPOSITION)]
        missing = [path for path in files if not path.is_file()]
        if missing:
            raise ConfigurationError(f"retrieved: {missing[0]} is missing; {_AGAIN}")
        return files

    def identity(self, configuration: Dict[str, Any]) -> Identity:
        return {**super().identity(configuration), "reranker": self.reranker.identity()}

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes what `allennlp retrieve` does, the rows best first and each with its `reranker_score`."""
        compositions = [self._rerank(name, directory, engine) for name in self.folders]
        names = list(self.folders)
        composition_matrix(names, compositions, self.before.sources).save(directory / "composition.npz")
        shutil.rmtree(directory / RERANKING)
        return "\n".join(map(describe, names, compositions))

    def _rerank(self, name: str, directory: Path, engine: Engine) -> Dict[str, Any]:
        source, folder = self.retrieved / self.folders[name], directory / self.folders[name]
        folder.mkdir(exist_ok=True)
        if not (source / TRAINING_ROWS).stat().st_size:  # Of several targets, one that found nothing.
            for part in (TRAINING_ROWS, SEARCH_LOG, COMPOSITION):
                shutil.copyfile(source / part, folder / part)
            return read_json(source / COMPOSITION, _AGAIN)
        rows = sorted(open_rows(source / TRAINING_ROWS), key=_rank)
        queries = [_input(row) for row in open_rows(source / SEARCH_LOG)]
        found = self.reranker.rerank(queries, [_input(row) for row in rows], engine, scratch_folder(directory))
        kept = [rows[place] for place in found.places]
        with (folder / TRAINING_ROWS).open("w", encoding="utf-8") as file:
            for row, score in zip(kept, found.scores.tolist()):
                file.write(json_line({**row.content, "reranker_score": score}, row.where) + "\n")
        shutil.copyfile(source / SEARCH_LOG, folder / SEARCH_LOG)
        before = read_json(source / COMPOSITION, _AGAIN)
        in_pool = {
            task: {key: part[key] for key in ("pool_rows", "pool_share")} for task, part in before["tasks"].items()
        }
        tasks = Counter(label_of(row, "task") for row in kept)
        composition = {
            "rows": len(kept),
            "queries": before["queries"],
            "dropped": before["dropped"],
            "reranked": found.about,
            "tasks": shares(tasks, in_pool),
        }
        write_json(folder / COMPOSITION, composition)
        return composition


def _rank(row: Row) -> Tuple[int, float, int]:
    try:
        return -row.content["attribution_frequency"], -row.content["best_score"], row.content["index_id"]
    except (KeyError, TypeError) as error:
        raise RowError(row.where, "is no row of a retrieval", f" ({error}); {_AGAIN}") from error


def _input(row: Row) -> str:
    text = row.content.get("input")
    if not isinstance(text, str) or not text.strip():
        raise RowError(row.where, "no text under `input`", f"; there are {sorted(row.content)}")
    return text


@Subcommand.register("rerank")
class RerankCommand(ArtefactCommand):
    """
    Puts what a retrieval found in a better order and keeps the best: `allennlp rerank CONFIG -s DIR`. DIR is then as
    that of `allennlp retrieve`, with the best rows first. If it is stopped at any moment, the same command goes on
    after the last pairs that were scored, and ends with the same bytes.

    Registered as a `Subcommand` with name "rerank".
    """

    job = Reranking
    summary = "Rerank the rows that a retrieval found, and keep the best."
