"""Calls for help and talk of help that synthetic voices say: who says what, and a manifest."""

import json

import numpy as np
import pytest

from audio_interaction_ros.assembly import build_matcher
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.strict_yaml import read_yaml
from eval import spoken_calls
from eval.heldout_speech import VOICES
from eval.intents import HELP, choose_clips
from eval.spoken_calls import LINES, main, plan_calls
from train.edge import synthesise

pytestmark = pytest.mark.unit


def test_each_voice_says_each_line_under_a_name_of_its_own():
    lines = read_yaml(LINES)
    plan, said = plan_calls(lines), sum(map(len, lines.values()))
    assert len({one.name for one in plan}) == len(plan) == len(VOICES) * said
    assert [label.replace('_', ' ') for label in lines] == list(HELP)


def test_what_is_said_means_what_it_is_listed_under_where_it_is_read_rightly():
    matcher, lines = build_matcher(AssistantConfig()), read_yaml(LINES)
    wanted = {text: getattr(matcher.match(text), 'name', '') for texts in lines.values()
              for text in texts}
    assert {wanted[text] for text in lines['call_for_help']} == {'help'}
    assert [text for text in lines['talk_of_help'] if wanted[text] == 'help'] == []


def test_the_command_leaves_clips_that_eval_intents_takes(tmp_path, monkeypatch, capsys):
    lines = tmp_path / 'lines.yaml'
    lines.write_text('call_for_help: [Help!]\ntalk_of_help: ["I cannot help it."]\n')
    monkeypatch.setattr(spoken_calls, 'LINES', lines)
    monkeypatch.setattr(spoken_calls, 'check_voices', lambda plan: plan)

    def speak_all(plan, out, _workers):
        rows = [synthesise.make(one, out) for one in plan]
        (out / 'utterances.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    monkeypatch.setattr(spoken_calls, 'speak_all', speak_all)
    monkeypatch.setattr(synthesise, 'speak', lambda text, voice, rng: np.sin(
        np.arange(16_000) / 9).astype(np.float32))
    assert main(['--out', str(tmp_path / 'calls')]) == 0
    clips = choose_clips(tmp_path / 'calls', 0)
    assert sorted(clip.sort for clip in clips) == sorted(HELP * len(VOICES))
    assert all(clip.path.is_file() and clip.seconds > 0 for clip in clips)
    assert f'{len(clips)} clips' in capsys.readouterr().out
