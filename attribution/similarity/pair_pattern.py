"""Files that belong to a target and a source, as a sweep over both leaves them."""

from pathlib import Path

from allennlp.common.checks import ConfigurationError

_PLACEHOLDERS = ("{target}", "{source}")


class PairPattern:
    """
    # Parameters

    setting : `str`
        Of the measure, for messages.
    pattern : `str`
        A path with `{target}` and `{source}` in it: `sweep/tuned/TARGET={target},SOURCE={source}`.
    """

    def __init__(self, setting: str, pattern: str) -> None:
        missing = [name for name in _PLACEHOLDERS if name not in pattern]
        if missing:
            raise ConfigurationError(f"measure.{setting}: {pattern} has no {missing[0]}; each pair has its own")
        self.setting = setting
        self.pattern = pattern

    def path(self, target: str, source: str) -> Path:
        return Path(self.pattern.replace("{target}", target).replace("{source}", source))

    def check(self, path: Path, target: str, source: str) -> None:
        """
        # Raises

        `ConfigurationError`, naming the pair, if there is no such file.
        """
        if not path.is_file():
            raise ConfigurationError(
                f"measure.{self.setting}: of the target {target!r} and the source {source!r} there is no {path}; run "
                "the sweep to its end, or leave them out (`target_names`, `sources`)"
            )
