"""Every YAML file that ships loads with the loader that reads it in service."""

import dataclasses
from pathlib import Path

import pytest

from audio_interaction_ros.alerts.rules import AlertRules, load_rules
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.intents.intents_file import read_intents
from audio_interaction_ros.intents.matching import IntentMatcher
from audio_interaction_ros.parameter_file import load_configuration
from audio_interaction_ros.safety_events.rules_file import SafetyEventsFile, read_safety_events

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
ALERT_RULES = {'alerts.yaml'}
INTENTS = {'intents.yaml'}
SAFETY_EVENTS = {'safety_events.yaml'}

CONFIGURATIONS = sorted((ROOT / 'config').glob('*.yaml'))
MODELS = sorted((ROOT / 'models').glob('*/config.yaml'))


@pytest.mark.parametrize('path', CONFIGURATIONS, ids=lambda path: path.name)
def test_a_configuration_loads(path):
    if path.name in ALERT_RULES:
        assert isinstance(load_rules(path), AlertRules)
    elif path.name in INTENTS:
        assert IntentMatcher(read_intents(path))
    elif path.name in SAFETY_EVENTS:
        assert isinstance(read_safety_events(path), SafetyEventsFile)
    else:
        config = load_configuration(path)
        assert isinstance(config, AssistantConfig)
        config.check_translation()


@pytest.mark.torch
@pytest.mark.parametrize('path', MODELS or [None],
                         ids=lambda path: path.parent.name if path else 'none')
def test_a_model_configuration_loads(path):
    if path is None:
        pytest.skip('no model ships with this checkout')
    pytest.importorskip('torch', reason='the configuration of a model names torch modules')
    from audio_interaction_ros.checkpoints.config import load_config
    assert load_config(path).model


def test_translations_follow_the_words_unless_a_lane_makes_them():
    edge, lanes = (load_configuration(ROOT / 'config' / name)
                   for name in ('edge.yaml', 'edge_lanes.yaml'))
    assert (edge.translation.source, edge.writes_english) == ('words', True)
    assert [lane.name for lane in edge.lanes] == ['transcript', 'assistant']
    assert (lanes.translation.source, lanes.writes_english) == ('lane', False)
    alike = dataclasses.replace(edge, translation=lanes.translation, lanes=lanes.lanes)
    assert alike == lanes and edge.second_passes == lanes.second_passes


def test_the_alert_rules_ship():
    assert ALERT_RULES | INTENTS | SAFETY_EVENTS <= {path.name for path in CONFIGURATIONS}
