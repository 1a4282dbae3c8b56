from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.data.dataset_readers import LabelledImagesReader
from attribution.training import ImageStatistics


@pytest.mark.parametrize("shape", [(7, 4, 5, 3), (7, 4, 5)])
def test_mean_and_deviation_of_each_colour(shape: Any, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    instances = [LabelledImagesReader().text_to_instance(image) for image in images]
    loader = SimpleNamespace(iter_instances=lambda: iter(instances))
    found: Any = {}
    model = SimpleNamespace(set_statistics=lambda mean, deviation: found.update(mean=mean, deviation=deviation))
    ImageStatistics(str(tmp_path)).on_start(SimpleNamespace(data_loader=loader, model=model))
    values = images.reshape(7 * 4 * 5, -1) / 255
    np.testing.assert_allclose(found["mean"], np.broadcast_to(values.mean(0), 3), rtol=1e-12)
    np.testing.assert_allclose(found["deviation"], np.broadcast_to(values.std(0), 3), rtol=1e-9)


def test_of_another_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="image_statistics: the model does not normalise images"):
        ImageStatistics(str(tmp_path)).on_start(SimpleNamespace(model=torch.nn.Linear(1, 1)))
