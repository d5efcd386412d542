"""TensorBoard and Weights & Biases, for those who ask: each gets every epoch once, also those of before a kill."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING, Any, Dict, List, Mapping

if TYPE_CHECKING:
    from pathlib import Path

    from stages.contract import Step
    from stages.train.checkpoint import History
    from stages.train.settings import Settings


class TensorBoard:
    """Scalars in `out/tensorboard`, one for each column of the history."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        self._summary = tf.summary
        self._writer = tf.summary.create_file_writer(os.fspath(folder))

    def epoch(self, entry: Mapping[str, float]) -> None:
        """Log one epoch."""
        with self._writer.as_default(step=int(entry["epoch"])):
            for name, value in entry.items():
                if name != "epoch":
                    self._summary.scalar(name, value)
        self._writer.flush()

    def close(self) -> None:
        """End the log."""
        self._writer.close()


class Wandb:
    """A run of Weights & Biases in `out/wandb`, without network: `wandb sync` sends it later."""

    def __init__(self, folder: Path, label: str, settings: Mapping[str, Any]) -> None:
        self._folder = folder
        self._scratch = tempfile.mkdtemp(prefix="wandb-")
        os.environ["WANDB_MODE"] = "offline"
        for name in ("CACHE_DIR", "CONFIG_DIR", "DATA_DIR"):
            os.environ["WANDB_" + name] = self._scratch  # its defaults lie in the home folder, which a step has not
        import wandb

        self._run = wandb.init(
            mode="offline",
            project="coralline",
            name=label,
            dir=os.fspath(folder.parent),
            config=dict(settings),
            settings=wandb.Settings(console="off", silent=True, disable_git=True, save_code=False),
        )

    def epoch(self, entry: Mapping[str, float]) -> None:
        """Log one epoch."""
        self._run.log({name: value for name, value in entry.items() if name != "epoch"}, step=int(entry["epoch"]))

    def close(self) -> None:
        """End the run; its convenience links are removed, since an artifact holds files alone."""
        self._run.finish()
        for path in self._folder.rglob("*"):
            if path.is_symlink():
                path.unlink()
        shutil.rmtree(self._scratch, ignore_errors=True)


class Loggers:
    """The loggers that the settings ask for; usually none."""

    def __init__(self, step: Step, settings: Settings) -> None:
        self._active: List[Any] = []
        if settings.tensorboard:
            self._active.append(TensorBoard(step.out / "tensorboard"))
        if settings.wandb == "offline":
            self._active.append(Wandb(step.out / "wandb", step.label, step.parameters))

    def replay(self, history: History) -> None:
        """Log the epochs of before a kill: `out` is empty whenever a step starts."""
        for entry in history:
            self.epoch(entry)

    def epoch(self, entry: Dict[str, float]) -> None:
        """Log one epoch."""
        for logger in self._active:
            logger.epoch(entry)

    def close(self) -> None:
        """End all logs."""
        for logger in self._active:
            logger.close()
