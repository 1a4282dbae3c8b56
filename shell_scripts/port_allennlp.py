"""
Builds AllenNLP for today's libraries: `python shell_scripts/port_allennlp.py WHEELHOUSE`.

AllenNLP 2.10.1 was archived in 2022 and pins torch<1.13. Its code runs on current libraries once the lines below are
changed. This script takes the published wheel from the package index, checks its hash, applies the edits, each of which
must match exactly as often as it says, and writes `allennlp-2.10.1+attribution.1` into WHEELHOUSE: the same bytes each
time. Where the wheel is there already it does nothing.
"""

import argparse
import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional

PUBLISHED = "allennlp-2.10.1-py3-none-any.whl"
PUBLISHED_SHA256 = "d840f2cb285ded77f48fbe5c8f52fe955dc48d4462cae2baf4668eca10dd42fb"
VERSION = "2.10.1+attribution.1"
PORTED = f"allennlp-{VERSION}-py3-none-any.whl"

# What the code imports, with the bounds that were tried; torchvision, matplotlib, wandb and checklist are optional.
REQUIREMENTS = (
    "torch>=2.6",
    "transformers>=4.57,<6",
    "base58>=2.1",
    "cached-path>=1.6",
    "dill>=0.3.4",
    "filelock>=3.3",
    "h5py>=3.6",
    "huggingface-hub>=0.30",
    'jsonnet>=0.20; sys_platform != "win32"',
    "lmdb>=1.2.1",
    "more-itertools>=8.12",
    "nltk>=3.6.5",
    "numpy>=1.26",
    "requests>=2.28",
    "safetensors>=0.4.5",
    "scikit-learn>=1.3",
    "scipy>=1.11",
    "sentencepiece>=0.2",
    "spacy>=3.7",
    "tensorboardX>=2.6",
    "termcolor>=1.1",
    "tqdm>=4.62",
    "traitlets>5.1.1",
    "typer>=0.4.1",
)

REMOVED = (
    "allennlp/commands/push_to_hf.py",  # Its hub client's classes are gone.
    "allennlp/common/push_to_hf.py",
    "allennlp/nn/checkpoint/fairscale_checkpoint_wrapper.py",  # fairscale is no longer maintained.
    "allennlp/nn/parallel/fairscale_fsdp_accelerator.py",
)

_OURS = Path(__file__).parent / "allennlp_port"
ADDED = {
    "allennlp/common/kinds.py": _OURS / "kinds.py",
    "allennlp/common/port.py": _OURS / "port.py",
    "allennlp/common/settings.py": _OURS / "settings.py",
    "allennlp/common/training_folder.py": _OURS / "training_folder.py",
    "allennlp/training/continuation.py": _OURS / "continuation.py",
}


@dataclass(frozen=True)
class Edit:
    """One replacement."""

    file: str
    """In the wheel."""
    old: str
    new: str
    count: int = 1
    """How often `old` stands there, exactly."""


_PARAMS = "allennlp/common/params.py"
_TRAINER = "allennlp/training/gradient_descent_trainer.py"
_TOKENIZER = "allennlp/data/tokenizers/pretrained_transformer_tokenizer.py"
_CHECKPOINTER = "allennlp/training/checkpointer.py"
_SPACY_TOKENIZER = "allennlp/data/tokenizers/spacy_tokenizer.py"
_LAZY_SPACY = 'from allennlp.common.port import LazyModule\n\nspacy = LazyModule("spacy")\n'
_TORCHVISION = 'from allennlp.common.port import LazyModule\n\ntorchvision = LazyModule("torchvision")'

