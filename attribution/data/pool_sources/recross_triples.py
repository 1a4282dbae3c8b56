"""ReCross's triples as rows of a pool."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Union

from attribution.common.json_files import read_json_object
from attribution.common.rows import Row, RowError
from attribution.data.pool_sources.pool_source import PoolRow, PoolSource, Skipped
from attribution.data.triples import open_triples


@PoolSource.register("recross_triples")
class TriplesSource(PoolSource):
    """
    Rows of a JSON list of ReCross's triples, of its JSON lines or of one of its query files: `dataset` and `template`
    of a row's id are its task and its template, its first reference is its target.

    Registered as a `PoolSource` with name "recross_triples".

    # Parameters

    path : `str`
        The file.
    task : `str`, optional
        The task of all rows. Without it, that of the rows' ids, and the file's name for those without one.
    template : `str`, optional
        The same for the wording of the prompt; rows without one have the empty text.
    split : `str`, optional (default = `"train"`)
        Part of the made-up `id` of rows without one: `task|split|template|#number`.
    keep : `List[str]`, optional
        What goes into the pool beside the pool's own fields: `references`, all of them, or `split`.
    shots : `int`, optional
        The file is a query file: so many rows of one round.
    round : `int`, optional (default = `0`)
        Which round of a query file.
    metrics_path : `str`, optional
        A JSON file of ReCross's, `{task: {template: [metric, ...]}}`: rows of templates that none of `metrics` measures
        are left out, and so are rows of what it does not list.
    metrics : `List[str]`, optional (default = `["Accuracy", "Squad"]`)
        The metrics that make exact match fit to evaluate a template.
    """

    def __init__(
        self,
        path: str,
        task: Optional[str] = None,
        template: Optional[str] = None,
        split: str = "train",
        keep: Optional[List[str]] = None,
        shots: Optional[int] = None,
        round: int = 0,
        metrics_path: Optional[str] = None,
        metrics: Optional[List[str]] = None,
    ) -> None:
        super().__init__(Path(path).name.split(".")[0], task, template, split, keep=keep)
        self._rows = open_triples(path, shots, round)
        self._listed: Dict[str, Any] = {}
        self._files = self._rows.files()
        if metrics_path is not None:
            self._listed, file = read_json_object(metrics_path)
            self._files = [*self._files, file]
        self._metrics = frozenset(metrics or ("Accuracy", "Squad"))

    def inputs(self) -> List[Path]:
        return self._files

    def read(self) -> Iterator[Union[Row, RowError]]:
        return self._rows.each()

    def prompts(self, row: Row) -> Iterator[Union[PoolRow, Skipped, RowError]]:
        if self._listed:
            measured = self._listed.get(str(row.content.get("task")), {}).get(str(row.content.get("template")))
            if measured is None:
                yield Skipped("metrics_path does not list its template")
                return
            if not self._metrics & set(measured):
                yield Skipped("exact match does not fit its template")
                return
        yield from super().prompts(row)
