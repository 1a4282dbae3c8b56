"""A quick retriever proposes, a better one chooses."""

from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.engines import Engine
from attribution.common.manifest import Identity
from attribution.retrievers.pool import Pool
from attribution.retrievers.retriever import Retrieved, Retriever


@Retriever.register("two_stage")
class TwoStageRetriever(Retriever):
    """
    The second retriever searches only the rows that the first one found for any of the queries (ReCross's `twostage`,
    Lin et al., 2022). Each query may so find what the first retriever found for another.

    Registered as a `Retriever` with name "two_stage".

    # Parameters

    first : `Retriever`
    second : `Retriever`
    candidates : `int`, optional (default = `1000`)
        How many rows the first one finds for each query.
    """

    def __init__(self, first: Retriever, second: Retriever, candidates: int = 1000) -> None:
        if candidates < 1:
            raise ConfigurationError(f"two_stage: candidates is {candidates}; at least one is needed")
        self.first = first
        self.second = second
        self.candidates = candidates

    def identity(self) -> Identity:
        return {"first": self.first.identity(), "second": self.second.identity()}

    def about(self) -> Dict[str, Any]:
        stages = {"first": self.first.about(), "second": self.second.about()}
        return {stage: about for stage, about in stages.items() if about}

    def retrieve(
        self,
        pool: Pool,
        queries: Sequence[str],
        k: int,
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> Retrieved:
        found = np.unique(self.first.retrieve(pool, queries, self.candidates, engine, scratch).ids)
        candidates = found[found >= 0].tolist()
        if not candidates:
            return Retrieved(np.full((len(queries), k), -1), np.full((len(queries), k), -np.inf, dtype=np.float32))
        return self.second.retrieve(pool.among(candidates), queries, k, engine)