EDITS = (
    # Removed modules.
    Edit("allennlp/common/__init__.py", "from allennlp.common.push_to_hf import push_to_hf\n", ""),
    Edit("allennlp/commands/__init__.py", "from allennlp.commands.push_to_hf import PushToHf\n", ""),
    Edit(
        "allennlp/nn/checkpoint/__init__.py",
        "from allennlp.nn.checkpoint.fairscale_checkpoint_wrapper import FairScaleCheckpointWrapper\n",
        "",
    ),
    Edit(
        "allennlp/nn/parallel/__init__.py",
        "from allennlp.nn.parallel.fairscale_fsdp_accelerator import (\n"
        "    FairScaleFsdpAccelerator,\n    FairScaleFsdpWrappedModel,\n)\n",
        "",
    ),
    # torchvision where it is used.
    Edit("allennlp/data/image_loader.py", "import torchvision\n", f"{_TORCHVISION}\n"),
    Edit("allennlp/modules/vision/grid_embedder.py", "import torchvision\n", f"{_TORCHVISION}\n"),
    Edit(
        "allennlp/modules/vision/region_detector.py",
        "import torchvision\nimport torchvision.ops.boxes as box_ops\n",
        f'{_TORCHVISION}\nbox_ops = LazyModule("torchvision.ops.boxes")\n',
    ),
    # `walk_packages` imports packages by their bare names: a `metrics.py` of the user's, say.
    Edit(
        "allennlp/common/util.py",
        "        for module_finder, name, _ in pkgutil.walk_packages(path):\n",
        "        for module_finder, name, _ in pkgutil.iter_modules(path):\n",
    ),
    # New files are looked for once, not before each of six hundred submodules.
    Edit(
        "allennlp/common/util.py",
        "    try:\n        import checklist  # noqa\n    except ImportError:\n"
        "        # exclude modules that depends on checklist being present\n"
        '        exclude |= {"allennlp.confidence_checks.task_checklists"}\n',
        '    needs_checklist = "allennlp.confidence_checks.task_checklists"\n'
        "    if needs_checklist not in exclude:\n"
        "        importlib.invalidate_caches()\n"
        '        if find_spec("checklist") is None:\n'
        "            exclude = exclude | {needs_checklist}\n",
    ),
    Edit("allennlp/common/util.py", "    importlib.invalidate_caches()\n\n    # For some", "    # For some"),
    Edit("allennlp/common/util.py", "import importlib\n", "import importlib\nfrom importlib.util import find_spec\n"),
    # Every setting is an argument of what it makes, and of its kind, or is refused.
    Edit(
        "allennlp/common/from_params.py",
        "                constructor_to_call = cls\n\n",
        "                constructor_to_call = cls\n"
        "            check_settings(cls, constructor_to_inspect, params.params, params.history)\n\n",
    ),
    Edit(
        "allennlp/common/from_params.py",
        "            return constructor_to_call(**kwargs)  # type: ignore\n",
        "            with constructing(params.history):\n"
        "                return constructor_to_call(**kwargs)  # type: ignore\n",
    ),
    Edit(
        "allennlp/common/from_params.py",
        "from allennlp.common.params import Params\n",
        "from allennlp.common.params import Params\n"
        "from allennlp.common.port import constructing\n"
        "from allennlp.common.settings import check_settings\n",
    ),
    Edit(
        _PARAMS,
        '        ok_because_class_name = allow_class_names and "." in value\n'
        "        if value not in choices and not ok_because_class_name:\n"
        "            key_str = self.history + key\n"
        "            message = (\n"
        '                f"{value} not in acceptable choices for {key_str}: {choices}. "\n'
        '                "You should either use the --include-package flag to make sure the correct module "\n'
        '                "is loaded, or use a fully qualified class name in your config file like "\n'
        '                """{"model": "my_module.models.MyModel"} to have it imported automatically."""\n'
        "            )\n"
        "            raise ConfigurationError(message)\n",
        "        check_choice(value, choices, self.history + key, allow_class_names)\n",
    ),
    Edit(
        _PARAMS,
        "                msg = f'key \"{key}\" is required'\n"
        "                if self.history:\n"
        "                    msg += f' at location \"{self.history}\"'\n"
        "                raise ConfigurationError(msg)\n",
        "                raise ConfigurationError(f'\"{self.history}{key}\" is missing')\n",
    ),
    Edit(
        _PARAMS,
        "            raise ValueError(\n"
        "                f\"overrides for '{prefix[:-1]}.*' expected list or dict in original, \"\n"
        '                f"found {type(original)} instead"\n',
        "            raise ConfigurationError(\n"
        "                f'-o: \"{prefix[:-1]}\" is {original!r}, which has no {next(iter(overrides_dict))!r} in it'\n",
    ),
    Edit(
        _PARAMS,
        "    unused_override_keys = [prefix + key for key in set(overrides_dict.keys()) - used_override_keys]\n"
        "    if unused_override_keys:\n"
        '        raise ValueError(f"overrides dict contains unused keys: {unused_override_keys}")\n',
        "    for key in sorted(overrides_dict.keys() - used_override_keys):\n"
        '        block = key.split(".")[0]\n'
        "        raise ConfigurationError(\n"
        '            f\'-o: "{prefix}{key}" changes "{prefix}{block}", which is not there; \'\n'
        "            f'{nearest(block, map(str, keys_there))}'\n"
        "        )\n",
    ),
    Edit(
        _PARAMS,
        "    if isinstance(original, list):\n        merged = [None]",
        "    keys_there = range(len(original)) if isinstance(original, list) else original\n"
        "    if isinstance(original, list):\n        merged = [None]",
    ),
    Edit(
        _TRAINER,
        "        if no_grad:\n            for name",
        "        if no_grad:\n"
        "            names = [name for name, _ in pytorch_model.named_parameters()]\n"
        '            check_patterns("trainer.no_grad", no_grad, names)\n'
        "            for name",
    ),
    Edit(
        _TRAINER,
        "        optimizer_ = optimizer.construct(model_parameters=parameters)\n",
        "        optimizer_ = optimizer.construct(model_parameters=parameters)\n"
        "        names = [name for name, _ in pytorch_model.named_parameters()]\n"
        "        if isinstance(optimizer._params, Params):  # Else the name of one.\n"
        "            groups = optimizer._params.get('parameter_groups')\n"
        "            check_parameter_groups(optimizer_, groups, names)\n",
    ),
    Edit(
        _TRAINER,
        "from allennlp.common import util as common_util, Tqdm, Lazy\n",
        "from allennlp.common import util as common_util, Params, Tqdm, Lazy\n"
        "from allennlp.common.settings import check_parameter_groups, check_patterns\n",
    ),
    # What transformers and torch renamed or dropped.
    Edit("allennlp/training/optimizers.py", "(Optimizer, transformers.AdamW)", "(Optimizer, torch.optim.AdamW)"),
    Edit(
        "allennlp/training/optimizers.py",
        "        correct_bias: bool = True,\n    ):\n        super().__init__(",
        "        correct_bias: bool = True,\n    ):\n"
        "        if not correct_bias:\n"
        '            raise ConfigurationError("huggingface_adamw: torch\'s AdamW always corrects the bias")\n'
        "        super().__init__(",
    ),
    Edit("allennlp/training/optimizers.py", "            correct_bias=correct_bias,\n", ""),
    Edit(
        "allennlp/training/learning_rate_schedulers/pytorch_lr_schedulers.py",
        "            verbose=verbose,\n",
        "",
    ),
    Edit(_TOKENIZER, "self._model_name, add_special_tokens=False, **", "self._model_name, **"),
    Edit(_TOKENIZER, "model_name, add_special_tokens=True, **", "model_name, **"),
    Edit(_TOKENIZER, "tokenizer_with_special_tokens.encode_plus(", "tokenizer_with_special_tokens(", 2),
    Edit(_TOKENIZER, "self.tokenizer.encode_plus(", "self.tokenizer(", 2),
    Edit("allennlp/nn/parallel/ddp_accelerator.py", "from torch.cuda import amp", "from torch import amp"),
    Edit("allennlp/nn/parallel/ddp_accelerator.py", "return amp.GradScaler()", 'return amp.GradScaler("cuda")'),
    Edit(_TRAINER, "from torch.cuda import amp\n", "from torch import amp\n"),
    Edit(_TRAINER, "from torch.cuda.amp.grad_scaler", "from torch.amp.grad_scaler"),
    Edit(_TRAINER, "self._scaler = amp.GradScaler()", 'self._scaler = amp.GradScaler("cuda")'),
    Edit(_TRAINER, "amp.autocast(self._use_amp)", 'amp.autocast("cuda", enabled=self._use_amp)', 2),
    Edit(
        "allennlp/common/file_utils.py",
        "tensor.storage().size()",
        "tensor.untyped_storage().nbytes() // tensor.element_size()",
        2,
    ),
    # Nothing that is loaded is executed.
    Edit("allennlp/nn/initializers.py", "self.weights = torch.load(", "self.weights = load_tensors(", 2),
    Edit(
        "allennlp/nn/initializers.py",
        "from allennlp.common.checks import ConfigurationError\n",
        "from allennlp.common.checks import ConfigurationError\nfrom allennlp.common.port import load_tensors\n",
    ),
    Edit("allennlp/nn/util.py", "state = torch.load(path", "state = load_tensors(path"),
    Edit(
        "allennlp/nn/util.py",
        "from allennlp.common.checks import ConfigurationError",
        "from allennlp.common.port import load_tensors\nfrom allennlp.common.checks import ConfigurationError",
    ),
    Edit(
        "allennlp/common/cached_transformers.py",
        "torch.load(override_weights_file)",
        "load_tensors(override_weights_file)",
    ),
    Edit(
        "allennlp/common/cached_transformers.py",
        "            import torch\n            from allennlp.common.file_utils import cached_path\n",
        "            from allennlp.common.file_utils import cached_path\n"
        "            from allennlp.common.port import load_tensors\n",
    ),
    Edit(
        "allennlp/common/file_utils.py",
        'torch.load(io.BytesIO(buffer), map_location="cpu")',
        'torch.load(io.BytesIO(buffer), map_location="cpu", weights_only=True)',
    ),
    # The highest pickle protocol is more than such a load understands.
    Edit("allennlp/common/file_utils.py", "buffer, pickle_protocol=pickle.HIGHEST_PROTOCOL)", "buffer)"),
    Edit(_CHECKPOINTER, "_state = torch.load(", "_state = load_tensors(", 2),
    Edit(
        _TRAINER,
        "load_state_dict(torch.load(path, map_location=device))",
        "load_state_dict(load_tensors(path, device))",
        2,
    ),
    Edit(
        "allennlp/models/archival.py",
        '        with tarfile.open(resolved_archive_file, "r:gz") as archive:\n'
        "            archive.extractall(tempdir)\n",
        "        extract_tar(resolved_archive_file, tempdir)\n",
    ),
    Edit(
        "allennlp/tools/archive_surgery.py",
        '    with tarfile.open(archive_file, "r:gz") as archive:\n        archive.extractall(tempdir)\n',
        "    extract_tar(archive_file, tempdir)\n",
    ),
    Edit(
        "allennlp/tools/archive_surgery.py",
        "from allennlp.common.file_utils import cached_path\n",
        "from allennlp.common.file_utils import cached_path\nfrom allennlp.common.port import extract_tar\n",
    ),
    # Files appear whole.
    Edit(
        "allennlp/models/archival.py",
        'with tarfile.open(archive_file, "w:gz") as archive:',
        "with writing_tar(archive_file) as archive:",
    ),
    Edit("allennlp/models/archival.py", "import tarfile\n", ""),
    Edit(
        "allennlp/models/archival.py",
        "from allennlp.common.meta import Meta, META_NAME\n",
        "from allennlp.common.meta import Meta, META_NAME\n"
        "from allennlp.common.port import check_archive, extract_tar, writing_tar\n",
    ),
    Edit(
        "allennlp/models/archival.py",
        "            weights_path = get_weights_path(serialization_dir)\n",
        "            weights_path = get_weights_path(serialization_dir)\n"
        "            check_archive(archive_file, weights_path)\n",
    ),
    Edit(  # A reader that is a name alone.
        "allennlp/models/archival.py",
        "dataset_reader_params.duplicate()\n",
        "deepcopy(dataset_reader_params)\n",
    ),
    Edit("allennlp/models/archival.py", "import os\n", "import os\nfrom copy import deepcopy\n"),
    Edit(_CHECKPOINTER, "            torch.save(", "            save_tensors(", 2),
    Edit(
        _CHECKPOINTER,
        "from allennlp.common import Registrable\n",
        "from allennlp.common import Registrable\nfrom allennlp.common.port import load_tensors, save_tensors\n",
    ),
    Edit(
        _CHECKPOINTER,
        "            if point_in_time is None:\n                continue\n",
        "            if point_in_time is None or not os.path.isfile(self._training_state_path(*point_in_time)):\n"
        "                continue\n",
    ),
    # Half a checkpoint, of a training that was killed between its two files, is written again.
    Edit(
        _CHECKPOINTER,
        "        if not os.path.isfile(model_state_path):\n",
        "        if not os.path.isfile(self._training_state_path(epochs_completed, batches_in_epoch_completed)):\n",
    ),
    # To remove batch 1 is not to remove batches 10 to 19.
    Edit(
        _CHECKPOINTER,
        '_b{batches_in_epoch_completed}*.th"',
        '_b{batches_in_epoch_completed}[._]*"',
    ),
    # The other processes count too, so that all save after the same batches.
    Edit(
        _CHECKPOINTER,
        "            self.save_checkpoint(trainer)\n            return True\n",
        "            self.save_checkpoint(trainer)\n"
        "            self._last_save_num_epochs_completed = num_epochs_completed\n"
        "            self._last_save_num_batches_in_epoch_completed = num_batches_in_epoch_completed\n"
        "            return True\n",
    ),
    Edit(_TRAINER, "            torch.save(", "            save_tensors(", 3),
    Edit(
        _TRAINER,
        "                            if os.path.exists(self._best_model_filename):\n"
        "                                os.remove(self._best_model_filename)\n"
        "                            hardlink_or_copy(model_state_file, self._best_model_filename)\n",
        "                            link_or_copy(model_state_file, self._best_model_filename)\n",
    ),
    # Interrupted and continued as if it had not been.
    Edit(
        _TRAINER,
        "from allennlp.common.checks import ConfigurationError, check_for_gpu\n",
        "from allennlp.common.checks import ConfigurationError\n"
        "from allennlp.common.port import device_number, link_or_copy, load_tensors, plain, save_tensors\n",
    ),
    Edit(
        _TRAINER,
        "from allennlp.training import util as training_util\n",
        "from allennlp.training import continuation, util as training_util\n",
    ),
    Edit(
        _TRAINER,
        "        # training state management\n",
        "        # training state management\n        self._continuation = continuation.Continuation()\n",
    ),
    Edit(
        _TRAINER,
        "        train_loss = 0.0\n        train_reg_loss",
        "        self._continuation.begin_epoch(self)\n        train_loss = 0.0\n        train_reg_loss",
    ),
    Edit(
        _TRAINER,
        "                continue\n\n            self.optimizer.zero_grad()\n",
        "                train_loss, train_reg_loss = self._continuation.skipped(self, (train_loss, train_reg_loss))\n"
        "                if self._primary:\n"
        "                    batch_group_generator_tqdm.update(len(batch_group))\n"
        "                continue\n\n"
        "            self._continuation.begin_step()\n"
        "            self.optimizer.zero_grad()\n",
    ),
    Edit(
        _TRAINER,
        "torch.distributed.all_reduce(done, torch.distributed.ReduceOp.SUM)",
        "self._continuation.all_reduce(done, self)",
        4,
    ),
    Edit(
        _TRAINER,
        "            train_loss += batch_loss\n",
        "            train_loss += batch_loss\n            self._continuation.losses = (train_loss, train_reg_loss)\n",
    ),
    Edit(
        _TRAINER,
        "                    self, self._epochs_completed, self._batches_in_epoch_completed\n"
        "                )\n\n        if self._distributed and not done_early:",
        "                    self, self._epochs_completed, self._batches_in_epoch_completed\n"
        "                )\n            self._continuation.end_step(self)\n\n"
        "        if self._distributed and not done_early:",
    ),
    Edit(
        _TRAINER,
        "            assert done.item()\n\n        # Let all workers finish",
        "            assert done.item()\n"
        "        self._continuation.end_epoch(self)\n\n        # Let all workers finish",
    ),
    # An epoch of which all batches were skipped has its losses and metrics from the checkpoint.
    Edit(
        _TRAINER,
        "self._batches_in_epoch_completed - 1 < self._start_after_batches_in_epoch_completed",
        "self._batches_in_epoch_completed < self._start_after_batches_in_epoch_completed",
    ),
    Edit(
        _TRAINER,
        "            for batch in val_generator_tqdm:\n",
        "            for batch in val_generator_tqdm:\n                self._continuation.stop_in_validation(self)\n",
    ),
    Edit(
        _TRAINER,
        "            metrics, epoch = self._try_train()\n",
        "            with self._continuation.stopping_at_a_batch(self):\n"
        "                metrics, epoch = self._try_train()\n",
    ),
    Edit(
        _TRAINER,
        "                self._batches_in_epoch_completed = 0\n                continue\n",
        "                self._batches_in_epoch_completed = 0\n"
        "                metrics.update(continuation.metrics_of_skipped_epoch(self, epoch))\n"
        "                if continuation.has_stopped_early(self):\n"
        "                    break\n"
        "                continue\n",
    ),
    Edit(
        _TRAINER,
        "    def get_checkpoint_state(self) -> Optional[TrainerCheckpoint]:\n",
        "    def get_checkpoint_state(self) -> Optional[TrainerCheckpoint]:\n"
        "        continuation_state = self._continuation.state(self)\n",
    ),
    Edit(
        _TRAINER,
        '            "best_model_filename": self._best_model_filename,\n',
        '            "best_model_filename": self._best_model_filename,\n'
        '            "continuation": continuation_state,\n',
    ),
    Edit(
        _TRAINER,
        "return TrainerCheckpoint(model_state, training_states)",
        "return TrainerCheckpoint(model_state, plain(training_states))",
    ),
    Edit(
        _TRAINER,
        '        self._best_model_filename = training_state["best_model_filename"]\n',
        '        self._best_model_filename = training_state["best_model_filename"]\n'
        "        self._continuation.restore(self, training_state)\n"
        "        continuation.mend_best_model(self)\n",
    ),
    # The loaded averages are of the model's parameters, and not of loaded copies that no training changes.
    Edit("allennlp/training/moving_average.py", '"parameters": self._parameters, ', ""),
    Edit("allennlp/training/moving_average.py", '        self._parameters = state_dict["parameters"]\n', ""),
    Edit(
        "allennlp/training/moving_average.py",
        '        self._shadows = state_dict["shadows"]\n        self._backups = state_dict["backups"]\n',
        "        for name, _ in self._parameters:\n"
        '            self._shadows[name].copy_(state_dict["shadows"][name])\n'
        '            self._backups[name].copy_(state_dict["backups"][name])\n',
    ),
    # Every process evaluates all its rows, where the model's metrics allow it.
    Edit(
        _TRAINER,
        "        output_dict = self._pytorch_model(**batch)\n",
        "        uneven = not for_training and continuation.evaluates_unevenly(self.model)\n"
        "        output_dict = (self.model if uneven else self._pytorch_model)(**batch)\n",
    ),
    Edit(
        _TRAINER,
        "                self._continuation.stop_in_validation(self)\n                if self._distributed:\n",
        "                self._continuation.stop_in_validation(self)\n"
        "                if self._distributed and not uneven:\n",
    ),
    Edit(
        _TRAINER,
        "            for batch in val_generator_tqdm:\n",
        "            uneven = continuation.evaluates_unevenly(self.model)\n"
        "            for batch in val_generator_tqdm:\n",
    ),
    Edit(
        _TRAINER,
        "            if self._distributed and not done_early:\n                logger.warning(\n",
        "            if self._distributed and not done_early and not uneven:\n                logger.warning(\n",
    ),
    # A loss that the model reports itself is over rows, and not over batches.
    Edit(
        "allennlp/training/util.py",
        '    metrics["loss"] = float(total_loss / num_batches) if num_batches > 0 else 0.0\n',
        '    metrics.setdefault("loss", float(total_loss / num_batches) if num_batches > 0 else 0.0)\n',
    ),
    *(
        Edit(
            file,
            f'\n{indent}{metrics}["loss"] = total_loss / total_weight\n',
            f'\n{indent}if batch_weight_key or "loss" not in {metrics}:\n'
            f'{indent}    {metrics}["loss"] = total_loss / total_weight\n',
        )
        for file, indent, metrics in (
            ("allennlp/training/util.py", 16 * " ", "metrics"),
            ("allennlp/training/util.py", 12 * " ", "final_metrics"),
            ("allennlp/evaluation/evaluator.py", 20 * " ", "metrics"),
            ("allennlp/evaluation/evaluator.py", 16 * " ", "final_metrics"),
        )
    ),
    # Any number is better than none.
    Edit(
        "allennlp/training/metric_tracker.py",
        "(self._best_so_far is None) or (combined_score > self._best_so_far)",
        "(self._best_so_far is None) or (combined_score > self._best_so_far)\n"
        "        new_best |= math.isnan(self._best_so_far or 0.0) and not math.isnan(combined_score)",
    ),
    Edit(
        "allennlp/training/metric_tracker.py",
        "from typing import Optional",
        "import math\nfrom typing import Optional",
    ),
    Edit(
        "allennlp/training/metric_tracker.py",
        'ConfigurationError("metric_name must start with + or -")',
        "ConfigurationError(\n"
        '                    f\'"trainer.validation_metric" is "{name}"; \'\n'
        '                    "+ (more is better) or - before it is needed"\n'
        "                )",
    ),
    Edit(
        "allennlp/training/metric_tracker.py",
        '                f"You configured the trainer to use the {e.args[0]} "\n'
        '                "metric for early stopping, but the model did not produce that metric."\n',
        '                f\'"trainer.validation_metric": the model has no metric "{e.args[0]}"; \'\n'
        "                + nearest(e.args[0], metrics)\n",
    ),
    Edit(
        "allennlp/training/metric_tracker.py",
        "from allennlp.common.checks import ConfigurationError",
        "from allennlp.common.checks import ConfigurationError\nfrom allennlp.common.settings import nearest",
    ),
    Edit(
        "allennlp/data/data_loaders/multiprocess_data_loader.py",
        'start_method: str = "fork",',
        'start_method: Literal["fork", "forkserver", "spawn"] = "fork",',
    ),
    Edit(
        "allennlp/data/data_loaders/multiprocess_data_loader.py",
        "from typing import List, Iterator, Optional, Iterable,",
        "from typing import List, Iterator, Literal, Optional, Iterable,",
    ),
    Edit(
        "allennlp/data/data_loaders/multitask_data_loader.py",
        "start_method: Dict[str, str] = None,",
        'start_method: Dict[str, Literal["fork", "forkserver", "spawn"]] = None,',
    ),
    Edit(
        "allennlp/data/data_loaders/multitask_data_loader.py",
        "from typing import Any, Dict, Iterable, Iterator, Union, Optional",
        "from typing import Any, Dict, Iterable, Iterator, Literal, Union, Optional",
    ),
    # Whether an epoch was validated is asked once: a callback that decides about the next epoch changes the answer
    # before the best weights are kept. The tracker counts epochs, not validations, a recovered training goes on, and an
    # epoch that was not validated has no metrics, such as those of the one before.
    Edit(
        "allennlp/training/gradient_descent_trainer.py",
        "            if self._should_validate_this_epoch and self._validation_data_loader is not None:\n",
        "            validates = self._should_validate_this_epoch\n"
        "            if not validates:\n"
        "                self._metric_tracker._epoch_number += 1\n"
        "                val_metrics = {}\n"
        '                for name in [name for name in metrics if name.startswith("validation_")]:\n'
        "                    del metrics[name]\n"
        "            if validates and self._validation_data_loader is not None:\n",
    ),
    Edit(
        "allennlp/training/gradient_descent_trainer.py",
        "            if self._should_validate_this_epoch and self._metric_tracker.is_best_so_far():\n",
        "            if validates and self._metric_tracker.is_best_so_far():\n",
    ),
    Edit(
        "allennlp/training/gradient_descent_trainer.py",
        "                self._should_validate_this_epoch\n                and self._serialization_dir\n",
        "                validates\n                and self._serialization_dir\n",
    ),
    Edit(
        "allennlp/training/callbacks/should_validate.py",
        "self._should_validate(epoch=0)",
        "self._should_validate(trainer._start_after_epochs_completed)",
    ),
    # DEFT's published mixture takes it from an environment variable: a text.
    Edit(
        "allennlp/data/data_loaders/multitask_data_loader.py",
        "instances_per_epoch: int = None,",
        "instances_per_epoch: Optional[Union[int, str]] = None,",
    ),
    Edit(
        "allennlp/data/data_loaders/multitask_data_loader.py",
        "self._instances_per_epoch = instances_per_epoch\n",
        'self._instances_per_epoch = whole_number("data_loader.instances_per_epoch", instances_per_epoch, 1)\n',
    ),
    Edit(
        "allennlp/data/data_loaders/multitask_data_loader.py",
        "from allennlp.common import util\n",
        "from allennlp.common import util\nfrom allennlp.common.settings import whole_number\n",
    ),
    # What is made for another loader, or another trainer.
    Edit(
        "allennlp/data/dataset_readers/multitask.py",
        "from allennlp.data.instance import Instance\n",
        "from allennlp.common.checks import ConfigurationError\nfrom allennlp.data.instance import Instance\n",
    ),
    Edit(
        "allennlp/data/dataset_readers/multitask.py",
        'raise RuntimeError("This class is not designed to be called like this.")',
        'raise ConfigurationError(\'"dataset_reader" is a multitask one; "data_loader.type": "multitask" is needed\')',
    ),
    Edit(
        "allennlp/training/callbacks/backward.py",
        "        trainer._scaler.scale(",
        "        if trainer._scaler is None:\n"
        "            raise ConfigurationError("
        '\'the callback "mixed_precision_backward" needs "trainer.use_amp": true\')\n'
        "        trainer._scaler.scale(",
    ),
    Edit(
        "allennlp/training/callbacks/backward.py",
        "import torch\n",
        "import torch\n\nfrom allennlp.common.checks import ConfigurationError\n",
    ),
    # A row of more tokens than a batch should have is a batch of its own; the one before it is not an empty one.
    Edit(
        "allennlp/data/samplers/max_tokens_batch_sampler.py",
        "if group_size > self.max_tokens:",
        "if group and group_size > self.max_tokens:",
    ),
    # As many outputs as inputs, and names that follow from those of files.
    Edit(
        "allennlp/commands/evaluate.py",
        "            assert len(output_file_list) == len(evaluation_data_path_list), (\n"
        '                "The number of `metrics_output_file` paths must be equal to the number "\n'
        '                "of datasets being evaluated."\n'
        "            )\n",
        '            check_outputs("--output-file", output_file_list, evaluation_data_path_list)\n',
    ),
    Edit(
        "allennlp/commands/evaluate.py",
        "            assert len(predictions_output_file_list) == len(evaluation_data_path_list), (\n"
        '                "The number of `predictions_output_file` paths must be equal"\n'
        '                + "to the number of datasets being evaluated. "\n'
        "            )\n",
        '            check_outputs("--predictions-output-file", predictions_output_file_list, '
        "evaluation_data_path_list)\n",
    ),
    Edit(
        "allennlp/commands/evaluate.py",
        "            assert all(isinstance(p, str) for p in evaluation_data_path_list), (\n"
        '                "When specifying JSON blobs as input, the output files must be explicitly named with "\n'
        '                "--output-file."\n'
        "            )\n",
        "            check_paths(evaluation_data_path_list)\n",
    ),
    Edit(
        "allennlp/commands/evaluate.py",
        "            assert all(isinstance(p, str) for p in evaluation_data_path_list), (\n"
        '                "When specifying JSON blobs as input, the predictions output files must be explicitly named '
        'with "\n                "--predictions-output-file."\n'
        "            )\n",
        "            check_paths(evaluation_data_path_list)\n",
    ),
    Edit(
        "allennlp/commands/evaluate.py",
        "from allennlp.common import logging as common_logging\n",
        "from allennlp.common import logging as common_logging\n"
        "from allennlp.common.port import check_outputs, check_paths, writing_beside\n",
    ),
    # Commands.
    Edit("allennlp/__main__.py", '    main(prog="allennlp")\n', '    run_command(lambda: main(prog="allennlp"))\n'),
    Edit(
        "allennlp/__main__.py",
        "    from allennlp.commands import main  # noqa\n",
        "    from allennlp.commands import main  # noqa\n    from allennlp.common.port import run as run_command\n",
    ),
    Edit(
        "allennlp/commands/train.py",
        "\ndef train_model(\n",
        "\n@keeping_what_was_there\ndef train_model(\n",
    ),
    Edit(
        "allennlp/commands/train.py",
        "from allennlp.common import util as common_util\n",
        "from allennlp.common import util as common_util\n"
        "from allennlp.common.port import spawn\n"
        "from allennlp.common.training_folder import check_configuration, keeping_what_was_there\n",
    ),
    Edit("allennlp/commands/train.py", "        mp.spawn(\n", "        spawn(\n"),
    # A norm that follows a residual sum does not undo the bias before the sum: BART, Marian.
    Edit(
        "allennlp/confidence_checks/normalization_bias_verification.py",
        "            self._module_sequence.append((module_name, module))\n",
        "            if isinstance(module, self.normalization_layers) and inp_ and inp_[0] is not self._last_output:\n"
        '                self._module_sequence.append(("", None))\n'
        "            self._module_sequence.append((module_name, module))\n"
        "            self._last_output = out_\n",
    ),
    Edit(
        "allennlp/confidence_checks/normalization_bias_verification.py",
        "        self._detected_pairs: List[Tuple] = []\n",
        "        self._detected_pairs: List[Tuple] = []\n        self._last_output = None\n",
    ),
    # The whole configuration is looked at before anything is read, and what a command does not use is refused.
    Edit(
        "allennlp/commands/train.py",
        "    training_util.create_serialization_dir(params, serialization_dir, recover, force)\n",
        "    check_experiment(params.params)\n"
        "    training_util.create_serialization_dir(params, serialization_dir, recover, force)\n",
    ),
    Edit(
        "allennlp/commands/train.py",
        "from allennlp.common.plugins import import_plugins\n",
        "from allennlp.common.plugins import import_plugins\nfrom allennlp.common.settings import check_experiment\n",
    ),
    Edit(
        "allennlp/commands/evaluate.py",
        "    config = deepcopy(archive.config)\n    prepare_environment(config)\n",
        "    config = deepcopy(archive.config)\n"
        '    check_used(cmd_overrides, config, "evaluate", *EVALUATE_USES)\n'
        "    prepare_environment(config)\n",
    ),
    Edit(
        "allennlp/commands/evaluate.py",
        '    evaluator_params["cuda_device"] = cuda_device\n',
        '    if "cuda_device" in evaluator_params:\n'
        '        raise ConfigurationError("evaluation.cuda_device: the command says it, as --cuda-device")\n'
        '    evaluator_params["cuda_device"] = cuda_device\n',
    ),
    Edit(
        "allennlp/commands/evaluate.py",
        "        if batch_size:\n",
        "        if batch_size is not None and batch_size < 1:\n"
        '            raise ConfigurationError(f"--batch-size is {batch_size}; 1 or more is needed")\n'
        "        if batch_size is not None:\n",
    ),
    Edit(
        "allennlp/evaluation/evaluator.py",
        "                        weight = output_dict[batch_weight_key].item()\n",
        "                        if batch_weight_key not in output_dict:\n"
        "                            there = nearest(batch_weight_key, output_dict)\n"
        "                            raise ConfigurationError(\n"
        "                                f'--batch-weight-key: the model gives no {batch_weight_key!r}; {there}'\n"
        "                            )\n"
        "                        weight = output_dict[batch_weight_key].item()\n",
    ),
    Edit(
        "allennlp/evaluation/evaluator.py",
        "from allennlp.common import Registrable",
        "from allennlp.common.checks import ConfigurationError\nfrom allennlp.common.settings import nearest\n"
        "from allennlp.common import Registrable",
    ),
    # The longest field is looked for among those that have a length.
    Edit(
        "allennlp/data/samplers/bucket_batch_sampler.py",
        "                length = len(field)\n",
        "                try:\n                    length = len(field)\n"
        "                except (NotImplementedError, TypeError):\n                    continue\n",
    ),
    Edit(
        "allennlp/commands/evaluate.py",
        "from allennlp.common.util import prepare_environment\n",
        "from allennlp.common.checks import ConfigurationError\n"
        "from allennlp.common.port import check_writable, device_number\n"
        "from allennlp.common.settings import EVALUATE_USES, check_used\n"
        "from allennlp.common.util import prepare_environment\n",
    ),
    Edit(
        "allennlp/commands/predict.py",
        "    predictor_args = args.predictor_args.strip()\n",
        '    used = archive.config if args.dataset_reader_choice == "validation" else {}\n'
        '    check_used(args.overrides, used, "predict")\n'
        "    predictor_args = args.predictor_args.strip()\n",
    ),
    # Nothing is worked out that then cannot be written.
    Edit(
        "allennlp/commands/evaluate.py",
        "    common_logging.FILE_FRIENDLY_LOGGING = file_friendly_logging\n",
        "    check_writable((metrics_output_file, predictions_output_file), (archive_file, input_file, weights_file))\n"
        "    common_logging.FILE_FRIENDLY_LOGGING = file_friendly_logging\n",
    ),
    Edit(
        "allennlp/commands/predict.py",
        "    predictor = _get_predictor(args)\n",
        "    if args.batch_size < 1:\n"
        '        raise ConfigurationError(f"--batch-size is {args.batch_size}; 1 or more is needed")\n'
        "    check_writable([args.output_file], (args.archive_file, args.input_file, args.weights_file))\n"
        "    predictor = _get_predictor(args)\n",
    ),
    # A GPU where there is one; `cuda:0` is 0.
    *(
        Edit(
            f"allennlp/commands/{command}.py",
            '"--cuda-device", type=int, default=-1, help="id of GPU to use (if any)"\n',
            '"--cuda-device", type=str, help="the GPU\'s number, or -1 for the CPU (default: a GPU if there is one)"\n',
        )
        for command in ("evaluate", "predict")
    ),
    Edit(
        "allennlp/commands/find_learning_rate.py",
        '    cuda_device = params.params.get("trainer").get("cuda_device", -1)\n    check_for_gpu(cuda_device)\n',
        '    cuda_device = device_number(params.params.get("trainer").get("cuda_device"))\n',
    ),
    Edit(
        "allennlp/commands/find_learning_rate.py",
        "from allennlp.common.checks import check_for_gpu, ConfigurationError\n",
        "from allennlp.common.checks import ConfigurationError\nfrom allennlp.common.port import device_number\n"
        "from allennlp.common.training_folder import check_configuration\n",
    ),
    Edit(
        "allennlp/commands/evaluate.py",
        "cuda_device=args.cuda_device,",
        "cuda_device=device_number(args.cuda_device),",
    ),
    Edit(
        "allennlp/commands/predict.py",
        "    check_for_gpu(args.cuda_device)\n",
        "    args.cuda_device = device_number(args.cuda_device)\n",
    ),
    Edit("allennlp/commands/predict.py", "import check_for_gpu, ConfigurationError", "import ConfigurationError"),
    Edit(
        _TRAINER,
        "        if cuda_device is None:\n            from torch import cuda\n\n"
        "            if cuda.device_count() > 0:\n                cuda_device = 0\n"
        "            else:\n                cuda_device = -1\n\n        check_for_gpu(cuda_device)\n",
        "        cuda_device = device_number(cuda_device)\n",
    ),
    Edit(
        "allennlp/common/checks.py",
        "        from allennlp.common.util import int_to_device\n\n"
        "        device = int_to_device(device)\n"
        '        if device != torch.device("cpu"):\n'
        "            num_devices_available = cuda.device_count()\n"
        "            if num_devices_available == 0:\n"
        "                raise ConfigurationError(\n"
        '                    "Experiment specified a GPU but none is available;"\n'
        '                    " if you want to run on CPU use the override"\n'
        """                    " 'trainer.cuda_device=-1' in the json config file."\n"""
        "                )\n"
        "            elif device.index >= num_devices_available:\n"
        "                raise ConfigurationError(\n"
        '                    f"Experiment specified GPU device {device.index}"\n'
        '                    f" but there are only {num_devices_available} devices "\n'
        '                    f" available."\n'
        "                )\n",
        "        from allennlp.common.port import device_number\n\n        device_number(device)\n",
    ),
    Edit("allennlp/common/checks.py", "import torch\nfrom torch import cuda\n", "import torch\n"),
    # A command says what came out, and else what is wrong; a training's log file has everything.
    Edit(
        "allennlp/__main__.py",
        'if os.environ.get("ALLENNLP_DEBUG"):\n    LEVEL = logging.DEBUG\nelse:\n'
        '    level_name = os.environ.get("ALLENNLP_LOG_LEVEL", "INFO")\n'
        "    LEVEL = logging._nameToLevel.get(level_name, logging.INFO)\n\n",
        "",
    ),
    Edit(
        "allennlp/__main__.py",
        'logging.basicConfig(format="%(asctime)s - %(levelname)s - %(name)s - %(message)s", level=LEVEL)\n\n',
        "",
    ),
    Edit(
        "allennlp/common/logging.py",
        "    file_handler: logging.Handler = logging.FileHandler(log_file)\n",
        "    from allennlp.common.port import LogFile\n\n    file_handler: logging.Handler = LogFile(log_file)\n",
    ),
    Edit(
        "allennlp/common/logging.py",
        '    if os.environ.get("ALLENNLP_DEBUG"):\n        LEVEL = logging.DEBUG\n    else:\n'
        '        level_name = os.environ.get("ALLENNLP_LOG_LEVEL", "INFO")\n'
        "        LEVEL = logging._nameToLevel.get(level_name, logging.INFO)\n\n"
        "    file_handler.setLevel(LEVEL)\n    stdout_handler.setLevel(LEVEL)\n",
        "    from allennlp.common.port import log_level, on_a_line_of_its_own\n\n"
        "    LEVEL = min(log_level(), logging.INFO)\n"
        "    file_handler.setLevel(LEVEL)\n    stdout_handler.setLevel(log_level())\n"
        "    stdout_handler.addFilter(on_a_line_of_its_own)\n    stderr_handler.addFilter(on_a_line_of_its_own)\n",
    ),
    Edit(
        "allennlp/commands/evaluate.py",
        "    return evaluate_from_archive(\n        archive_file=args.archive_file,\n",
        "    metrics = evaluate_from_archive(\n        archive_file=args.archive_file,\n",
    ),
    Edit(
        "allennlp/commands/evaluate.py",
        "        auto_names=args.auto_names,\n    )\n",
        "        auto_names=args.auto_names,\n    )\n    print(json.dumps(metrics, indent=2))\n    return metrics\n",
    ),
    Edit(
        "allennlp/commands/train.py",
        'os.path.join(self.serialization_dir, "metrics.json"), metrics, log=True\n        )\n',
        'os.path.join(self.serialization_dir, "metrics.json"), metrics, log=True\n        )\n'
        "        print(json.dumps(metrics, indent=2))\n",
    ),
    Edit(
        "allennlp/commands/train.py",
        "import argparse\nimport logging\n",
        "import argparse\nimport json\nimport logging\n",
    ),
    # Progress moves with every batch, not with every group of accumulated ones.
    Edit(
        "allennlp/common/tqdm.py",
        '"mininterval": default_mininterval,\n',
        '"mininterval": default_mininterval,\n            "miniters": 1,\n',
    ),
    Edit(
        _TRAINER,
        "            num_training_batches = math.ceil(\n"
        "                len_data_loader / self._num_gradient_accumulation_steps\n            )\n",
        "            num_training_batches = len_data_loader\n",
    ),
    Edit(
        _TRAINER,
        "            batch_group_generator_tqdm = Tqdm.tqdm(\n"
        "                batch_group_generator, total=num_training_batches\n            )\n"
        "        else:\n            batch_group_generator_tqdm = batch_group_generator\n\n"
        "        done_early = False\n        for batch_group in batch_group_generator_tqdm:\n",
        "            batch_group_generator_tqdm = Tqdm.tqdm(total=num_training_batches)\n\n"
        "        done_early = False\n        for batch_group in batch_group_generator:\n",
    ),
    Edit(
        _TRAINER,
        "                    else:\n                        loss.backward()\n",
        "                    else:\n                        loss.backward()\n"
        "                if self._primary:\n                    batch_group_generator_tqdm.update()\n",
    ),
    Edit(
        _TRAINER,
        "        self._continuation.end_epoch(self)\n",
        "        self._continuation.end_epoch(self)\n"
        "        if self._primary:\n            batch_group_generator_tqdm.close()\n",
    ),
    Edit(
        "allennlp/evaluation/evaluator.py",
        "Tqdm.tqdm(iterator)",
        "Tqdm.tqdm(iterator, total=length_hint(data_loader) or None)",
    ),
    Edit(
        "allennlp/evaluation/evaluator.py",
        "from os import PathLike\n",
        "from operator import length_hint\nfrom os import PathLike\n",
    ),
    # What is missing, or in the way, with the way out.
    Edit(
        "allennlp/training/util.py",
        '                f"not empty. Specify --recover to recover from an existing output folder."\n',
        '                f"not empty. --recover goes on with it, --force replaces it; or name another one."\n',
    ),
    Edit(
        "allennlp/training/callbacks/wandb.py",
        '        if "WANDB_API_KEY" not in os.environ:\n',
        '        if find_spec("wandb") is None:\n'
        '            raise ConfigurationError("callback wandb: needs wandb; install the extra `wandb`")\n'
        '        if "WANDB_API_KEY" not in os.environ:\n',
    ),
    Edit(
        "allennlp/training/callbacks/wandb.py",
        "from allennlp.common import Params\n",
        "from importlib.util import find_spec\n\n"
        "from allennlp.common import Params\nfrom allennlp.common.checks import ConfigurationError\n",
    ),
    Edit(
        "allennlp/commands/__init__.py",
        "    def add_argument(self, *args, **kwargs):\n",
        "    def _check_value(self, action, value):\n"
        "        if action.choices is not None and value not in action.choices:\n"
        "            named = action if action.option_strings else None\n"
        '            message = f"{value!r} is not there; {nearest(value, action.choices)}"\n'
        "            raise argparse.ArgumentError(named, message)\n\n"
        "    def parse_known_args(self, args=None, namespace=None):\n"
        "        self._given = sys.argv[1:] if args is None else args\n"
        "        known, left = super().parse_known_args(args, namespace)\n"
        "        if left:\n"
        "            self.error(f\"unrecognized arguments: {' '.join(left)}\")\n"
        "        return known, left\n\n"
        "    def error(self, message):\n"
        "        own = takewhile(lambda one: one.startswith('-') or not self._subparsers, self._given)\n"
        "        super().error(message + misspelt_flags(own, self._option_string_actions))\n\n"
        "    def add_argument(self, *args, **kwargs):\n",
    ),
    Edit(
        "allennlp/commands/__init__.py",
        "from allennlp.common.plugins import import_plugins\n",
        "from allennlp.common.plugins import import_plugins\n"
        "from allennlp.common.settings import misspelt_flags, nearest\n",
    ),
    Edit("allennlp/commands/__init__.py", "import argparse\n", "import argparse\nfrom itertools import takewhile\n"),
    # What an archive's model and readers are made of is named by its whole place.
    Edit(
        "allennlp/models/archival.py",
        "        config = Params.from_file(os.path.join(serialization_dir, CONFIG_NAME), overrides)\n",
        "        config = Params.from_file(os.path.join(serialization_dir, CONFIG_NAME), overrides)\n"
        "        check_archived(config.params)\n",
    ),
    Edit(
        "allennlp/models/archival.py",
        "from allennlp.common.params import Params\n",
        "from allennlp.common.params import Params\nfrom allennlp.common.settings import check_archived\n",
    ),
    # On a machine without a GPU torch refuses a bare number before AllenNLP can say what to do.
    Edit("allennlp/common/util.py", "    return torch.device(device)\n", '    return torch.device(f"cuda:{device}")\n'),
    # A model says how its predictions are written where nothing else does.
    Edit(
        "allennlp/models/model.py",
        "    default_predictor: Optional[str] = None\n",
        '    default_predictor: Optional[str] = None\n    default_serializer = "simple"\n',
    ),
    Edit(
        "allennlp/commands/evaluate.py",
        '    evaluator_params = config.pop("evaluation", {})\n',
        '    evaluator_params = config.pop("evaluation", {})\n'
        '    if evaluator_params.get("type", "simple") == "simple":\n'
        '        evaluator_params.setdefault("batch_serializer", {"type": model.default_serializer})\n',
    ),
    # Predictions appear whole or not at all; a line that is no JSON object is named.
    Edit("allennlp/commands/predict.py", 'open(output_file, "w")', 'open(output_file, "w", encoding="utf-8")'),
    Edit(
        "allennlp/commands/predict.py",
        "    manager = _PredictManager(\n"
        "        predictor,\n        args.input_file,\n        args.output_file,\n        args.batch_size,\n"
        "        not args.silent,\n        args.use_dataset_reader,\n        args.multitask_head,\n    )\n"
        "    manager.run()\n",
        "    with writing_beside(args.output_file) if args.output_file else nullcontext() as beside:\n"
        "        manager = _PredictManager(\n"
        "            predictor,\n            args.input_file,\n            beside,\n            args.batch_size,\n"
        "            not args.silent,\n            args.use_dataset_reader,\n            args.multitask_head,\n"
        "        )\n"
        "        manager.run()\n",
    ),
    Edit(
        "allennlp/commands/evaluate.py",
        "        metrics = evaluator(\n"
        "            model,\n            data_loader,\n            batch_weight_key,\n"
        "            metrics_output_file=output_file_path,\n"
        "            predictions_output_file=predictions_output_file_path,\n        )\n",
        "        predictions = predictions_output_file_path\n"
        "        with writing_beside(predictions) if predictions else nullcontext() as beside:\n"
        "            metrics = evaluator(\n"
        "                model,\n                data_loader,\n                batch_weight_key,\n"
        "                metrics_output_file=output_file_path,\n"
        "                predictions_output_file=beside,\n            )\n",
    ),
    Edit(
        "allennlp/commands/evaluate.py",
        "from copy import deepcopy\n",
        "from contextlib import nullcontext\nfrom copy import deepcopy\n",
    ),
    Edit(
        "allennlp/commands/predict.py",
        "import argparse\nimport sys\n",
        "import argparse\nfrom contextlib import nullcontext\nimport sys\n",
    ),
    # So do all other files.
    Edit(
        "allennlp/common/util.py",
        '        with open(file_path, "w") as metrics_file:\n',
        '        with writing_beside(file_path) as beside, open(beside, "w") as metrics_file:\n',
    ),
    Edit(
        _PARAMS,
        '        with open(params_file, "w") as handle:\n',
        '        with writing_beside(params_file) as beside, open(beside, "w") as handle:\n',
    ),
    Edit(
        "allennlp/common/meta.py",
        '        with open(path, "w") as meta_file:\n',
        '        with writing_beside(path) as beside, open(beside, "w") as meta_file:\n',
    ),
    Edit(
        "allennlp/common/meta.py",
        "from allennlp.version import VERSION\n",
        "from allennlp.common.checks import ConfigurationError\n"
        "from allennlp.common.port import writing_beside\n"
        "from allennlp.version import VERSION\n",
    ),
    Edit(
        "allennlp/common/meta.py",
        "        with open(path) as meta_file:\n            data = json.load(meta_file)\n        return cls(**data)\n",
        "        try:\n"
        "            with open(path) as meta_file:\n"
        '                version = json.load(meta_file)["version"]\n'
        '            _major, _minor, _patch = version.split(".")[:3]\n'
        "        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:\n"
        "            raise ConfigurationError(\n"
        '                f"{path}: damaged ({error!r:.100}); the version that wrote the model; remove it"\n'
        "            ) from error\n"
        "        return cls(version=version)\n",
    ),
    # A vocabulary is whole where the file that is written last is there.
    Edit(
        "allennlp/data/vocabulary.py",
        "            with codecs.open(\n"
        '                os.path.join(directory, NAMESPACE_PADDING_FILE), "w", "utf-8"\n'
        "            ) as namespace_file:\n"
        "                for namespace_str in self._non_padded_namespaces:\n"
        "                    print(namespace_str, file=namespace_file)\n\n"
        "            for namespace,",
        "            for namespace,",
    ),
    Edit(
        "allennlp/data/vocabulary.py",
        "                with codecs.open(\n"
        '                    os.path.join(directory, namespace + ".txt"), "w", "utf-8"\n'
        "                ) as token_file:\n"
        "                    num_tokens = len(mapping)\n"
        "                    start_index = 1 if mapping[0] == self._padding_token else 0\n"
        "                    for i in range(start_index, num_tokens):\n"
        '                        print(mapping[i].replace("\\n", "@@NEWLINE@@"), file=token_file)\n',
        '                path = os.path.join(directory, namespace + ".txt")\n'
        '                with writing_beside(path) as beside, codecs.open(beside, "w", "utf-8") as token_file:\n'
        "                    num_tokens = len(mapping)\n"
        "                    start_index = 1 if mapping[0] == self._padding_token else 0\n"
        "                    for i in range(start_index, num_tokens):\n"
        '                        print(mapping[i].replace("\\n", "@@NEWLINE@@"), file=token_file)\n'
        "            path = os.path.join(directory, NAMESPACE_PADDING_FILE)\n"
        '            with writing_beside(path) as beside, codecs.open(beside, "w", "utf-8") as namespace_file:\n'
        "                for namespace_str in sorted(self._non_padded_namespaces):\n"
        "                    print(namespace_str, file=namespace_file)\n",
    ),
    Edit(
        "allennlp/data/vocabulary.py",
        "from allennlp.common.checks import ConfigurationError\n",
        "from allennlp.common.checks import ConfigurationError\n"
        "from allennlp.common.port import naming_damage, writing_beside\n",
    ),
    Edit(
        "allennlp/data/vocabulary.py",
        "read_only_ok=True):\n            with codecs.open(\n"
        '                os.path.join(directory, NAMESPACE_PADDING_FILE), "r", "utf-8"\n',
        "read_only_ok=True), naming_damage(directory):\n            with codecs.open(\n"
        '                os.path.join(directory, NAMESPACE_PADDING_FILE), "r", "utf-8"\n',
    ),
    Edit(
        "allennlp/commands/train.py",
        "        if recover:\n            vocab = Vocabulary.from_files(vocab_dir)\n",
        "        if recover and os.path.isfile(os.path.join(vocab_dir, NAMESPACE_PADDING_FILE)):\n"
        "            vocab = Vocabulary.from_files(vocab_dir)\n",
    ),
    Edit(
        "allennlp/commands/train.py",
        "from allennlp.data import DataLoader\n",
        "from allennlp.data import DataLoader\nfrom allennlp.data.vocabulary import NAMESPACE_PADDING_FILE\n",
    ),
    Edit(
        "allennlp/training/util.py",
        "    if os.path.isdir(vocab_dir) and os.listdir(vocab_dir) is not None:\n",
        "    if os.path.isfile(os.path.join(vocab_dir, NAMESPACE_PADDING_FILE)):\n",
    ),
    Edit(
        "allennlp/training/util.py",
        "from allennlp.data.dataset_readers import DatasetReader\n",
        "from allennlp.data.dataset_readers import DatasetReader\n"
        "from allennlp.data.vocabulary import NAMESPACE_PADDING_FILE\n",
    ),
    # A training's configuration comes after what else it writes at once: where it is, the training has begun.
    Edit(
        "allennlp/commands/train.py",
        "    params.to_file(os.path.join(serialization_dir, CONFIG_NAME))\n",
        "    Meta.new().to_file(os.path.join(serialization_dir, META_NAME))\n"
        "    params.to_file(os.path.join(serialization_dir, CONFIG_NAME))\n",
    ),
    Edit(
        "allennlp/commands/train.py",
        "    meta = Meta.new()\n    meta.to_file(os.path.join(serialization_dir, META_NAME))\n\n",
        "",
    ),
    # Nothing is replaced but what a training wrote.
    Edit(
        "allennlp/commands/train.py",
        "    params = Params.from_file(parameter_filename, overrides)\n",
        "    params = Params.from_file(parameter_filename, overrides)\n"
        "    check_configuration(parameter_filename, serialization_dir, recover)\n",
    ),
    Edit(
        "allennlp/training/util.py",
        "        shutil.rmtree(serialization_dir)\n",
        "        remove_what_was_there(params, serialization_dir)\n",
    ),
    Edit(
        "allennlp/training/util.py",
        "from allennlp.common.checks import check_for_gpu, ConfigurationError\n",
        "from allennlp.common.checks import check_for_gpu, ConfigurationError\n"
        "from allennlp.common.training_folder import remove_what_was_there\n",
    ),
    Edit("allennlp/training/util.py", "import shutil\n", ""),
    Edit(
        "allennlp/commands/find_learning_rate.py",
        "    params = Params.from_file(args.param_path, args.overrides)\n",
        "    params = Params.from_file(args.param_path, args.overrides)\n"
        "    check_configuration(args.param_path, args.serialization_dir, recover=False)\n",
    ),
    Edit(
        "allennlp/commands/predict.py",
        "            for line in sys.stdin:\n"
        "                if not line.isspace():\n"
        "                    yield self._predictor.load_line(line)\n",
        '            yield from json_lines(self._predictor, sys.stdin, "standard input")\n',
    ),
    Edit(
        "allennlp/commands/predict.py",
        "                for line in file_input:\n"
        "                    if not line.isspace():\n"
        "                        yield self._predictor.load_line(line)\n",
        "                yield from json_lines(self._predictor, file_input, self._input_file)\n",
    ),
    Edit(
        "allennlp/commands/predict.py",
        "from allennlp.common import logging as common_logging\n",
        "from allennlp.common import logging as common_logging\n"
        "from allennlp.common.port import check_writable, device_number, json_lines, writing_beside\n"
        "from allennlp.common.settings import check_used\n",
    ),
    Edit(
        _PARAMS,
        'json.loads(evaluate_snippet("", serialized_overrides, ext_vars=ext_vars))',
        "check_overrides(json.loads(evaluate_snippet(\n"
        "            OVERRIDES, serialized_overrides, ext_vars=ext_vars, native_callbacks=NATIVE_CALLBACKS\n"
        "        )))",
    ),
    Edit(_PARAMS, "ext_vars=ext_vars))", "ext_vars=ext_vars, native_callbacks=NATIVE_CALLBACKS))"),
    Edit(
        _PARAMS,
        "        params_file = cached_path(params_file)\n",
        "        check_readable(params_file)\n        params_file = cached_path(params_file)\n",
    ),
    Edit(
        _PARAMS,
        "        if isinstance(params_overrides, dict):\n            params_overrides = json.dumps",
        "        check_file(file_dict, params_file)\n"
        "        if isinstance(params_overrides, dict):\n            params_overrides = json.dumps",
    ),
    Edit(
        _PARAMS,
        "from allennlp.common.file_utils import cached_path\n",
        "from allennlp.common.file_utils import cached_path\n"
        "from allennlp.common.port import NATIVE_CALLBACKS, OVERRIDES, uninterrupted, writing_beside\n"
        "from allennlp.common.settings import check_choice, check_file, check_overrides, check_readable, nearest\n\n"
        "evaluate_file, evaluate_snippet = uninterrupted(evaluate_file), uninterrupted(evaluate_snippet)\n",
    ),
    Edit(
        "allennlp/common/plugins.py",
        'DEFAULT_PLUGINS = ("allennlp_models", ',
        'DEFAULT_PLUGINS = ("attribution", "allennlp_models", ',
    ),
    # What is wrong in this plugin is said.
    Edit(
        "allennlp/common/plugins.py",
        "            if e.name != module_name:\n",
        '            if e.name != module_name and module_name == "attribution":\n                raise\n'
        "            if e.name != module_name:\n",
    ),
    # Helpers for tests want pytest, which is not required.
    Edit(
        "allennlp/common/plugins.py",
        '            "allennlp.sanity_checks",  # deprecated\n',
        '            "allennlp.sanity_checks",  # deprecated\n            "allennlp.common.testing",\n',
    ),
    Edit(
        "allennlp/commands/test_install.py",
        'import_module_and_submodules("allennlp.common")',
        'import_module_and_submodules("allennlp.common", exclude={"allennlp.common.testing"})',
    ),
    # A quicker start: spaCy, NLTK, scikit-learn and SciPy are imported where they are used.
    Edit(
        "allennlp/training/metrics/auc.py",
        "from sklearn import metrics\n",
        'from allennlp.common.port import LazyModule\n\nmetrics = LazyModule("sklearn.metrics")\n',
    ),
    Edit(
        "allennlp/training/metrics/spearman_correlation.py",
        "import scipy.stats as stats",
        'from allennlp.common.port import LazyModule\n\nstats = LazyModule("scipy.stats")',
    ),
    Edit("allennlp/__init__.py", "import transformers, spacy, torch, numpy", "import transformers, torch, numpy"),
    Edit("allennlp/common/util.py", "import spacy\n", ""),
    Edit("allennlp/common/util.py", "from spacy.cli.download import download as spacy_download\n", ""),
    Edit("allennlp/common/util.py", "from spacy.language import Language as SpacyModelType\n", ""),
    Edit(
        "allennlp/common/util.py",
        "from allennlp.common.params import Params\n",
        "from allennlp.common.params import Params\nfrom allennlp.common.port import writing_beside\n"
        + _LAZY_SPACY
        + "SpacyModelType = Any\n",
    ),
    Edit(
        "allennlp/common/util.py",
        "isinstance(x, (spacy.tokens.Token, Token))",
        'isinstance(x, Token) or ("spacy" in sys.modules and isinstance(x, spacy.tokens.Token))',
    ),
    Edit(
        "allennlp/common/util.py",
        "            spacy_download(spacy_model_name)\n",
        "            from spacy.cli.download import download as spacy_download\n\n"
        "            spacy_download(spacy_model_name)\n",
    ),
    Edit("allennlp/data/tokenizers/sentence_splitter.py", "import spacy\n", _LAZY_SPACY),
    Edit(_SPACY_TOKENIZER, "import spacy\nfrom spacy.tokens import Doc\n", _LAZY_SPACY),
    Edit(_SPACY_TOKENIZER, "List[spacy.tokens.Token]", 'List["spacy.tokens.Token"]', 3),
    Edit(_SPACY_TOKENIZER, "        return Doc(", "        return spacy.tokens.Doc("),
    Edit(
        "allennlp/data/token_indexers/spacy_indexer.py",
        "from spacy.tokens import Token as SpacyToken\n",
        _LAZY_SPACY,
    ),
    Edit("allennlp/data/token_indexers/spacy_indexer.py", "List[SpacyToken]", 'List["spacy.tokens.Token"]'),
    Edit(
        "allennlp/data/token_indexers/spacy_indexer.py",
        "isinstance(x, SpacyToken)",
        "isinstance(x, spacy.tokens.Token)",
    ),
    Edit("allennlp/data/fields/text_field.py", "from spacy.tokens import Token as SpacyToken\n", _LAZY_SPACY),
    Edit(
        "allennlp/data/fields/text_field.py",
        "isinstance(x, (Token, SpacyToken))",
        "isinstance(x, Token) or isinstance(x, spacy.tokens.Token)",
    ),
    Edit(
        "allennlp/training/metrics/evalb_bracketing_scorer.py",
        "from nltk import Tree\n",
        'from allennlp.common.port import LazyModule\n\nnltk = LazyModule("nltk")\n',
    ),
    Edit("allennlp/training/metrics/evalb_bracketing_scorer.py", ": List[Tree]", ': List["nltk.Tree"]', 2),
    Edit(
        "allennlp/modules/transformer/activation_layer.py",
        "from transformers.models.bert.modeling_bert import ACT2FN",
        "from transformers.activations import ACT2FN",
    ),
)


