"""Rows of Hugging Face datasets, from the hub or a folder."""

from pathlib import Path
from typing import Dict, Iterator, List, Optional, Union

from allennlp.common.checks import ConfigurationError

from attribution.common.rows import Row, RowError, as_json
from attribution.data.dataset_files import DatasetRows, data_files, is_saved_dataset, load, load_saved
from attribution.data.formats import is_row_file, named_as_rows, open_files, open_rows
from attribution.data.pool_sources.pool_source import PoolSource


@PoolSource.register("datasets")
class DatasetsSource(PoolSource):
    """
    Rows of a dataset that needs no loading script (https://huggingface.co/docs/datasets): prompted ones, or raw ones
    for a `templates` source.

    Registered as a `PoolSource` with name "datasets".

    # Parameters

    path : `str`
        A hub id, a folder that `save_to_disk` wrote, or a folder or a file of rows in any format that is read. Texts
        and numbers of local files are as they are written; those of the hub's JSON and CSV are what `datasets` makes of
        them.
    name : `str`, optional
        The dataset's configuration.
    split : `str`, optional (default = `"train"`)
        Which rows; also part of the made-up `id` of rows without one.
    data_dir : `str`, optional
        A folder of the dataset, to use no other.
    revision : `str`, optional
        The hub's branch, tag or commit. `refs/convert/parquet` has datasets that otherwise need a loading script, each
        configuration in a folder (`data_dir`).
    streaming : `bool`, optional (default = `True`)
        Read while going, neither held in memory nor stored, as local files are always. Without it the dataset goes into
        the cache of `datasets`.
    task : `str`, optional
        The task of all rows. Without it, the rows' own `task`, and the dataset's name for those without one.
    template : `str`, optional
        The same for the wording of the prompt; rows without one have the empty text.
    fields : `Dict[str, str]`, optional
        From a field's name in the dataset to its name in the pool.
    layout : `str`, optional
        What prompted rows look like, one of `attribution.data.layouts.LAYOUTS`. Without it and `fields` each row
        says, and the log has what they say.
    """

    def __init__(
        self,
        path: str,
        name: Optional[str] = None,
        split: str = "train",
        data_dir: Optional[str] = None,
        revision: Optional[str] = None,
        streaming: bool = True,
        task: Optional[str] = None,
        template: Optional[str] = None,
        fields: Optional[Dict[str, str]] = None,
        layout: Optional[str] = None,
    ) -> None:
        if not path.strip():
            raise ConfigurationError("path is empty; name a data set, a file or a folder ('.' is this one)")
        label = "_".join([Path(path).name.split(".")[0], *([name] if name else [])])
        super().__init__(label, task, template, split, fields, layout=layout)
        if (path.startswith((".", "/")) or named_as_rows(path)) and not Path(path).exists():
            raise ConfigurationError(f"{path}: no such file or folder")
        self._path = path
        self._settings = {"path": path, "name": name, "split": split, "data_dir": data_dir, "revision": revision}
        self._streaming = streaming
        self._where = " ".join(filter(None, [path, name, data_dir, split]))

    def inputs(self) -> List[Path]:
        local = Path(self._path, self._settings["data_dir"] or "")
        return [local] if local.is_file() else sorted(path for path in local.rglob("*") if path.is_file())

    def read(self) -> Iterator[Union[Row, RowError]]:
        local, gym = Path(self._path), self.prompting.gym
        if local.is_file():
            return open_rows(local, gym).each()
        if is_saved_dataset(local):
            return DatasetRows(Path(self._where), load_saved(local, self.split)).each()
        # `datasets` knows which files are a split; of JSON and CSV it would guess at types, dates and missing values.
        files = data_files(self._where, self._settings) if local.is_dir() else []
        return open_files(files, local, gym).each() if files and all(map(is_row_file, files)) else self._load()

    def _load(self) -> Iterator[Union[Row, RowError]]:
        number = -1
        try:
            for number, content in enumerate(load(self._where, **self._settings, streaming=self._streaming)):
                yield Row(number, as_json(content), f"{self._where}:{number + 1}")
        except ConfigurationError:
            raise
        except Exception as error:  # Whatever a network, a cache or a foreign file gives.
            reason = " ".join(f"{error.__cause__ or error}".split())
            raise ConfigurationError(f"{self._where}: cannot be read after row {number + 1}: {reason}") from error
