import time

import pytest

from attribution.encoders import progress as module
from attribution.encoders.progress import progress


def test_a_bar_for_what_takes_a_while(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds, shown in ((60.0, False), (0.0, True)):
        monkeypatch.setattr(module, "_SECONDS", seconds)
        bar = progress(4, "text")
        for _ in range(3):
            time.sleep(0.15)  # It is drawn ten times a second at most.
            bar.update()
        bar.close()
        assert ("encoding texts" in capsys.readouterr().err) == shown
