"""Prompted rows from files."""

from pathlib import Path
from typing import Dict, Iterator, List, Optional, Union

from allennlp.common.checks import ConfigurationError

from attribution.common.rows import ParquetRows, Row, RowError
from attribution.data.formats import open_rows
from attribution.data.pool_sources.pool_source import POOL_FIELDS, PoolSource


@PoolSource.register("rows")
class RowsSource(PoolSource):
    """
    Rows of a file in any format that is read, or of all such files of a folder, in the order of their names.

    Registered as a `PoolSource` with name "rows".

    # Parameters

    path : `str`
        The file or the folder.
    task : `str`, optional
        The task of all rows. Without it, the rows' own `task`, and the file's name for those without one.
    template : `str`, optional
        The same for the wording of the prompt; rows without one have the empty text.
    split : `str`, optional (default = `"train"`)
        Part of the made-up `id` of rows without one: `task|split|template|#number`.
    fields : `Dict[str, str]`, optional
        From a field's name in the file to its name in the pool.
    keep : `List[str]`, optional
        Fields that go into the pool beside the pool's own.
    layout : `str`, optional
        What prompted rows look like, one of `attribution.data.layouts.LAYOUTS`. Without it and `fields` each row
        says, and the log has what they say.
    """

    def __init__(
        self,
        path: str,
        task: Optional[str] = None,
        template: Optional[str] = None,
        split: str = "train",
        fields: Optional[Dict[str, str]] = None,
        keep: Optional[List[str]] = None,
        layout: Optional[str] = None,
    ) -> None:
        super().__init__(Path(path).name.split(".")[0], task, template, split, fields, keep, layout)
        reserved = sorted(set(keep or []) & set(POOL_FIELDS))
        if reserved:
            raise ConfigurationError(f"keep names {reserved[0]!r}, which is a field of the pool; map it with `fields`")
        self._rows = open_rows(path, self.prompting.gym)

    def inputs(self) -> List[Path]:
        return self._rows.files()

    def total(self) -> Optional[int]:
        return len(self._rows) if isinstance(self._rows, ParquetRows) else None

    def read(self) -> Iterator[Union[Row, RowError]]:
        return self._rows.each()
