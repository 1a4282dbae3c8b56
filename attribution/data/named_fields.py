"""Fields of rows that a setting names: one that no row has is as good as misspelt."""

import logging
from typing import Any, Dict, Iterable, List, Set

from allennlp.common.checks import ConfigurationError
from allennlp.common.settings import nearest

logger = logging.getLogger(__name__)


class NamedFields:
    """
    # Parameters

    setting : `str`
        What names the fields.
    fields : `Iterable[str]`
    """

    def __init__(self, setting: str, fields: Iterable[str]) -> None:
        self._setting = setting
        self._unseen = list(fields)
        self._there: Set[str] = set()

    def look(self, row: Dict[str, Any]) -> None:
        """One of the rows."""
        if self._unseen:
            self._there.update(row)
            self._unseen = [field for field in self._unseen if field not in row]

    def check(self, where: str) -> None:
        """
        # Parameters

        where : `str`
            What the rows were read from, all of them.

        # Raises

        `ConfigurationError` if none of the rows has one of the fields.
        """
        for message in self._messages(where):
            raise ConfigurationError(message)

    def tell(self, where: str) -> None:
        """The same of fields that rows may have or not: it is logged."""
        for message in self._messages(where):
            logger.warning(message)

    def _messages(self, where: str) -> List[str]:
        return [
            f"{where}: `{self._setting}` names {field!r}, which no row has; {nearest(field, self._there)}"
            for field in (self._unseen if self._there else ())
        ]
