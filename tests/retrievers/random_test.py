import numpy as np

from attribution.retrievers import Pool, RandomRetriever


def test_random_is_uniform_and_follows_its_seed(pool_path: str) -> None:
    found = RandomRetriever(seed=1).retrieve(Pool(pool_path), ["q"] * 2000, 4)
    counts = np.bincount(found.ids.ravel(), minlength=40)
    assert abs(counts - 200).max() < 5 * np.sqrt(200)
    assert (RandomRetriever(seed=2).retrieve(Pool(pool_path), ["q"] * 2000, 4).ids != found.ids).any()
