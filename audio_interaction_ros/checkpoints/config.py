"""
What a model folder's ``config.yaml`` says, loaded strictly.

Owns the format of our own layout. Knows nothing of weights.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audio_interaction_ros.config import LaneDefaults
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.shapes import AudioTowerConfig, DecoderConfig
from audio_interaction_ros.protocol import (
    CHUNK_S,
    RELEASED_CHUNK,
    RELEASED_TOKEN_IDS,
    TokenIds,
)
from audio_interaction_ros.strict_yaml import build, dump_yaml, read_yaml

__all__ = ['FORMAT', 'BaseConfig', 'CheckpointConfig', 'MelConfig', 'dump_config',
           'lanes_by_setting', 'load_config']

FORMAT = 'audio-interaction/1'
_OF_LANES = {'prompts': 'prompt', 'thresholds': 'threshold', 'min_confidence': 'min_confidence',
             'slots': 'slots'}
"""Keys of the file, each a mapping from names of lanes, to fields of LaneDefaults."""


@dataclass(frozen=True, kw_only=True)
class MelConfig:
    """How the running maximum of the log-mel behaves."""

    decay_per_s: float = 0.0
    """Fall of the running maximum in log10 units per second; 0 keeps it for ever."""
    maximum_floor: float = -10.0
    """The running maximum never falls below this (log10 power)."""


@dataclass(frozen=True, kw_only=True)
class BaseConfig:
    """Public weights that a folder of trained differences builds upon."""

    whisper: str
    """Name of the Whisper encoder, known to base_weights."""
    language_model: str
    """Name of the language model, known to base_weights."""
    tagger: str = ''
    """Name of the tagger that the sound branch listens to, known to base_weights; empty: none."""


@dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """Everything about a model except its weights."""

    model: str
    """Name of the model, for people."""
    audio_tower: AudioTowerConfig
    decoder: DecoderConfig
    token_ids: TokenIds = RELEASED_TOKEN_IDS
    mel: MelConfig = field(default_factory=MelConfig)
    lanes: Mapping[str, LaneDefaults] = field(default_factory=dict)
    """What lanes of these names take from the model."""
    max_positions: int = 2048
    """Positions per lane that the model was trained for."""
    base: BaseConfig | None = None
    """Public weights to merge with; None: the folder holds all weights."""
    lora_scale: float = 1.0
    """Factor of the low-rank differences when they are merged."""
    sounds: str = ''
    """File of the folder that tells sounds apart (model.sound_head); empty: the model does not."""

    def __post_init__(self) -> None:
        """Check that the parts fit each other and the token ids the vocabulary."""
        size = self.audio_tower.chunk_size
        if self.audio_tower.sounds and size != RELEASED_CHUNK:
            raise ConfigurationError(
                f'audio_tower.keep_frames: expected {RELEASED_CHUNK.frames // 2} (chunks of '
                f'{CHUNK_S:g} s) of a model with a sound branch, for what tells sounds apart was '
                f'trained on these, found {self.audio_tower.keep_frames} ({size.s:g} s); train a '
                'model without one, or correct the model configuration')
        if self.sounds and (Path(self.sounds).name != self.sounds or not self.audio_tower.sounds):
            raise ConfigurationError(
                f'sounds: expected the name of a file of this folder, and a tower with a sound '
                f'branch, found {self.sounds!r} and {len(self.audio_tower.sounds)} sounds; '
                'correct the model configuration')
        if self.base is not None and bool(self.base.tagger) != self.audio_tower.tagger:
            raise ConfigurationError(
                f'base.tagger: expected a name just where audio_tower.tagger is true, found '
                f'{self.base.tagger!r} and {self.audio_tower.tagger}; correct the model '
                'configuration')
        if self.audio_tower.output_width != self.decoder.width:
            raise ConfigurationError(
                f'audio_tower.output_width: expected decoder.width {self.decoder.width}, found '
                f'{self.audio_tower.output_width}; correct the model configuration')
        highest = max(self.token_ids.structural)
        if highest >= self.decoder.vocab_size:
            raise ConfigurationError(
                f'token_ids: expected ids below decoder.vocab_size {self.decoder.vocab_size}, '
                f'found {highest}; correct the model configuration')

    @property
    def computed_with(self) -> str:
        """
        All that changes what the same weights give, in one text: rotary base, mel, LoRA scale, …

        Without what lanes only take as a default, the name, and the base and the sound head,
        whose identities are those of their weights.
        """
        values = {key: value for key, value in dataclasses.asdict(self).items()
                  if key not in ('model', 'base', 'lanes', 'sounds')}
        _drop_usual_feature(values['audio_tower'])
        return json.dumps(values, sort_keys=True)


_KEYS = {item.name for item in dataclasses.fields(CheckpointConfig)} - {'lanes'} | set(_OF_LANES)


@dataclass(frozen=True, kw_only=True)
class _LaneSettings:
    # Of lanes in the file: setting by setting.
    prompts: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    min_confidence: Mapping[str, float] = field(default_factory=dict)
    slots: Mapping[str, int] = field(default_factory=dict)


def lanes_by_setting(**settings: Mapping[str, Any]) -> dict[str, LaneDefaults]:
    """Return lanes of mappings from their names: prompts, thresholds, min_confidence, slots."""
    lanes: dict[str, LaneDefaults] = {}
    for key, values in settings.items():
        for name, value in values.items():
            lanes[name] = dataclasses.replace(lanes.get(name, LaneDefaults()),
                                              **{_OF_LANES[key]: value})
    return lanes


def load_config(path: Path) -> CheckpointConfig:
    """
    Load a model's ``config.yaml``.

    Raises ConfigurationError naming file and key for an unknown or missing key, a wrong type, or
    another format than this version reads.
    """
    values = read_yaml(path)
    if not isinstance(values, dict) or values.get('format') != FORMAT:
        form = values.get('format') if isinstance(values, dict) else values
        raise ConfigurationError(
            f'{path}: expected format {FORMAT!r}, found {form!r}; convert the model again or '
            'update this package')
    del values['format']
    if unknown := values.keys() - _KEYS:
        raise ConfigurationError(f'{path}: unknown key {sorted(map(str, unknown))[0]!r}; expected '
                                 f'one of {", ".join(sorted(_KEYS))}')
    of_lanes = {key: values.pop(key) for key in _OF_LANES if key in values}
    config = build(CheckpointConfig, values, str(path))
    settings = build(_LaneSettings, of_lanes, str(path))
    return dataclasses.replace(config, lanes=lanes_by_setting(**vars(settings)))


def dump_config(config: CheckpointConfig, path: Path) -> None:
    """Write a ``config.yaml`` that load_config reads back equal."""
    values: dict[str, Any] = {}
    for key, value in dataclasses.asdict(config).items():
        values |= _settings_by_lane(value) if key == 'lanes' else {key: value}
    values['token_ids']['emotions'] = list(config.token_ids.emotions)
    for key in ('min_confidence', 'slots'):
        if not values[key]:
            del values[key]  # earlier versions of this package do not know it
    if not config.sounds:
        del values['sounds']
    _drop_usual_feature(values['audio_tower'])
    if config.base is None:
        del values['base'], values['lora_scale']
    path.write_text(dump_yaml({'format': FORMAT, **values}), encoding='utf-8')


def _drop_usual_feature(tower: dict[str, Any]) -> None:
    # Models from before the choice keep their identity, and earlier versions read them.
    if tower['sound_feature'] == 'direction':
        del tower['sound_feature']


def _settings_by_lane(lanes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {key: {lane: default[name] for lane, default in lanes.items() if default[name]}
            for key, name in _OF_LANES.items()}
