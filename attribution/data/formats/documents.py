"""JSON files that are one object with rows in it: SQuAD's official files and the tasks of Super-NaturalInstructions."""

from pathlib import Path
from typing import Any, Iterator, Optional, Tuple

from attribution.common.rows import JsonDict, LoadedRows, RowError, Rows

DOCUMENTS = "SQuAD's official JSON, tasks of Super-NaturalInstructions"


def document_rows(path: Path, document: JsonDict) -> Optional[Rows]:
    """The rows of such an object; nothing if it is none."""
    if isinstance(document.get("data"), list):
        return LoadedRows(path, _squad(path, document["data"]))
    if isinstance(document.get("Instances"), list):
        return LoadedRows(path, _natural_instructions(path, document))
    return None


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
