"""promptsource's `templates.yaml`."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Set, Union

import yaml
from allennlp.common.checks import ConfigurationError

from attribution.data.prompts.jinja import LONGEST
from attribution.data.prompts.prompt_template import PromptTemplate


class _Loader(yaml.SafeLoader):
    """Plain data only: `!Template` and `!TemplateMetadata` become dictionaries, any other tag is an error."""


_Loader.add_multi_constructor("!Template", lambda loader, _suffix, node: loader.construct_mapping(node, deep=True))


def read_promptsource(
    path: Union[str, Path],
    only: Optional[Sequence[str]] = None,
    metrics: Optional[Sequence[str]] = None,
    longest: int = LONGEST,
) -> List[PromptTemplate]:
    """
    The templates of a `templates.yaml`, in the order of the file; with `only`, those of these names, and with
    `metrics`, those whose metadata name one of these metrics. Each may write `longest` characters for a row. Nothing in
    the file is executed.

    # Raises

    `ConfigurationError` if the file is missing or not of that format, a name of `only` is not in it, or none is left.
    """
    listed = _load(Path(path))
    names = [str(entry.get("name")) for entry in listed]
    unknown = sorted(set(only or ()) - set(names))
    if unknown:
        raise ConfigurationError(f"{path}: has no template {unknown[0]!r}; there are {sorted(names)}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"{path}: has two templates with the name {twice[0]!r}; rename one")
    chosen = [
        PromptTemplate(name, entry["jinja"], entry.get("answer_choices") or "", str(path), longest)
        for name, entry in zip(names, listed)
        if (only is None or name in only) and (metrics is None or _metrics(entry) & set(metrics))
    ]
    if not chosen:
        there = sorted(set().union(*map(_metrics, listed)))
        raise ConfigurationError(f"{path}: no template is measured by one of {metrics}; the metrics there are {there}")
    return chosen


def _metrics(entry: Dict[str, Any]) -> Set[str]:
    metadata = entry.get("metadata")
    return set((metadata.get("metrics") if isinstance(metadata, dict) else None) or ())


def _load(path: Path) -> List[Dict[str, Any]]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: no such file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not promptsource's YAML ({' '.join(str(error).split())})") from error
    templates = content.get("templates") if isinstance(content, dict) else None
    if not isinstance(templates, dict) or not templates:
        raise ConfigurationError(f"{path}: has no `templates`, as promptsource's files have")
    for key, entry in templates.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("jinja"), str) or "name" not in entry:
            raise ConfigurationError(f"{path}: template {key} needs a `name` and a text under `jinja`")
    return list(templates.values())
