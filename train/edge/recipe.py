"""
All numbers of the edge model's recipe, read strictly from ``train/recipes/edge.yaml``.

Owns how much of what is made, how scenes are mixed, what each lane hears, and rates and minutes of
each training. Knows no audio and no weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import CHUNK_S
from held_out.classes import ALERTS
from train.compose.mix import Mix
from train.trainer.recipe import read_recipe

__all__ = ['KINDS', 'EdgeRecipe', 'Hearing', 'Mandarin', 'Replies', 'Scenes', 'Training',
           'read_edge_recipe', 'scale_recipe']

KINDS = ('speech', 'alert', 'harmless', 'long', 'mandarin')
"""What happens in a scene: said, sounding, of no interest, far apart, said in Mandarin."""
LEAST_WINDOW = 3
"""Chunks: the sound branch hears 0.96 s at once."""


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """Scenes of a kind."""

    train: int
    validation: int
    bed: float
    """How often something is heard all the time."""


@dataclass(frozen=True, kw_only=True)
class Mandarin:
    """Utterances of each engine; validation has those of the first that speaks."""

    kokoro: int
    espeak: int
    validation: int


@dataclass(frozen=True, kw_only=True)
class Training:
    """How long, on idle cores or by the clock of a GPU, and how fast."""

    minutes: float
    rate: float


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """How often a lane is drawn, and what it then hears: kinds of scenes, and how often each."""

    share: float
    hears: Mapping[str, float]
    """Kinds; 'asked' is speech that the assistant answers, 'told' what has a translation."""


@dataclass(frozen=True, kw_only=True)
class Replies:
    """When to speak and what to say."""

    rate: float
    minutes: float
    minutes_again: float
    """Of the second round, in which the translation lane is learned too."""
    respond_weight: float
    """Of a decision to speak beside one to stay silent."""
    control_weight: float
    """Of decisions beside words."""
    forgotten: float
    """Share of the words of replies that are exchanged for others."""
    pairs_every: int
    """Steps; then a row of sentence pairs for each direction."""
    positions: int
    """Of one batch, padding included."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Part of the model -> its rate as a share of ``rate``; 1 where it is not named."""


@dataclass(frozen=True, kw_only=True)
class EdgeRecipe:
    """The whole recipe."""

    name: str
    window_s: float
    """What the encoder hears at once, whole chunks; its cost per chunk grows with it."""
    sound_feature: str
    """As ``audio_tower.sound_feature`` of the model: direction or strength."""
    speech: float
    """Share of the training side of the plan of what is spoken."""
    mandarin: Mandarin
    signals: int
    """Specimens of each computed signal, on each side."""
    scenes: Mapping[str, Scenes]
    mix: Mix
    words: Training
    sounds: Training
    replies: Replies
    translation: Training
    lanes: Mapping[str, Hearing]

    def __post_init__(self) -> None:
        chunks = round(self.window_s / CHUNK_S, 6)
        if chunks < LEAST_WINDOW or chunks % 1:
            raise ConfigurationError(f'window_s: expected {LEAST_WINDOW} or more whole chunks of '
                                     f'{CHUNK_S:g} s, found {self.window_s:g} s; correct the '
                                     'recipe')
        if set(self.scenes) != set(KINDS):
            raise ConfigurationError(f'scenes: expected the kinds {sorted(KINDS)}, found '
                                     f'{sorted(self.scenes)}; correct the recipe')
        known = {*KINDS, 'asked', 'told'}
        for name, lane in self.lanes.items():
            if not set(lane.hears) <= known:
                raise ConfigurationError(f'lanes.{name}.hears: expected some of {sorted(known)}, '
                                         f'found {sorted(lane.hears)}; correct the recipe')
        said = {label: (text, emotion.name.lower()) for label, (text, emotion) in ALERTS.items()}
        object.__setattr__(self, 'mix', replace(
            self.mix, rules=replace(self.mix.rules, critical=said)))


def read_edge_recipe(name: str | Path = 'edge', changes: tuple[str, ...] = ()) -> EdgeRecipe:
    """Return a recipe by path or name; ConfigurationError names file and key."""
    return read_recipe(EdgeRecipe, name, changes)[0]


def scale_recipe(recipe: EdgeRecipe, share: float) -> EdgeRecipe:
    """Return the recipe with that share of all that is made and of all minutes, to try it."""
    def count(whole: int, least: int) -> int:
        return max(min(least, whole), round(whole * share))

    def minutes(whole: float) -> float:
        return max(0.05, whole * share)
    if share == 1.0:
        return recipe
    replies = recipe.replies
    return replace(
        recipe, speech=recipe.speech * share, signals=count(recipe.signals, 2),
        mandarin=Mandarin(kokoro=count(recipe.mandarin.kokoro, 2),
                          espeak=count(recipe.mandarin.espeak, 2),
                          validation=count(recipe.mandarin.validation, 2)),
        scenes={kind: replace(each, train=count(each.train, 2),
                              validation=count(each.validation, 20))
                for kind, each in recipe.scenes.items()},
        replies=replace(replies, minutes=minutes(replies.minutes),
                        minutes_again=minutes(replies.minutes_again)),
        **{name: replace(getattr(recipe, name), minutes=minutes(getattr(recipe, name).minutes))
           for name in ('words', 'sounds', 'translation')})
