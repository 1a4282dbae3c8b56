import torch

from attribution.modules.two_towers import TwoTowers


def test_vectors_have_length_one_and_do_not_depend_on_their_neighbours() -> None:
    """The reference scaled over the batch: rows were 5.5 long, and other neighbours gave another vector."""
    torch.manual_seed(0)
    towers, vectors = TwoTowers(6, 5, 4), torch.randn(8, 6)
    for project in (towers.queries, towers.rows):
        together = project(vectors)
        torch.testing.assert_close(together.norm(dim=1), torch.ones(8))
        torch.testing.assert_close(project(vectors[2:3]), together[2:3])
    assert not torch.allclose(towers.queries(vectors), towers.rows(vectors))


def test_by_hand() -> None:
    towers = TwoTowers(2, 2, 2)
    weights = {"0.weight": [[1, 0], [0, -1]], "0.bias": [0, 0], "2.weight": [[3, 0], [0, 5]], "2.bias": [0, 4]}
    for name, value in weights.items():
        towers.query.get_parameter(name).data = torch.tensor(value, dtype=torch.float32)
    # (1, 2) -> (1, -2) -> (1, 0) -> (3, 4) -> (0.6, 0.8)
    torch.testing.assert_close(towers.queries(torch.tensor([[1.0, 2.0]])), torch.tensor([[0.6, 0.8]]))