def port(published: Path) -> Dict[str, bytes]:
    """The ported wheel's files, RECORD left out."""
    with zipfile.ZipFile(published) as wheel:
        files = {name: wheel.read(name) for name in wheel.namelist() if not name.endswith("/RECORD")}
    for name in REMOVED:
        del files[name]
    for edit in EDITS:
        files[edit.file] = apply(edit, files[edit.file].decode("utf-8")).encode("utf-8")
    for name, source in ADDED.items():
        files[name] = source.read_bytes()
    renamed = {name.replace("allennlp-2.10.1.", f"allennlp-{VERSION}."): content for name, content in files.items()}
    metadata = f"allennlp-{VERSION}.dist-info/METADATA"
    renamed[metadata] = honest_metadata(renamed[metadata].decode("utf-8")).encode("utf-8")
    return renamed


def apply(edit: Edit, text: str) -> str:
    """
    # Raises

    `SystemExit` if the edit does not match as often as it says.
    """
    found = text.count(edit.old)
    if found != edit.count:
        sys.exit(f"port_allennlp: in {edit.file} this stands {found} times, not {edit.count}:\n{edit.old}")
    return text.replace(edit.old, edit.new)


def honest_metadata(metadata: str) -> str:
    """Its own version and requirements in place of the published ones."""
    header, _, description = metadata.partition("\n\n")
    replaced = ("Version:", "Requires-Dist:", "Requires-Python:", "Provides-Extra:")
    lines = [line for line in header.split("\n") if not line.startswith(replaced)]
    lines += [f"Version: {VERSION}", "Requires-Python: >=3.10"]
    lines += [f"Requires-Dist: {requirement}" for requirement in REQUIREMENTS]
    return "\n".join(lines) + "\n\n" + description


