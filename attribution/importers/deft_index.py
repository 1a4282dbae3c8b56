"""Indexes of DEFT's own code."""

import shutil
from pathlib import Path
from typing import Any, List

import numpy as np
from allennlp.common.checks import ConfigurationError
from allennlp.common.port import writing_beside

from attribution.common.manifest import Identity, read_json, write_json
from attribution.common.rows import local_file
from attribution.encoders import Encoder
from attribution.encoders.transformer import TransformerEncoder
from attribution.encoders.vectors import source
from attribution.importers.importer import Importer
from attribution.retrievers import Pool
from attribution.retrievers.faiss import ABOUT_FILE, INDEX_FILE, index_identity
from attribution.retrievers.faiss_index import IndexSearch, Recipe, load_faiss, read_index, refused

_ENDING, _HYPERPARAMETERS = ".index", "_hyperparameters.json"
_FACTORY = "OPQ8_512,HNSW512,PQ8"
_TRAIN_ROWS = 1_000_000
_ROWS_TRIED = 64


@Importer.register("deft_index")
class DeftIndex(Importer):
    """
    The directory of an index of DEFT's own code (Ivison et al., 2023): `p3_MODEL_OPQ8_512-HNSW512-PQ8.index` beside
    `..._hyperparameters.json`. It becomes the `index` of a retriever `faiss` with the `factory` `deft`, the metric
    `l2` and the same pool and model, which then encodes no row. If the index was made with other settings than the
    published ones, what is said at the end has the retriever's settings for it.

    Some of the pool's rows are encoded, to see that the index is of these. Its recall is not measured.

    Registered as an `Importer` with name "deft_index".

    # Parameters

    path : `str`
        The directory, or the `.index` in it.
    pool : `str`
        The rows that were indexed, a file or a folder of files: the line's number is a row's id.
    model_name : `str`
        The model whose encoder made the vectors: a hub id or a local folder.
    """

    summary = "DEFT's directory of a faiss index -> the index of the retriever `faiss`, preset `deft`"

    def __init__(self, path: str, pool: str, model_name: str) -> None:
        super().__init__(str(_index_in(path)))
        self.hyperparameters = self.path.with_name(f"{self.path.name.removesuffix(_ENDING)}{_HYPERPARAMETERS}")
        self.pool = Pool(pool)
        self.encoder: Encoder = TransformerEncoder(model_name)
        self.model_name = model_name

    def files(self) -> List[Path]:
        others = [self.hyperparameters] if self.hyperparameters.is_file() else []
        return [self.path, *others, *self.pool.files]

    def identity(self, given: Identity) -> Identity:
        """That of an index which the retriever itself makes."""
        return index_identity(self._recipe(self._read()), source(self.pool.identity(), self.encoder))

    def write(self, directory: Path) -> str:
        index = self._read()
        recipe = self._recipe(index)
        if index.ntotal != len(self.pool.rows):
            raise ConfigurationError(
                f"{self.path}: an index of {index.ntotal} rows; {self.pool.path} has {len(self.pool.rows)}"
            )
        self._check_rows(index)
        with writing_beside(directory / INDEX_FILE) as beside:
            shutil.copyfile(self.path, beside)
        about = {
            "factory": recipe.factory,
            "bytes_per_vector": self.path.stat().st_size / index.ntotal,
            "rows": index.ntotal,
            "dimension": index.d,
        }
        write_json(directory / ABOUT_FILE, about)
        settings = [
            f"factory '{recipe.factory}'",
            f"train_rows {recipe.train_rows}",
            f"parameters '{recipe.parameters}'",
        ]
        return f"an index of {index.ntotal} rows, of a retriever faiss with metric 'l2', {', '.join(settings)}"

    def _read(self) -> Any:
        faiss = load_faiss()
        with refused(f"{self.path}: not an index of DEFT's, such as {_FACTORY}"):
            index = read_index(self.path, _FACTORY)
        inner = faiss.downcast_index(index.index) if isinstance(index, faiss.IndexPreTransform) else index
        if not isinstance(inner, faiss.IndexHNSWPQ) or index is inner or index.metric_type != faiss.METRIC_L2:
            raise ConfigurationError(
                f"{self.path}: not an index of DEFT's, such as {_FACTORY}, but a {type(index).__name__} of "
                f"{type(inner).__name__}"
            )
        return index

    def _recipe(self, index: Any) -> Recipe:
        """As the index itself says; how many rows it learnt from is in the file beside it."""
        faiss = load_faiss()
        rotation = faiss.downcast_VectorTransform(index.chain.at(0))
        inner = faiss.downcast_index(index.index)
        codes = faiss.downcast_index(inner.storage).pq.M
        factory = f"OPQ{getattr(rotation, 'M', codes)}_{inner.d},HNSW{inner.hnsw.nb_neighbors(1)},PQ{codes}"
        parameters = f"efConstruction={inner.hnsw.efConstruction},efSearch={inner.hnsw.efSearch}"
        train_rows: Any = _TRAIN_ROWS
        if self.hyperparameters.is_file():
            content = read_json(self.hyperparameters, "it is to be what DEFT's code wrote beside the index")
            train_rows = content.get("sq_train_size") if isinstance(content, dict) else None
            if type(train_rows) is not int:
                raise ConfigurationError(f"{self.hyperparameters}: has no number under `sq_train_size`")
        return Recipe(factory, "l2", parameters, train_rows, 0)

    def _check_rows(self, index: Any) -> None:
        """
        # Raises

        `ConfigurationError` if rows, encoded now, are not near to what the index has for them.
        """
        rows = index.ntotal
        numbers = np.unique(np.linspace(0, rows - 1, min(rows, _ROWS_TRIED)).astype(np.int64))
        texts = [row.text for row in self.pool.whole().among(numbers.tolist()).texts("reading some rows")]
        vectors = self.encoder.encode(texts)
        if vectors.shape[1] != index.d:
            raise ConfigurationError(
                f"{self.path}: an index of vectors of {index.d} numbers; those of {self.model_name} have "
                f"{vectors.shape[1]}"
            )
        search = IndexSearch(index)
        for transform in search.transforms:
            vectors = transform.apply(vectors)
        stored = np.stack([search.index.reconstruct(int(number)) for number in numbers])
        distances = ((vectors[:, None] - stored) ** 2).sum(-1)
        nearest = (distances.diagonal() <= distances.min(1) * (1 + 1e-5)).sum()
        if 4 * nearest < len(numbers):
            raise ConfigurationError(
                f"{self.path}: of {len(numbers)} rows of {self.pool.path} {nearest} are nearer to their own place in "
                f"the index than to the others'; it is of another pool or order of rows, or not of {self.model_name}"
            )


def _index_in(path: str) -> Path:
    """
    # Raises

    `ConfigurationError` if a directory has no index, or several.
    """
    if not Path(path).is_dir():
        return local_file(path, _ENDING)
    found = sorted(Path(path).glob(f"*{_ENDING}"))
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or ", ".join(
            sorted(file.name for file in Path(path).iterdir())[:4]
        )
        raise ConfigurationError(f"{path}: one index, *{_ENDING}, is expected; there is {names or 'nothing'}")
    return found[0]
