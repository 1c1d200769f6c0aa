"""
What a person sees of a run: TensorBoard files and a progress bar.

Owns nothing that training depends on.
"""

from pathlib import Path
from types import TracebackType
from typing import Any

from audio_interaction_ros.errors import MissingDependencyError
from train.trainer.recipe import Recipe

__all__ = ['Watch']


class Watch:
    """Writes scalars and texts for TensorBoard and moves a bar; use as a context."""

    def __init__(self, folder: Path, recipe: Recipe, step: int, *, show: bool,
                 write: bool) -> None:
        self._writer = self._open(folder, step) if write else None
        self._bar = self._make_bar() if show else None
        if self._bar is not None:
            self._task = self._bar.add_task(recipe.name, total=recipe.run.steps, completed=step,
                                            loss='')

    @staticmethod
    def _open(folder: Path, step: int) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingDependencyError('training logs need tensorboard; run: pip install -r '
                                         'requirements/train.txt') from error
        # What a cut-off run logged after its last checkpoint is drawn over.
        return SummaryWriter(str(folder), purge_step=step + 1)

    @staticmethod
    def _make_bar() -> Any:
        try:
            from rich import progress
        except ImportError as error:
            raise MissingDependencyError('the progress bar needs rich; run: pip install -r '
                                         'requirements/train.txt') from error
        return progress.Progress(
            progress.TextColumn('{task.description}'), progress.BarColumn(),
            progress.MofNCompleteColumn(), progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(), progress.TextColumn('{task.fields[loss]}'))

    def __enter__(self) -> 'Watch':
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._writer is not None:
            self._writer.close()

    def advance(self, step: int, loss: float) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step, loss=f'loss {loss:.4f}')

    def scalars(self, step: int, values: dict[str, float], group: str) -> None:
        """Log numbers; those of an evaluation, and all where there is no bar, are printed."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(f'{group}/{name}', value, step)
        if self._bar is None or (group == 'train' and self._bar.console.is_terminal):
            return
        # A log file shows no bar, so there every group is a line.
        shown = ', '.join(f'{name} {value:.4g}' for name, value in values.items())
        self._bar.console.print(f'step {step}: {shown}', soft_wrap=True)

    def text(self, step: int, text: str, name: str) -> None:
        """Log a text, such as a sample reply."""
        if self._writer is not None:
            self._writer.add_text(name, text, step)
        if self._bar is not None:
            self._bar.console.print(f'  {name}: {text}'.replace('\n\n', ' | '), markup=False,
                                    soft_wrap=True)
