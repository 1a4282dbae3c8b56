"""The script as a user runs it: processes of its own."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Callable

import numpy as np

from attribution.similarity import SimilarityMatrix

ROOT = Path(__file__).parents[3]
MEASURES = ["loss", "el2n", "kl", "logit_label_cosine", "grand", "hidden_cosine", "parameter_cosine", "euclidean"]
MEASURES += ["performance"]
TASKS = {"films": ["good", "bad"], "pets": ["yes", "no"]}


def test_from_rows_to_the_page(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    for task, answers in TASKS.items():
        rows = [(f"the {word} film , {answer} cat", answer) for word in ("one", "two", "three") for answer in answers]
        for split in ("train", "dev", "test"):
            for kind in ("3_13", "fulldata"):
                path = tmp_path / "gym" / task / f"{task}_{kind}_{split}.tsv"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("".join(f"{text}\t{answer}\n" for text, answer in rows))
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GYM": str(tmp_path / "gym"),
        "SHOTS": "3",
        "MODEL_NAME": tiny_model("t5_sentinel"),
        "TASKS": " ".join(TASKS),
        "DELTA": "lora",
        "METRIC": "exact_match",
        "SHOT_SEEDS": "13",
        "RATES": "0.01",
        "VALIDATE_EVERY": "1",
        "SOURCE_UPDATES": "2",
        "UPDATES": "1",
        "TRIAL_UPDATES": "1",
    }
    script = ["shell_scripts/weight_ensembling/leave_one_out.sh", str(tmp_path / "runs")]
    run = subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    results = list(csv.DictReader((tmp_path / "runs" / "few_shot" / "results.csv").open()))
    inits = ["scratch", "uniform", *MEASURES]
    assert sorted((row["TASK"], row["INIT"]) for row in results) == sorted(
        (task, init) for task in TASKS for init in inits
    )
    assert all(row["test.exact_match_mean"] for row in results)
    for init in inits[2:]:
        matrix = SimilarityMatrix.load(
            tmp_path / "runs" / "few_shot" / "similarity" / f"INIT={init}" / "similarity.npz"
        )
        assert matrix.targets == list(TASKS) and matrix.sources == sorted(TASKS)
        assert np.isfinite(matrix.scores).all()
        weights = json.loads(
            (tmp_path / "runs" / "few_shot" / "merged" / f"INIT={init}" / "films" / "weights.json").read_text()
        )
        assert "films" not in json.dumps(weights.get("weights", weights))
    manifest = json.loads(
        (tmp_path / "runs" / "few_shot" / "merged" / "INIT=performance" / "manifest.json").read_text()
    )
    tuned = [Path(file["path"]).parent.name for file in manifest["inputs"] if "trials/tuned" in file["path"]]
    assert set(tuned) == {f"SOURCE={source},TARGET={target}" for source in TASKS for target in TASKS}
    page = (tmp_path / "runs" / "report" / "index.html").read_text()
    assert all(name in page for name in (*TASKS, *inits))
