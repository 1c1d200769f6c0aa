"""A reply of unsure words through the whole assistant: no alert, and who watches is told why."""

import json

import numpy as np
import pytest
import soundfile

from audio_interaction_ros import offline
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.cli import main as cli
from audio_interaction_ros.config import AssistantConfig, LaneConfig
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)
from audio_interaction_ros.stream.events import ReplyWithheld

pytestmark = pytest.mark.unit

SCRIPT = {0: {4: (Emotion.URGENT, 'I hear a gunshot.')}}


class Unsure(ScriptedDecoder):
    """Doubts every word."""

    def _speak(self, request):
        return super()._speak(request) * 0.2


def assistant(min_confidence):
    lanes = (LaneConfig(name='assistant', alerts=True, min_confidence=min_confidence),)
    return Assistant(config=AssistantConfig(lanes=lanes), encoder=ScriptedEncoder(),
                     tokenizer=ScriptedTokenizer(),
                     decoder=Unsure(script=SCRIPT))


def noise():
    return (0.1 * np.random.default_rng(1).standard_normal(64_000)).astype(np.float32)


def heard(one):
    return list(one.listen([AudioBlock(samples=noise(), sample_rate_hz=16_000, stamp_ns=None)]))


def test_what_is_withheld_raises_no_alert():
    off, gated = assistant(-1.0), assistant(0.5)
    assert any(hasattr(event, 'alert') for event in heard(off))
    assert (off.stats.replies, off.stats.withheld, off.stats.alerts) == (1, 0, 1)
    events = heard(gated)
    assert not any(hasattr(event, 'alert') for event in events)
    assert [event.text for event in events if isinstance(event, ReplyWithheld)] == [
        'I hear a gunshot.']
    assert (gated.stats.replies, gated.stats.withheld, gated.stats.alerts) == (0, 1, 0)


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """Return a file, and let the command line run a model that doubts what it would say of it."""
    monkeypatch.setattr(offline.Assistant, 'load', classmethod(
        lambda cls, config, tell=None: assistant(0.5)))
    path = tmp_path / 'sound.wav'
    soundfile.write(path, noise(), 16_000)
    return str(path)


def test_people_are_told_soberly(recording, capsys):
    assert cli.main(['stream', recording]) == 0
    out = capsys.readouterr().out
    line, = (line for line in out.splitlines() if 'gunshot' in line)
    assert '(withheld, confidence 0.03: I hear a gunshot.)' in line
    assert 'ALERT' not in out and '0 replies, 0 alerts, 1 replies withheld' in out


def test_json_has_the_event(recording, capsys):
    assert cli.main(['stream', recording, '--json']) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record['event'] for record in records] == ['ReplyStarted', 'ReplyWithheld']
    assert records[1]['confidence'] == pytest.approx(0.028, abs=0.001)
    assert (records[1]['text'], records[1]['emotion']) == ('I hear a gunshot.', 'URGENT')
