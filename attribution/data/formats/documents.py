"""
JSON files that are one object with rows in it: SQuAD's official files, the tasks of Super-NaturalInstructions, and any
list under `data` or the name of a split.
"""

from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

from allennlp.common.checks import ConfigurationError

from attribution.common.rows import JsonDict, LoadedRows, RowError, Rows, object_row

DOCUMENTS = "SQuAD's official JSON, tasks of Super-NaturalInstructions, a list under `data` or a split's name"

_HOLDERS = ("data", "train", "validation", "dev", "test")


def document_rows(path: Path, document: JsonDict) -> Optional[Rows]:
    """
    The rows of such an object; nothing if it is none.

    # Raises

    `ConfigurationError` if one of them is not as it should be, or there are several lists.
    """
    if isinstance(document.get("Instances"), list):
        return LoadedRows(path, _natural_instructions(path, document))
    held = [name for name in _HOLDERS if isinstance(document.get(name), list)]
    if not held:
        return None
    if len(held) > 1:
        raise ConfigurationError(f"{path}: has rows under {' and '.join(held)}; write each list into a file of its own")
    rows = document[held[0]]
    is_squad = any(isinstance(row, dict) and "paragraphs" in row for row in rows)
    return LoadedRows(path, _squad(path, rows) if is_squad else _listed(path, held[0], rows))


def _listed(path: Path, name: str, rows: List[Any]) -> Iterator[Tuple[JsonDict, str]]:
    for number, content in enumerate(rows, start=1):
        where = f"{path}: {name}, row {number}"
        yield object_row(number - 1, content, where, escaped=True).content, where


def _squad(path: Path, articles: Any) -> Iterator[Tuple[JsonDict, str]]:
    """As the hub has them: a row a question, all of its answers in two lists."""
    for number, article in enumerate(articles, start=1):
        try:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    answers = question.get("answers") or []
                    content = {
                        "id": question.get("id"),
                        "title": article.get("title"),
                        "context": paragraph["context"],
                        "question": question["question"],
                        "answers": {key: [answer[key] for answer in answers] for key in ("text", "answer_start")},
                    }
                    yield content, f"{path}: question {content['id']}"
        except (AttributeError, KeyError, TypeError) as error:
            raise RowError(f"{path}: article {number}", "not as SQuAD has it", f" ({error!r})") from error


def _natural_instructions(path: Path, task: JsonDict) -> Iterator[Tuple[JsonDict, str]]:
    listed = task.get("Definition")
    definition = " ".join(listed) if isinstance(listed, list) else listed
    for number, instance in enumerate(task["Instances"], start=1):
        where = f"{path}: instance {number}"
        if not isinstance(instance, dict):
            raise RowError(where, "not an object with an input and an output", f": {instance!r:.80}")
        yield {"task": path.name.split(".")[0], "definition": definition, **instance}, where
