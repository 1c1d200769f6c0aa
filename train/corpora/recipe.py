"""
The recipe of the corpus: which source feeds which ability, with published counts, and our tasks.

Owns the shape of ``recipes/corpora.yaml`` and its strict reading. Knows no file of any corpus.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.strict_yaml import build, read_yaml
from train.records import ABILITIES, LICENCE_GROUPS

__all__ = ['RECIPE', 'Ability', 'Recipe', 'RecipeRow', 'SharedHours', 'Source', 'load_recipe',
           'source_of']

RECIPE = Path(__file__).parents[1] / 'recipes' / 'corpora.yaml'
TASKS = 28


@dataclass(frozen=True, kw_only=True)
class Source:
    """A corpus: what reads it, and under which licence its makers give it."""

    importer: str
    licence: str
    licence_group: str
    """One of LICENCE_GROUPS."""
    url: str


@dataclass(frozen=True, kw_only=True)
class RecipeRow:
    """A line of the published table."""

    source: str
    part: str = ''
    items: int
    hours: float | None = None
    """None: texts, or hours published for several rows at once."""

    @property
    def name(self) -> str:
        return f'{self.source}/{self.part}' if self.part else self.source


@dataclass(frozen=True, kw_only=True)
class Ability:
    """One of the seven abilities."""

    published_thousands: int
    """As the paper's figure rounds it; the rows add up to it."""
    rows: tuple[RecipeRow, ...]
    tasks: dict[str, str]
    """Our sub-task -> what it is."""

    @property
    def items(self) -> int:
        return sum(row.items for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class SharedHours:
    """Hours published for several rows at once."""

    rows: tuple[str, ...]
    hours: float


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Sources, abilities and tasks of a corpus."""

    sources: dict[str, Source]
    abilities: dict[str, Ability]
    hours_together: tuple[SharedHours, ...] = field(default=())

    @property
    def rows(self) -> Iterator[RecipeRow]:
        return (row for ability in self.abilities.values() for row in ability.rows)

    @property
    def items(self) -> int:
        return sum(row.items for row in self.rows)

    @property
    def hours(self) -> float:
        return (sum(row.hours or 0.0 for row in self.rows)
                + sum(shared.hours for shared in self.hours_together))

    @property
    def tasks(self) -> dict[str, str]:
        """Task -> the ability that it belongs to."""
        return {task: name for name, ability in self.abilities.items() for task in ability.tasks}

    def share(self, ability: str) -> float:
        """Return the share of an ability in all items, 0 to 1."""
        return self.abilities[ability].items / self.items

    def is_allowed(self, row: RecipeRow, exclude_groups: tuple[str, ...]) -> bool:
        """Return whether a row's source is outside the excluded licence groups."""
        return self.sources[row.source].licence_group not in exclude_groups


def _find_faults(recipe: Recipe) -> Iterator[str]:
    """Yield what is wrong with a recipe."""
    if tuple(recipe.abilities) != ABILITIES:
        yield f'expected the abilities {ABILITIES} in this order, got {tuple(recipe.abilities)}'
    for name, source in recipe.sources.items():
        if source.licence_group not in LICENCE_GROUPS:
            yield (f'sources.{name}.licence_group: expected one of {LICENCE_GROUPS}, got '
                   f'{source.licence_group!r}')
    names = [row.name for row in recipe.rows]
    for row in recipe.rows:
        if row.source not in recipe.sources:
            yield f'row {row.name}: {row.source!r} is not under sources'
    if len(names) != len(set(names)):
        yield f'rows named twice: {sorted({name for name in names if names.count(name) > 1})}'
    for shared in recipe.hours_together:
        if unknown := sorted(set(shared.rows) - set(names)):
            yield f'hours_together names rows that do not exist: {unknown}'
    for name, ability in recipe.abilities.items():
        if abs(ability.items - 1000 * ability.published_thousands) >= 1000:
            yield (f'abilities.{name}: the rows add up to {ability.items}, published are '
                   f'{ability.published_thousands} thousand')
    tasks = [task for ability in recipe.abilities.values() for task in ability.tasks]
    if len(set(tasks)) != len(tasks) or len(tasks) != TASKS:
        yield f'expected {TASKS} tasks of different names, got {len(set(tasks))} in {len(tasks)}'


def load_recipe(path: Path = RECIPE) -> Recipe:
    """Return a recipe; raises ConfigurationError naming the file and each wrong or unknown key."""
    recipe = build(Recipe, read_yaml(path), str(path))
    if problems := list(_find_faults(recipe)):
        raise ConfigurationError(f'{path}: correct the recipe: ' + '; '.join(problems))
    return recipe


@functools.cache
def source_of(name: str) -> Source:
    """Return a source of the recipe that is part of the project."""
    return load_recipe().sources[name]
