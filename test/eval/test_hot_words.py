"""``python -m eval hot_words``: what is counted as found, and what as put in."""

import argparse
import json
from types import SimpleNamespace

import pytest

from eval import hot_words
from eval.hot_words import NameClip, choose_clips, figures, holds
from measure.word_errors import normalise

pytestmark = pytest.mark.torch


def test_a_name_counts_in_one_word_or_in_two():
    assert holds('Look, a viewglass.', 'View Glass') and holds('snow boy!', 'Snowboy')
    assert not holds('a view of glass', 'View Glass')


def test_names_that_nobody_said_are_counted_where_they_are_new(tmp_path):
    clips = [*(NameClip(tmp_path, 'Jarvis', 'jarvis', group) for group in 'ab'),
             *(NameClip(tmp_path, '', '', group) for group in 'cd')]
    found = figures(clips, ['Jarvis', 'Jervis', 'Amelia make coffee', 'two espresso'],
                    ['Jervis', 'Jervis', 'I may make coffee', 'two espresso'])
    assert found['recall'].value == 0.5 and found['wer_of_names'].value == 0.5
    assert (found['false'].value, found['false_names']) == (0.5, 1)
    assert found['changed_without_names'].value == pytest.approx(2 / 6)


def test_characters_are_counted_where_there_are_no_spaces():
    assert normalise('今天天气好。') == '今 天 天 气 好' and normalise('Two words') == 'two words'


def test_so_many_recordings_of_each_kind_are_chosen(tmp_path):
    rows = [{'path': f'{name}{n}.ogg', 'label': label, 'text': text} for n in range(4)
            for name, label, text in (
                ('j', 'speech_phrase', 'jarvis'), ('c', 'speech_command', ''),
                ('x', 'speech_phrase', 'computer'), ('r', 'rain', ''))]
    chosen = choose_clips(rows, tmp_path, 2)
    assert sorted(clip.said for clip in chosen) == ['', '', 'Jarvis', 'Jarvis']


def test_the_command_reads_each_recording_in_four_ways(parts, tmp_path):
    class Reader:
        hot_words = None

        def encode(self, text):
            return [len(text)]

        def transcribe(self, samples):
            return SimpleNamespace(text='Jarvis' if self.hot_words else 'Jervis')

    import soundfile
    for name in 'ab':
        soundfile.write(tmp_path / f'{name}.wav', parts.tone(0.5), 16_000)
    (tmp_path / 'manifest.jsonl').write_text('\n'.join(json.dumps(row) for row in (
        {'path': 'a.wav', 'label': 'speech_phrase', 'text': 'jarvis'},
        {'path': 'b.wav', 'label': 'speech_command'})))
    parser = argparse.ArgumentParser()
    hot_words.add_arguments(parser)
    options = parser.parse_args(['--data', str(tmp_path), '--out', str(tmp_path / 'out')])
    assert hot_words.run(options, Reader()) == 0
    ways = json.loads((tmp_path / 'out' / 'hot_words.json').read_text())['figures']['ways']
    assert ways['not told']['recall']['value'] == 0 and ways['both']['recall']['value'] == 1
    assert ways['favoured']['false_names'] == 1