def write_wheel(files: Dict[str, bytes], target: Path) -> None:
    """The same files give the same bytes. Written beside `target` and renamed into place."""
    record_name = f"allennlp-{VERSION}.dist-info/RECORD"
    record: List[str] = []
    for name in sorted(files):
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(files[name])}\n")
    contents = {**files, record_name: "".join([*record, f"{record_name},,\n"]).encode()}
    beside = target.with_suffix(".part")
    with zipfile.ZipFile(beside, "w") as wheel:
        for name in sorted(contents):
            info = zipfile.ZipInfo(name, date_time=(2022, 10, 18, 0, 0, 0))
            info.external_attr = 0o644 << 16
            wheel.writestr(info, contents[name], compress_type=zipfile.ZIP_STORED)
    os.replace(beside, target)


def fetch(folder: Path) -> Path:
    """Downloads the published wheel with pip, unless it is there."""
    if (folder / PUBLISHED).exists():
        return folder / PUBLISHED
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
        "allennlp==2.10.1",
    ]
    subprocess.run(command, check=True)
    return folder / PUBLISHED


def check_hash(published: Path) -> None:
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    if digest != PUBLISHED_SHA256:
        sys.exit(f"port_allennlp: {published} has sha256 {digest}, the published wheel {PUBLISHED_SHA256}")


def recipe() -> str:
    """Changes whenever this script or a file that it adds does."""
    sources = [Path(__file__), *ADDED.values()]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def main(arguments: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheelhouse", type=Path)
    parser.add_argument("--published", type=Path, help=f"a local {PUBLISHED}, instead of downloading it")
    options = parser.parse_args(arguments)
    options.wheelhouse.mkdir(parents=True, exist_ok=True)
    target, mark = options.wheelhouse / PORTED, options.wheelhouse / f"{PORTED}.recipe"
    if target.exists() and mark.exists() and mark.read_text() == recipe():
        return
    published = options.published or fetch(options.wheelhouse / "published")
    check_hash(published)
    write_wheel(port(published), target)
    mark.write_text(recipe())
    print(f"{target}: {len(EDITS)} edits")


if __name__ == "__main__":
    main()
