"""The shipped scene, heard by the shipped model, is what its expectation says."""

from dataclasses import replace
from pathlib import Path

import pytest

from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.config import TranslationConfig
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.parameter_file import load_configuration
from audio_interaction_ros.replay.corpus import find_cases
from audio_interaction_ros.replay.listener import OfflineListener
from audio_interaction_ros.replay.report import describe
from audio_interaction_ros.replay.verdict import hold_against

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_the_sample_scene_is_heard_as_its_expectation_says():
    """Without translations, of which nothing is expected."""
    case, = find_cases(ROOT / 'samples')
    config = load_configuration(ROOT / 'config' / 'edge.yaml')
    config = replace(config, translation=TranslationConfig())
    try:
        listener = OfflineListener.load(config)
    except CheckpointError as error:
        pytest.skip(f'the base weights could not be had: {error}')
    verdict = hold_against(case.name, listener.hear(read_blocks(case.recording)),
                           case.expectation)
    assert verdict.passed, '\n'.join(describe(verdict))
    assert len(verdict.matched) >= 10
