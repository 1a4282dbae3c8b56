from pathlib import Path

PROBING = Path(__file__).parents[3] / "fixtures" / "probing"
"""Files in the formats of the tasks, with sentences of our own."""
