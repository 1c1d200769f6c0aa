"""What a demo corpus consists of, for its page and for what is printed."""

from dataclasses import dataclass, field
from pathlib import Path

from train.compose.command import Built
from train.compose.script import Script
from train.corpora.recipe import load_recipe
from train.records import Clip
from train.stages import StageReport

__all__ = ['Demo']


@dataclass(kw_only=True)
class Demo:
    """What was built, for the page and for what is printed."""

    out: Path
    built: Built
    scripts: list[Script]
    voices: list[str]
    clips: list[Clip]
    stages: dict[str, StageReport] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def core_hours(self) -> float:
        """CPU time of all stages."""
        return sum(report.core_hours for report in self.stages.values())

    def unwritten(self) -> dict[str, list[str]]:
        """Return the sub-tasks of the recipe that have no stream here, by ability."""
        present_tasks = {stream.task for stream in self.built.streams}
        return {name: missing for name, ability in load_recipe().abilities.items()
                if (missing := [task for task in ability.tasks if task not in present_tasks])}
