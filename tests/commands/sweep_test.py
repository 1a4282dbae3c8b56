import csv
import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch

from tests.sweeps.conftest import sweep_config  # noqa: F401


def _table(path: Path) -> List[Dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_trains_and_tests_at_each_point(sweep_config: Any, allennlp: Any, tmp_path: Path) -> None:  # noqa: F811
    import time
    folder = tmp_path / "out"
    start = time.time()
    result = allennlp("sweep", sweep_config(), "-s", folder)
    print(time.time() - start)
    print(result.stderr[-6000:]); print("OUT", result.stdout)
    import subprocess
    print(subprocess.run(["find", str(folder)], capture_output=True, text=True).stdout)
    print((folder / "runs.csv").read_text(), (folder / "results.csv").read_text())
    assert 0
