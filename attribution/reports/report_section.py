"""What a report says of one directory."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, Iterator, List, Optional

from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

from attribution.reports.blocks import Block


class ReportSection(Registrable):
    """
    Base of the kinds of directories that a report knows. A registered subclass is a kind of its own: it says which
    files make one, and what there is to say of it.

    # Parameters

    path : `Path`
        The directory, or a file where the kind is one.
    rows : `str`, optional
        The axis of a sweep that makes the rows of its tables.
    columns : `str`, optional
        The axis that makes the columns.
    baseline : `str`, optional
        `AXIS=value`: the column that the others are compared with.
    linkage : `str`, optional (default = `"average"`)
        Of dendrograms, see `cluster`.
    """

    needs: str
    """The files by which such a directory is known, for messages."""

    def __init__(
        self,
        path: Path,
        rows: Optional[str] = None,
        columns: Optional[str] = None,
        baseline: Optional[str] = None,
        linkage: str = "average",
    ) -> None:
        self.path = path
        self.rows = rows
        self.columns = columns
        self.baseline = baseline
        self.linkage = linkage

    @classmethod
    @abstractmethod
    def recognises(cls, path: Path) -> bool:
        """Whether it is of this kind."""

    @abstractmethod
    def inputs(self) -> List[Path]:
        """The files that are read."""

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """Paragraphs, tables and plots, in order."""

    @classmethod
    def of(
        cls,
        path: Path,
        rows: Optional[str] = None,
        columns: Optional[str] = None,
        baseline: Optional[str] = None,
        linkage: str = "average",
    ) -> "ReportSection":
        """
        The section of a directory, by what it is.

        # Raises

        `ConfigurationError`, with the kinds there are, if it is of none.
        """
        if not path.exists():
            raise ConfigurationError(f"{path}: there is no such directory")
        names = sorted(cls.list_available())
        kinds: List[Any] = [cls.by_name(name) for name in names]
        for kind in kinds:
            if kind.recognises(path):
                return kind(path, rows, columns, baseline, linkage)
        known = "; ".join(f"{name} ({kind.needs})" for name, kind in zip(names, kinds))
        raise ConfigurationError(f"{path}: nothing that a report knows. It knows {known}")
