"""What another retriever finds when some groups of tasks are not in the pool."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from allennlp.common.checks import ConfigurationError

from attribution.common.engines import Engine
from attribution.common.manifest import Identity
from attribution.retrievers.pool import Pool
from attribution.retrievers.retriever import Retrieved, Retriever


@Retriever.register("group_removal")
class GroupRemovalRetriever(Retriever):
    """
    Searches the pool less the tasks of some groups: the ablation of ReCross that asks which kind of upstream task a
    target lives on (Lin et al., 2022, https://arxiv.org/abs/2204.07937). Each query still gets all the rows it asks
    for, and an index of the whole pool serves every group.

    Registered as a `Retriever` with name "group_removal".

    # Parameters

    retriever : `Retriever`
        What searches.
    groups : `Dict[str, List[str]]`
        The tasks of each group. A task that the pool does not have does no harm.
    remove : `List[str]`
        The groups to do without.

    # Raises

    `ConfigurationError` if `groups` lacks one of `remove`, or the pool has none of a removed group's tasks.
    """

    def __init__(self, retriever: Retriever, groups: Dict[str, List[str]], remove: List[str]) -> None:
        unknown = sorted(set(remove) - set(groups))
        if unknown or not remove:
            raise ConfigurationError(f"group_removal: remove is {remove}; groups has {sorted(groups)}")
        self.retriever = retriever
        self.removed = {group: groups[group] for group in remove}

    def identity(self) -> Identity:
        return self.retriever.identity()

    def about(self) -> Dict[str, Any]:
        return self.retriever.about()

    def retrieve(
        self,
        pool: Pool,
        queries: Sequence[str],
        k: int,
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> Retrieved:
        pool.ids("reading the pool's tasks")
        for group, members in self.removed.items():
            if not any(task in pool.tasks for task in members):
                raise ConfigurationError(
                    f"group_removal: the pool has no task of {group!r}, {members}; its tasks are {sorted(pool.tasks)}"
                )
        tasks = [task for group in self.removed.values() for task in group]
        return self.retriever.retrieve(pool.without_tasks(tasks), queries, k, engine, scratch)
