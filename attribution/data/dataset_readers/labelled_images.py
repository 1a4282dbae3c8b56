"""Images and their classes, all or an agent's."""

from typing import Any, Iterable, Optional

import numpy as np
from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader
from allennlp.data.fields import LabelField, TensorField
from allennlp.data.instance import Instance

from attribution.data.agent_split import AgentSplitter, of_classes
from attribution.data.labelled_images import PARTS, read_images


@DatasetReader.register("labelled_images")
class LabelledImagesReader(DatasetReader):
    """
    Images and their classes: a `.npz`, CIFAR-100's binary version, or a folder with a folder for each class. An
    `Instance` has the fields `image` (`TensorField`, uint8) and `label` (`LabelField`, in the namespace "labels").

    Registered as a `DatasetReader` with name "labelled_images".

    # Parameters

    part : `str`, optional (default = `"train"`)
        `train` or `test`: of a split the agent's own images, or those of its classes to test on; without one, what the
        data have in such a part, where all that is in none is `train`.
    split : `AgentSplitter`, optional
        How the images are shared out between agents and new tasks. By default they are not.
    agent : `int`, optional
        Of the split: the images are those of this agent's classes, from 0.
    size : `int`, optional
        See `read_images`.
    """

    def __init__(
        self,
        part: str = "train",
        split: Optional[AgentSplitter] = None,
        agent: Optional[int] = None,
        size: Optional[int] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if part not in PARTS:
            raise ConfigurationError(f"part is {part!r}; train and test are possible")
        if (split is None) != (agent is None) or (split and not 0 <= (agent or 0) < split.agents):
            there = f"0 to {split.agents - 1} are possible" if split else "without a split there is none"
            raise ConfigurationError(f"agent is {agent}; {there}")
        self.part = part
        self.split = split
        self.agent = agent
        self.size = size

    def _read(self, file_path: str) -> Iterable[Instance]:
        images, labels, is_test = read_images(file_path, self.size)
        if self.split is None or self.agent is None:
            rows = np.flatnonzero(is_test == (self.part == "test"))
        else:
            split = self.split.split(labels, is_test)
            rows = of_classes(split.test if self.part == "test" else split.pool, labels, split.agents[self.agent])
        if not len(rows):
            raise ConfigurationError(f"{file_path}: has no images in the part {self.part}")
        for row in rows:
            yield self.text_to_instance(images[row], labels[row])

    def text_to_instance(self, image: np.ndarray, label: Optional[int] = None) -> Instance:  # type: ignore[override]
        fields: Any = {"image": TensorField(image)}
        if label is not None:
            fields["label"] = LabelField(str(label))
        return Instance(fields)
