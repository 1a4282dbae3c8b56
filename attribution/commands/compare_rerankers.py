"""
`allennlp compare-rerankers`: do two rerankers put the same rows first?
"""

import argparse
import json
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, Dict, List

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError

from attribution.commands.retrieve import TRAINING_ROWS
from attribution.common.manifest import check_products, write_json
from attribution.common.rows import RowError
from attribution.data.formats import open_rows
from attribution.similarity import SimilarityMatrix


def reranker_scores(folder: Path) -> Dict[int, float]:
    """The score of each row of a reranking, best first, by its number in the pool."""
    scores: Dict[int, float] = {}
    path = folder / TRAINING_ROWS
    if path.is_file() and not path.stat().st_size:  # Nothing was found.
        return scores
    for row in open_rows(path):
        number, score = row.content.get("index_id"), row.content.get("reranker_score")
        if not isinstance(number, int) or not isinstance(score, (int, float)):
            raise RowError(row.where, "has no reranker_score", "; name the directories of two rerankings")
        scores[number] = float(score)
    return scores


def compare(one: Dict[int, float], other: Dict[int, float]) -> Dict[str, Any]:
    """
    Of the rows that both kept: Kendall's tau-b and Spearman's rho of their scores, and by how many ranks they are
    displaced, the mean, the mean of the squares (ReCross's measure), and the most. `shared` is the number of these rows
    and `share` that over the smaller set. A correlation that is not defined, of fewer than two rows or of equal scores,
    is null.
    """
    from scipy.stats import kendalltau, rankdata, spearmanr

    shared = sorted(one.keys() & other.keys())
    result: Dict[str, Any] = {"shared": len(shared), "share": len(shared) / max(1, min(len(one), len(other)))}
    left, right = (np.array([scores[number] for number in shared]) for scores in (one, other))
    varied = len(shared) > 1 and len(set(left)) > 1 and len(set(right)) > 1
    result["kendall"] = float(kendalltau(left, right).statistic) if varied else None
    result["spearman"] = float(spearmanr(left, right).statistic) if varied else None
    displaced = np.abs(rankdata(-left) - rankdata(-right)) if shared else np.zeros(1)
    result["displacement"] = float(displaced.mean())
    result["squared_displacement"] = float((displaced**2).mean())
    result["largest_displacement"] = float(displaced.max())
    return result


@Subcommand.register("compare-rerankers")
class CompareRerankers(Subcommand):
    """
    Compares the order of the rows in two directories of `allennlp rerank`, for each of their targets: `allennlp
    compare-rerankers DIR DIR [--output-file FILE]`.

    Registered as a `Subcommand` with name "compare-rerankers".
    """

    requires_plugins = True

    def add_subparser(self, parser: Any) -> argparse.ArgumentParser:
        summary = "Compare the order that two rerankers put the same rows in."
        subparser = parser.add_parser(self.name, description=summary, help=summary)
        subparser.add_argument("one", type=str, help="a directory of `allennlp rerank`")
        subparser.add_argument("other", type=str, help="another, from the same retrieval")
        subparser.add_argument("--output-file", type=str, help="write the comparison as JSON, too")
        subparser.set_defaults(func=_run)
        return subparser


def _run(args: argparse.Namespace) -> None:
    folders = [Path(args.one), Path(args.other)]
    check_products(folders)
    targets = [_targets(folder) for folder in folders]
    if targets[0] != targets[1]:
        raise ConfigurationError(f"compare-rerankers: the targets are {targets[0]} and {targets[1]}, not the same")
    results = {name: compare(*(reranker_scores(_folder(folder, name)) for folder in folders)) for name in targets[0]}
    for name, result in results.items():
        print(f"{name}: {json.dumps(result)}")
    squared = [result["squared_displacement"] for result in results.values()]
    print(f"squared displacement: mean {fmean(squared):.4g}, standard deviation {pstdev(squared):.4g}")
    if args.output_file:
        write_json(Path(args.output_file), results)


def _targets(folder: Path) -> List[str]:
    path = folder / "composition.npz"
    if not path.is_file():
        raise ConfigurationError(f"{folder}: has no composition.npz; name the directory of an `allennlp rerank`")
    return SimilarityMatrix.load(path).targets


def _folder(folder: Path, target: str) -> Path:
    return folder if (folder / TRAINING_ROWS).is_file() else folder / target
