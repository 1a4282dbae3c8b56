"""Artefacts of the five published programs, as this package keeps such things."""

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, List

from allennlp.common import Registrable

from attribution.common.manifest import Identity
from attribution.common.pretrained import model_identity
from attribution.common.rows import local_file


class Importer(Registrable):
    """
    Base of what reads one kind of artefact of a published program. Nothing in a file is executed.

    # Parameters

    path : `str`
        The artefact.
    """

    summary: ClassVar[str]
    """What it reads, and what that becomes, in a line."""

    def __init__(self, path: str) -> None:
        self.path = local_file(path)

    def files(self) -> List[Path]:
        """What is read."""
        return [self.path]

    def identity(self, given: Identity) -> Identity:
        """What the product depends on: by default what is `given`, the files' content and all settings."""
        return given

    @abstractmethod
    def write(self, directory: Path) -> str:
        """
        Writes what the artefact becomes into `directory`; returns what to tell the user.

        # Raises

        `ConfigurationError` if the file is of another format, with what was expected and what is there.
        """


class OfModel(Importer):
    """
    Base of what reads an artefact that a model belongs to.

    # Parameters

    path : `str`
        The artefact.
    model_name : `str`
        The model: a hub id or a local folder.
    """

    def __init__(self, path: str, model_name: str) -> None:
        super().__init__(path)
        self.model_name = model_name

    def identity(self, given: Identity) -> Identity:
        return {**given, "model": model_identity(self.model_name)}
