"""ReCross's triples as rows of a pool."""

from pathlib import Path
from typing import Iterator, List, Optional, Union

from attribution.common.rows import Row, RowError
from attribution.data.pool_sources.pool_source import PoolSource
from attribution.data.triples import open_triples


@PoolSource.register("recross_triples")
class TriplesSource(PoolSource):
    """
    Rows of a JSON list of ReCross's triples, or of its JSON lines: `dataset` and `template` of a row's id are its task
    and its template, its first reference is its target.

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
    """

    def __init__(
        self,
        path: str,
        task: Optional[str] = None,
        template: Optional[str] = None,
        split: str = "train",
        keep: Optional[List[str]] = None,
    ) -> None:
        super().__init__(Path(path).name.split(".")[0], task, template, split, keep=keep)
        self._rows = open_triples(path)

    def inputs(self) -> List[Path]:
        return self._rows.files()

    def read(self) -> Iterator[Union[Row, RowError]]:
        return self._rows.each()
