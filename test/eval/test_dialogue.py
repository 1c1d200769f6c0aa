"""Answers to speech: what is due, what was said, and what nobody asked for."""

import argparse
import json

import numpy as np
import pytest
import soundfile

from audio_interaction_ros.config import LaneDefaults
from audio_interaction_ros.protocol import Emotion
from eval import dialogue
from eval.dialogue import AskedUtterance, figures
from eval.hearing.listener import Listener
from eval.replies.listener import make_lanes
from eval.speech_clips import SpeechClip
from held_out.classes import robot_rules
from train.edge.dialogue import reply_to

pytestmark = pytest.mark.unit


def asked(text='Stop.', said='', alarm=False, seconds=36.0, withheld=()):
    return AskedUtterance(name='x', sort='x', text=text, expected=reply_to(text) or '', said=said,
                          alarm=alarm, seconds=seconds, withheld=withheld)


def test_an_answer_is_right_when_its_words_are():
    right = asked(said=reply_to('Stop.').lower().rstrip('.'))
    assert right.right and not asked(said='Going.').right and not asked().right
    assert not asked(said=reply_to('Stop.'), alarm=True).right


def test_answers_that_are_due_and_those_that_are_not_are_counted_apart():
    quiet = 'The train was late.'
    found = figures([asked(said=reply_to('Stop.')), asked(said='I did not catch that.'), asked(),
                     asked(quiet), asked(quiet, said='Stopping.'),
                     asked(quiet, said='Siren.', alarm=True)])
    assert (found['due'], found['none_due'], found['alarms']) == (3, 3, 1)
    assert found['answered'].value == pytest.approx(2 / 3)
    assert found['right'].value == found['did_not_catch'].value == pytest.approx(1 / 3)
    assert found['answered_without_need'].value == pytest.approx(2 / 3)
    assert found['chatter_per_hour'].value == pytest.approx(1 / 0.03)


def test_withheld_answers_are_shares_of_the_right_and_of_the_wrong_ones():
    right, quiet = reply_to('Stop.'), 'The train was late.'
    found = figures([asked(said=right), asked(withheld=(right,)), asked(said='Going.'),
                     asked(quiet, withheld=('Going.', right)), asked(quiet, said='Going.'),
                     asked(quiet)])
    assert found['withheld'] == 3
    assert found['withheld_of_right'].value == pytest.approx(1 / 2)
    assert found['withheld_of_wrong'].value == pytest.approx(2 / 4)
    assert figures([asked(quiet)])['withheld_of_right'].n == 0


def test_what_the_model_is_unsure_of_is_counted_as_withheld(parts, tmp_path):
    runtime = parts.loud_runtime(text='Stopping.', emotion=Emotion.NORMAL)
    runtime.config.lanes = {'assistant': LaneDefaults(min_confidence=1.0)}
    listener = Listener(runtime, make_lanes()[:1], cache=tmp_path / 'hearings.jsonl')
    clip = SpeechClip(name='x', kind='synthetic', path=None, text='Stop.', group='x')
    heard = listener.hear('x', np.concatenate([parts.hiss(0.6), parts.tone(1.0)]))
    found = dialogue.join_answer(clip, heard, robot_rules())
    assert (found.said, found.withheld) == ('', ('Stopping.',))


def test_the_whole_command(parts, tmp_path, capsys):
    folder, out = tmp_path / 'speech', tmp_path / 'out'
    folder.mkdir()
    rows = [('a', 'Stop.', 'validation'), ('b', 'Stop.', 'train'),
            ('c', 'The train was late.', 'validation'), ('d', 'Turn left.', 'validation')]
    for name, _, _ in rows:
        soundfile.write(folder / f'{name}.wav', parts.tone(1.0), parts.RATE)
    (folder / 'utterances.jsonl').write_text(''.join(json.dumps(
        {'path': f'{name}.wav', 'text': text, 'split': split, 'voice': 'v'}) + '\n'
        for name, text, split in rows))
    parser = argparse.ArgumentParser()
    dialogue.add_arguments(parser)
    options = parser.parse_args(['--speech', str(folder), '--out', str(out)])
    model = parts.loud_runtime(text=reply_to('Turn left.'), emotion=Emotion.NORMAL)
    assert dialogue.run(options, model) == 0
    found = json.loads((out / 'dialogue.json').read_text())['figures']['sorts']
    assert found['catalogue, new sentence']['right']['value'] == 1.0
    assert found['catalogue, sentence of training']['right']['value'] == 0.0
    assert found['other speech']['answered_without_need']['value'] == 1.0
    assert len((out / 'answers.jsonl').read_text().splitlines()) == 3
    assert (out / 'dialogue.png').stat().st_size > 5_000
    assert 'did not catch' in capsys.readouterr().out
