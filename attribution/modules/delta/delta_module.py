"""A small trainable change to a frozen pretrained model."""

from abc import abstractmethod

from allennlp.common import Registrable
from transformers import PreTrainedModel


class DeltaModule(Registrable):
    """
    Base of parameter-efficient methods: what is trained, where it goes and how it starts.
    """

    @abstractmethod
    def inject(self, transformer: PreTrainedModel) -> None:
        """
        Adds the trainable parameters to `transformer`, in place, and freezes all others. The output is unchanged
        until training begins, where the method allows it.

        # Raises

        `ConfigurationError` if a pattern of modules to change matches nothing.
        """
