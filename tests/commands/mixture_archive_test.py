"""Archives of mixtures, and another selector than their own."""

from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.commands.mixture_archive import archive_files, check_archive, load_mixture
from attribution.modules.moe import RouteSelector, StraightThrough, TaskRandom
from tests.commands.routes_test import mixture


def test_another_selector(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    changes = mixture(**{"model.selector": {"type": "instance_random"}, "trainer.num_epochs": 1})
    assert allennlp("train", train_config(changes), "-s", tmp_path / "run").status == 0
    archive = str(tmp_path / "run" / "model.tar.gz")
    model, loaded = load_mixture(archive, selector=TaskRandom(seed=3))
    assert loaded.model is model and not model.selector.training
    assert torch.equal(model.routes_of(["boats"]), model.routes_of(["boats"]))
    with pytest.raises(ConfigurationError, match="has no router, which a StraightThrough needs"):
        load_mixture(archive, selector=StraightThrough())
    with pytest.raises(ConfigurationError, match="there are 4 layers of 3 experts"):
        load_mixture(archive, selector=RouteSelector.by_name("uniform")(disabled=[[4, 0]]))


def test_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such archive"):
        check_archive(str(tmp_path / "nowhere"))
    (tmp_path / "model.tar.gz").touch()
    assert archive_files(str(tmp_path / "model.tar.gz")) == [tmp_path / "model.tar.gz"]
    with pytest.raises(ConfigurationError, match="directory of a finished training"):
        archive_files(str(tmp_path))
