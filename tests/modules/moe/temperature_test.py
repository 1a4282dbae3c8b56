import math

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.modules.moe import Temperature


def test_published_schedules() -> None:
    one, two = Temperature(2.0, 0.1, 3e-4), Temperature(300.0, 1.0, 1e-4)
    assert (one.value, two.value) == (2.0, 300.0)
    one.updates += 5000
    assert math.isclose(one.value, 2 * math.exp(-1.5))
    one.updates += 5000
    assert one.value == 0.1
    two.updates += 45000
    assert round(two.value, 1) == 3.3
    two.updates += 12038 + 1
    assert two.value == 1.0


def test_it_is_kept() -> None:
    one, other = Temperature(2.0, 0.1, 0.1), Temperature(2.0, 0.1, 0.1)
    one.updates += 7
    other.load_state_dict(one.state_dict())
    assert other.value == one.value != 2.0


@pytest.mark.parametrize("settings", [{"start": 0.0}, {"rate": 0.1}, {"rate": -0.1, "floor": 1.0}, {"floor": -1.0}])
def test_wrong_settings(settings: dict) -> None:
    with pytest.raises(ConfigurationError, match="temperature: start is"):
        Temperature(**settings)
