"""The routes of a mixture of experts while it is trained."""

from pathlib import Path
from typing import Any, Dict, List, Optional

from allennlp.training import TrainerCallback

from attribution.similarity.task_routes import routes_of_model

ROUTES = "routes"
"""The folder in the directory of a training."""


@TrainerCallback.register("save_routes")
class SaveRoutes(TrainerCallback):
    """
    Writes the routes of tasks after each epoch, `routes/epoch_N.npz` and `.tsv`, from which `allennlp routes` makes an
    animation.

    Registered as a `TrainerCallback` with name "save_routes".

    # Parameters

    serialization_dir : `str`
        AllenNLP gives it.
    tasks : `List[str]`, optional
        By default all of the model's task table.
    temperature : `float`, optional
        Instead of the routes that evaluation takes, the softmax of the router's logits at this temperature.
    """

    def __init__(
        self, serialization_dir: str, tasks: Optional[List[str]] = None, temperature: Optional[float] = None
    ) -> None:
        super().__init__(serialization_dir)
        self.tasks = tasks
        self.temperature = temperature

    def on_start(self, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        super().on_start(trainer, is_primary, **kwargs)
        routes_of_model(trainer.model, self.tasks, self.temperature)

    def on_epoch(
        self, trainer: Any, metrics: Dict[str, Any], epoch: int, is_primary: bool = True, **kwargs: Any
    ) -> None:
        if is_primary:
            folder = Path(self.serialization_dir) / ROUTES
            folder.mkdir(exist_ok=True)
            routes_of_model(trainer.model, self.tasks, self.temperature).save(folder / f"epoch_{epoch}.npz")
