import json
from pathlib import Path
from typing import Any, Callable, Dict

import pytest

TRAIN = """
local env = std.native('env');
local base = import 'config.jsonnet';
local seed = std.parseInt(std.extVar('SEED'));
base + {
  random_seed: seed, numpy_seed: seed, pytorch_seed: seed,
  train_data_path: env('TRAIN_DATA_PATH', base.train_data_path),
  trainer+: { optimizer+: { lr: std.parseJson(env('LEARNING_RATE', '0.01')) } },
}
"""

ROWS = """
{
  pool: { path: std.extVar('POOL') },
  queries: { path: std.extVar('POOL'), reader: {
    type: 'prompted_reader', model_name: 'unused', template: '{{input}}', options: ['x'],
  } },
  retriever: { type: 'random', seed: std.parseInt(std.extVar('SEED')) },
  aggregator: { type: 'frequency', size: 12 },
}
"""


@pytest.fixture
def sweep_config(train_config: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    """
    (changes, changes of the training) -> path of a sweep over ARM and SEED: a tiny model trained on all rows or on some
    drawn at random, and tested.
    """

    def make(changes: Dict[str, Any], training: Dict[str, Any]) -> str:
        train_config({"trainer.num_epochs": 1, **training})
        (tmp_path / "train.jsonnet").write_text(TRAIN)
        (tmp_path / "rows.jsonnet").write_text(ROWS)
        rows = str(tmp_path / "rows.jsonl")
        sweep: Dict[str, Any] = {
            "axes": {"ARM": ["all", "random"], "SEED": [1, 2]},
            "steps": {
                "rows": {
                    "command": "retrieve",
                    "config": str(tmp_path / "rows.jsonnet"),
                    "axes": ["SEED"],
                    "only": {"ARM": ["random"]},
                    "environment": {"POOL": rows},
                },
                "model": {
                    "command": "train",
                    "config": str(tmp_path / "train.jsonnet"),
                    "environment": {"TRAIN_DATA_PATH": "{rows}/retrieved.jsonl"},
                },
                "test": {"command": "evaluate", "archive": "{model}/model.tar.gz", "input": rows},
            },
            "repeat": ["SEED"],
            "development": "model.best_validation_loss",
            "higher_is_better": False,
            "metrics": ["test.accuracy"],
        }
        for key, value in changes.items():
            *outer, last = key.split(".")
            block = sweep
            for name in outer:
                block = block.setdefault(name, {})
            if value is None:
                block.pop(last, None)
            else:
                block[last] = value
        path = tmp_path / "sweep.jsonnet"
        path.write_text(json.dumps(sweep))
        return str(path)

    return lambda changes=None, training=None: make(changes or {}, training or {})
