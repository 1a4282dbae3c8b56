"""Archives of mixtures of experts, for the commands that look into them."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import CONFIG_NAME, Archive, get_weights_path, load_archive

from attribution.models.task_moe import TaskMoESeq2Seq
from attribution.modules.moe import RouteSelector
from attribution.modules.moe.task_table import table_file


def check_archive(archive: str) -> None:
    """
    # Raises

    `ConfigurationError` if there is nothing.
    """
    if not Path(archive).exists():
        raise ConfigurationError(f"{archive}: no such archive")


def archive_files(archive: str, unseen_tasks: Optional[str] = None) -> List[Path]:
    """
    What `model.tar.gz`, or the directory of a training, is made of, and the table of unseen tasks.

    # Raises

    `ConfigurationError` if the directory is none of a finished training, or the table is not there.
    """
    if not archive:
        raise ConfigurationError("archive is empty; name a model.tar.gz, or the directory of a training")
    path = Path(archive)
    files = [path] if path.is_file() else [path / CONFIG_NAME, Path(get_weights_path(path))]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise ConfigurationError(f"{missing[0]}: no such file; the directory of a finished training has it")
    return [*files, *([table_file(unseen_tasks)] if unseen_tasks else [])]


def load_mixture(
    archive: str,
    overrides: Optional[Dict[str, Any]] = None,
    unseen_tasks: Optional[str] = None,
    selector: Optional[RouteSelector] = None,
) -> Tuple[TaskMoESeq2Seq, Archive]:
    """
    # Parameters

    overrides : `Dict[str, Any]`, optional
        As `--overrides`.
    unseen_tasks : `str`, optional
        A table with vectors of further tasks.
    selector : `RouteSelector`, optional
        Instead of the model's own.

    # Raises

    `ConfigurationError` if its model has no experts, or no router for the selector.
    """
    more = {"model.unseen_tasks": unseen_tasks} if unseen_tasks else {}
    loaded = load_archive(archive, overrides={**(overrides or {}), **more})
    if not isinstance(loaded.model, TaskMoESeq2Seq):
        raise ConfigurationError(f"{archive}: a {type(loaded.model).__name__} has no experts")
    if selector is not None:
        if selector.uses_router and loaded.model.router is None:
            raise ConfigurationError(f"{archive}: has no router, which a {type(selector).__name__} needs")
        selector.check(loaded.model.layers, loaded.model.experts.count)
        loaded.model.selector = selector.to(next(loaded.model.parameters()).device).eval()
    return loaded.model, loaded
