import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest

from attribution.commands import compare_agents
from attribution.common.manifest import write_manifest
from attribution.data.agent_split import AgentSplitter, of_classes
from attribution.data.image_rows import ImageRows
from attribution.encoders import vectors
from attribution.selection import Covariance, ImageHead, MaxMutualInformation, TopKOnTask
from attribution.similarity import SimilarityMatrix

CONFIG = Path(__file__).parents[2] / "training_config" / "checkpoint_zoo" / "compare_agents.jsonnet"
SPLIT: Any = dict(agents=4, agent_classes=3, tasks=3, task_classes=3, probe=2, shots=4, test=10, seed=0)
NAMES = [f"agent00{number}" for number in range(4)]
LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(6), 20))
KAPPA = np.array([[1, 0.7, 0.1, 0.2], [0.7, 1, 0.3, 0.1], [0.1, 0.3, 1, 0.4], [0.2, 0.1, 0.4, 1]])


def _features(agent: int) -> np.ndarray:
    """Of all images: agents tell classes apart the better, the higher their number."""
    generator = np.random.default_rng(agent)
    return (np.eye(6)[LABELS] + generator.normal(0, 1.2 - 0.3 * agent, (120, 6))).astype(np.float32)


@pytest.fixture
def compare(allennlp: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """(variables) -> the command's result on four agents' stored features; it writes to `out`."""
    path = str(tmp_path / "images.npz")
    np.savez(path, images=np.zeros((120, 4, 4), np.uint8), labels=LABELS)
    rows = ImageRows(path, split=AgentSplitter(**SPLIT), part="tasks")
    for agent, name in enumerate(NAMES):
        folder = tmp_path / "tasks" / f"CHECKPOINT={name}"
        folder.mkdir(parents=True)
        for shard in vectors.shards(len(rows), 16):
            vectors.write_shard(folder, shard, _features(agent)[rows.numbers[shard.first : shard.end]])
        write_manifest(folder, "embed", [], {}, {"pool": rows.identity, "rows": len(rows), "shard_rows": 16})
    order = [2, 0, 3, 1]
    matrix = SimilarityMatrix(
        [NAMES[one] for one in order], [NAMES[one] for one in order], KAPPA[np.ix_(order, order)], True, "model"
    )
    (tmp_path / "kappa").mkdir()
    matrix.save(tmp_path / "kappa" / "similarity.npz")
    settings = {"AGENTS": 4, "AGENT_CLASSES": 3, "NUM_TASKS": 3, "TASK_CLASSES": 3, "PROBE": 2, "SHOTS": 4, "TEST": 10}
    settings |= {"K": 3, "RANDOM_SETS": 2, "EPOCHS": 5, "SEED": 0}

    def run(*arguments: str, **variables: str) -> Any:
        paths = {"IMAGES_PATH": path, "FEATURES": f"{tmp_path}/tasks/CHECKPOINT=*"}
        paths["COVARIANCE_PATH"] = str(tmp_path / "kappa" / "similarity.npz")
        for name, value in {**settings, **paths, **variables}.items():
            monkeypatch.setenv(name, str(value))
        return allennlp("compare-agents", CONFIG, "-s", tmp_path / "out", *arguments)

    return run


def _accuracy(agents: List[int], task: int, head: ImageHead) -> float:
    split = AgentSplitter(**SPLIT).split(LABELS, np.zeros(120, dtype=bool))
    train, test = (of_classes(rows, LABELS, split.tasks[task]) for rows in (split.shots, split.test))
    features = np.hstack([_features(agent) for agent in sorted(agents)])
    return head.accuracy(features[train], LABELS[train], features[test], LABELS[test])


@pytest.mark.parametrize("select_on", ["last", "test"])
def test_heads_of_each_set_on_each_task(select_on: str, compare: Any, tmp_path: Path) -> None:
    result = compare(SELECT_ON=select_on)
    assert result.status == 0, result.stderr
    assert "mean accuracy on 2 tasks\n  agents  selected      peek    random\n       1 " in result.stdout
    content: Dict[str, Any] = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    head = ImageHead(5, select_on=select_on)
    for way, sets in (("selected", 1), ("peek", 1), ("random", 2)):
        agents = content[way]["agents"]
        assert [[len(one) for one in each] for each in agents] == [[1, 2, 3]] * sets
        wanted = [[[_accuracy(one, task, head) for task in range(3)] for one in each] for each in agents]
        np.testing.assert_allclose(content[way]["accuracy"], wanted)
    covariance = Covariance(NAMES, KAPPA)
    peek = TopKOnTask({name: _accuracy([number], 0, head) for number, name in enumerate(NAMES)})
    for way, selector in (("selected", MaxMutualInformation(hub_start=True)), ("peek", peek)):
        assert content[way]["agents"][0] == [selector.select(covariance, k).indices for k in (1, 2, 3)]
    matrix = SimilarityMatrix.load(tmp_path / "out" / "similarity.npz")
    assert matrix.sources == NAMES and np.array_equal(matrix.scores, KAPPA)
    assert "finished already" in compare(SELECT_ON=select_on).stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir())[:1] == ["accuracy.json"]


def test_what_was_interrupted_goes_on(compare: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trained: List[Any] = []
    train = compare_agents._Train.__call__

    def stop_after(count: int) -> Any:
        def call(self: Any, trial: Any) -> float:
            if len(trained) == count:
                raise KeyboardInterrupt
            trained.append(trial)
            return train(self, trial)

        return call

    monkeypatch.setattr(compare_agents._Train, "__call__", stop_after(9))
    assert compare().status != 0 and not (tmp_path / "out").exists()
    monkeypatch.setattr(compare_agents._Train, "__call__", stop_after(1000))
    assert compare().status == 0
    assert len(trained) == len(set(trained))
    # Four agents on the first task, and of the sets on the others what was not known.
    content = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    sets = {tuple(sorted(one)) for way in content.values() for each in way["agents"] for one in each}
    assert {tuple(trial) for trial in trained} == {(each, task) for each in sets for task in range(3)} | {
        ((agent,), 0) for agent in range(4)
    }


def test_what_does_not_fit(compare: Any, tmp_path: Path) -> None:
    def fails(message: str, *arguments: str, **variables: str) -> None:
        result = compare(*arguments, **variables)
        assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr
        assert not (tmp_path / "out").exists()

    fails("/nowhere.npz: no such file", IMAGES_PATH="/nowhere.npz")
    fails("k is 5, from 1 to the 4 agents", K="5")
    fails("random_sets is 2; of 4 agents there are 1 sets of 4", K="4")
    fails("random_sets is 5; of 4 agents there are 4 sets of 1", RANDOM_SETS="5")
    fails("features: no folder matches", FEATURES=str(tmp_path / "none/*"))
    fails("agent000: vectors of other images than these tasks': split.seed is 0 there and 1 here", SEED="1")
    matrix = SimilarityMatrix(NAMES[:3], NAMES[:3], KAPPA[:3, :3], True, "model")
    matrix.save(tmp_path / "three.npz")
    three = str(tmp_path / "three.npz")
    fails(
        f"{three} is not of the agents that have features; the first other: agent003", SEED="0", COVARIANCE_PATH=three
    )
    fails("head.select_on is 'best'", SELECT_ON="best")
    shard = tmp_path / "tasks" / "CHECKPOINT=agent001" / "vectors_0000000000.npy"
    shard.write_bytes(shard.read_bytes()[:-1])
    fails("CHECKPOINT=agent001/vectors_0000000000.npy: has 511 bytes, 512 were written")
