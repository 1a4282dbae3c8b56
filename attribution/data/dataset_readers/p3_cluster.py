"""Clusters of prompted rows: DEFT's early experiments."""

from typing import Any, Iterator, Optional, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.json_files import read_json_object
from attribution.common.rows import JsonDict, LoadedRows, Row, RowError, Rows
from attribution.data.dataset_readers.prompted import PromptedExample, PromptedReader
from attribution.data.wrong_answers import NOT_CORRECT

MAX_OPTIONS = 10


@DatasetReader.register("p3_cluster")
class P3ClusterReader(PromptedReader):
    """
    Reads one cluster of P3's rows: a JSON file `{dataset: {"train": [id, ...], "validation": [id, ...]}}` names them
    (as published it was a pickle, which is never read), and `p3_data_path` has them. `details` has `dataset_name`,
    `index` and, of both, `id`.

    Skipped and counted in the log are ids whose dataset or row is not there, and rows with fewer than two options or
    more than ten, with a target that is no option, or marked as not correct.

    Registered as a `DatasetReader` with name "p3_cluster".

    # Parameters

    p3_data_path : `str`
        A JSON file `{dataset: {"train": {id: {"input", "target", "options", "is_correct", ...}}, "validation": ...}}`.
    split_name : `str`, optional (default = `"train"`)
        `train` or `validation`.
    model_name : `str`, optional (default = `"google/t5-small-lm-adapt"`)
        Whose tokenizer to use: a hub id or a local folder.
    max_query_length : `int`, optional (default = `512`)
        Prompts are cut to this many tokens; the end-of-sequence token is kept.
    max_answer_length : `int`, optional (default = `256`)
        The same for answer options.
    return_original_input : `bool`, optional (default = `False`)
        Adds the texts as metadata.
    end_of_sequence : `bool`, optional (default = `True`)
        For decoder-only models: whether options end with the end-of-sequence token.
    """

    def __init__(
        self,
        p3_data_path: str,
        split_name: str = "train",
        model_name: str = "google/t5-small-lm-adapt",
        max_query_length: int = 512,
        max_answer_length: int = 256,
        return_original_input: bool = False,
        end_of_sequence: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            model_name, max_query_length, max_answer_length, return_original_input, end_of_sequence, **kwargs
        )
        self.p3_data_path = p3_data_path
        self.split_name = split_name

    def open(self, file_path: str) -> Rows:
        cluster, local = read_json_object(file_path)
        data, data_path = read_json_object(self.p3_data_path)
        try:
            return LoadedRows(local, self._rows(cluster, data), [local, data_path])
        except (AttributeError, TypeError) as error:
            raise ConfigurationError(
                f"{file_path} or p3_data_path {self.p3_data_path}: not as p3_cluster has them, that is, ids by dataset "
                f"and split, and rows by dataset, split and id ({error!r})"
            ) from error

    def _rows(self, cluster: JsonDict, data: JsonDict) -> Iterator[Tuple[JsonDict, str]]:
        for dataset, splits in cluster.items():
            rows = data.get(dataset, {}).get(self.split_name, {})
            for index in splits.get(self.split_name, []):
                where = f"{self.p3_data_path}: {dataset}, {self.split_name}, {index}"
                if dataset not in data:
                    yield {"not_there": "no such dataset in p3_data_path"}, where
                elif str(index) not in rows:
                    yield {"not_there": "no such id in p3_data_path"}, where
                else:
                    yield {**rows[str(index)], "dataset_name": dataset, "index": index}, where

    def row_to_example(self, row: Row, labelled: bool = True) -> Optional[PromptedExample]:
        reason = row.content.get("not_there") or _unusable(row)
        if reason:
            self.counts[f"rows skipped: {reason}"] += 1
            return None
        text, target, options = (row.content[name] for name in ("input", "target", "options"))
        dataset, index = row.content.get("dataset_name"), row.content.get("index")
        details = {"id": f"{dataset}:{index}", "dataset_name": dataset, "index": index}
        return PromptedExample(
            text, options, options.index(target) if labelled else None, row.number, row.where, details
        )


def _unusable(row: Row) -> Optional[str]:
    options = row.content.get("options")
    if not isinstance(row.content.get("input"), str) or not isinstance(options, list) or None in options:
        raise RowError(row.where, "no text under `input`, or no list under `options`", f"; has {sorted(row.content)}")
    if not 2 <= len(options) <= MAX_OPTIONS:
        return f"fewer than 2 options or more than {MAX_OPTIONS}"
    if row.content.get("target") not in options:
        return "the target is no option"
    return None if row.content.get("is_correct") else NOT_CORRECT
