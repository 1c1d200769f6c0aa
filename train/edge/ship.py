r"""
Puts what was trained into a model folder: configuration, weights in float16, hashes.

Owns nothing of training. Thresholds are those of ``evaluate --pick`` and ``eval alerts --pick``,
where given, else those of ``layout``; the model card is written by hand.

    python -m train.edge.ship --trained trained.safetensors --out models/edge \
        --threshold transcript=0.5 --threshold assistant=0.7 --min-confidence assistant=0.75 \
        --slots assistant=256
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file, save_file

from audio_interaction_ros.checkpoints.config import (
    BaseConfig,
    CheckpointConfig,
    dump_config,
    lanes_by_setting,
)
from audio_interaction_ros.checkpoints.manifest import write_manifest
from train.edge.adapter import DECODER, SCALE
from train.edge.feature_folder import read_sounds
from train.edge.features import MEL, TAGGER, WINDOW_S, tower_config
from train.edge.layout import IDS, MIN_CONFIDENCE, PROMPTS, SLOTS, THRESHOLDS
from train.edge.recipe import read_edge_recipe

__all__ = ['make_configuration']


def make_configuration(thresholds: dict[str, float], sounds: tuple[str, ...],
                       min_confidence: dict[str, float] | None = None,
                       slots: dict[str, int] | None = None,
                       sound_feature: str = 'direction',
                       window_s: float = WINDOW_S) -> CheckpointConfig:
    """Return everything about the model except its weights."""
    return CheckpointConfig(
        model='edge', audio_tower=tower_config(sounds, sound_feature, window_s), decoder=DECODER,
        token_ids=IDS, mel=MEL, max_positions=2048, lora_scale=SCALE,
        lanes=lanes_by_setting(prompts=PROMPTS, thresholds=thresholds,
                               min_confidence=min_confidence or {}, slots=slots or {}),
        base=BaseConfig(whisper='whisper-base', language_model='smollm2-135m-instruct',
                        tagger=TAGGER))


def by_lane(given: Sequence[str]) -> dict[str, float]:
    """Return the values of options LANE=VALUE."""
    return {lane: float(value) for lane, _, value in (item.partition('=') for item in given)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--trained', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--recipe', default='edge', help='that the weights were trained with')
    parser.add_argument('--threshold', action='append', default=[], metavar='LANE=P')
    parser.add_argument('--min-confidence', action='append', default=[], metavar='LANE=C',
                        help='a reply whose words are less sure is withheld')
    parser.add_argument('--slots', action='append', default=[], metavar='LANE=N',
                        help='positions that a lane keeps, where fewer are better')
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    recipe = read_edge_recipe(arguments.recipe)
    dump_config(make_configuration(THRESHOLDS | by_lane(arguments.threshold),
                                   read_sounds(arguments.trained),
                                   MIN_CONFIDENCE | by_lane(arguments.min_confidence),
                                   {lane: int(count) for lane, count in
                                    (SLOTS | by_lane(arguments.slots)).items()},
                                   recipe.sound_feature, recipe.window_s),
                arguments.out / 'config.yaml')
    save_file({name: value.half() for name, value in load_file(arguments.trained).items()},
              arguments.out / 'trained.safetensors')
    write_manifest(arguments.out)


if __name__ == '__main__':
    main()
