"""What a model says of its lanes: thresholds, and how sure it must be of its words."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip('torch')

from audio_interaction_ros.checkpoints.config import dump_config, load_config
from audio_interaction_ros.config import LaneDefaults
from audio_interaction_ros.errors import ConfigurationError

pytestmark = pytest.mark.torch

SHIPPED = Path(__file__).parents[2] / 'models' / 'edge' / 'config.yaml'


def test_a_model_names_the_confidence_that_its_lanes_ask_for(tmp_path):
    config = replace(load_config(SHIPPED), lanes={'assistant': LaneDefaults(min_confidence=0.625)})
    dump_config(config, tmp_path / 'config.yaml')
    assert load_config(tmp_path / 'config.yaml') == config
    text = (tmp_path / 'config.yaml').read_text().replace('assistant: 0.625', 'assistant: much')
    (tmp_path / 'wrong.yaml').write_text(text)
    with pytest.raises(ConfigurationError, match='min_confidence'):
        load_config(tmp_path / 'wrong.yaml')


def test_a_model_of_before_the_gate_withholds_nothing(tmp_path):
    config = replace(load_config(SHIPPED), lanes={'assistant': LaneDefaults(threshold=0.3)})
    dump_config(config, tmp_path / 'config.yaml')
    assert 'min_confidence' not in (tmp_path / 'config.yaml').read_text()
    assert load_config(tmp_path / 'config.yaml') == config
