"""What a robot recorded of its own hearing: replayed as a test, and told as a day."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

pytest.importorskip('rosbags.rosbag2', reason='rosbags is not installed')

from rosbags import rosbag2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from audio_interaction_ros.alerts.alert import Severity
from audio_interaction_ros.cli import report
from audio_interaction_ros.cli.day_page import describe_day
from audio_interaction_ros.cli.main import main
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.replay.day import Day, join_days, settle
from audio_interaction_ros.replay.expectation import FORMAT
from audio_interaction_ros.replay.heard import Heard

pytestmark = pytest.mark.unit

MESSAGES = Path(__file__).parents[2] / 'audio_interaction_msgs' / 'msg'
BEGIN_S = 1_700_000_000
FILLING = {'string': '', 'bool': False}


class Recorder:
    """Writes a bag of one assistant, seconds after its audio began."""

    def __init__(self, path, namespace='/audio_interaction'):
        self.store = get_typestore(Stores.ROS2_HUMBLE)
        for name in ('Alert', 'Transcript', 'Reply', 'SoundEvent', 'Decision', 'AudioChunk',
                     'SoundScores'):
            self.store.register(get_types_from_msg(
                (MESSAGES / f'{name}.msg').read_text(encoding='utf-8'),
                f'audio_interaction_msgs/msg/{name}'))
        self.writer = rosbag2.Writer(path, version=9, storage_plugin=rosbag2.StoragePlugin.MCAP)
        self.writer.open()
        self.namespace, self.connections = namespace, {}

    def time(self, seconds):
        whole = int(seconds)
        return self.store.types['builtin_interfaces/msg/Time'](
            sec=BEGIN_S + whole, nanosec=round((seconds - whole) * 1e9))

    def write(self, topic, kind, at, **fields):
        """Write a message; fields that are not said are empty."""
        kind = f'audio_interaction_msgs/msg/{kind}'
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(
                f'{self.namespace}/{topic}', kind, typestore=self.store)
        message = self.make(kind, at, fields)
        self.writer.write(self.connections[topic], (BEGIN_S + round(at)) * 10 ** 9,
                          self.store.serialize_cdr(message, kind))

    def make(self, kind, at, said):
        fields = {}
        for name, (node, details) in self.store.fielddefs[kind][1]:
            if name in said:
                fields[name] = said[name]
            elif name == 'header':
                fields[name] = self.store.types['std_msgs/msg/Header'](
                    stamp=self.time(at), frame_id='mic')
            elif int(node) == 2:  # a message
                fields[name] = (self.time(at) if details.endswith('Time') else
                                self.store.types[details](sec=0, nanosec=0))
            elif int(node) == 1:
                fields[name] = FILLING.get(details[0], 0)
            else:
                fields[name] = [] if details[0][1][0] == 'string' else np.zeros(0)
        return self.store.types[kind](**fields)


def record(path, **options):
    """Return a bag of two hours: words, an alarm in the first, nothing in the second."""
    bag = Recorder(path, **options)
    for number in range(60):  # one decision a minute stands for all of it
        bag.write('decisions', 'Decision', 0.4 + 60 * number, seq=number, lane='transcript',
                  decision_latency_s=0.1 + number / 100)
        bag.write('sounds/scores', 'SoundScores', 60 * number, seq=number,
                  rms_dbfs=-40.0 + (number == 5) * 20)
    for at, final, text in ((4.0, False, 'good'), (4.0, True, 'good morning')):
        bag.write('transcript', 'Transcript', at, start=bag.time(4.0), end=bag.time(5.0),
                  is_final=final, text=text, language='en')
    bag.write('reply', 'Reply', 6.0, is_final=True, text='Going.', intent='go',
              slot_names=['place'], slot_values=['kitchen'])
    for count, seen in ((1, 301.0), (2, 310.0)):
        bag.write('alerts', 'Alert', 300.0, id='a1', label='smoke_alarm', severity=3, count=count,
                  last_seen=bag.time(seen), message='A smoke alarm | is sounding.')
    bag.write('sounds', 'SoundEvent', 300.0, sound='smoke_alarm', onset=bag.time(300.0), state=0)
    bag.write('sounds', 'SoundEvent', 300.0, sound='smoke_alarm', onset=bag.time(300.0), state=1,
              offset=bag.time(309.0))
    bag.write('decisions', 'Decision', 7199.0, seq=99, lane='transcript', decision_latency_s=0.2)
    bag.writer.close()
    return path


EXPECTED = f"""
format: {FORMAT}
expect:
- {{kind: transcript, text: good morning, at: 4.0, until: 5.0, language: en}}
- {{kind: reply, at: 6.0, intent: go, slots: {{place: kitchen}}}}
- {{kind: alert, at: 300.0, label: smoke_alarm, severity: CRITICAL}}
- {{kind: sound, at: 308.0, within_s: 0.0, label: smoke_alarm}}
nothing_else: [transcript, reply, alert, sound]
"""


def test_topics_of_a_bag_are_held_against_an_expectation(tmp_path, capsys):
    bag = record(tmp_path / 'night')
    (tmp_path / 'night.expect.yaml').write_text(EXPECTED, encoding='utf-8')
    assert main(['replay', str(bag), '--through', 'recorded']) == 0, capsys.readouterr().out
    (tmp_path / 'night.expect.yaml').write_text(EXPECTED.replace('308.0', '310.0'))
    assert main(['replay', str(bag), '--through', 'recorded']) == 1


def test_a_bag_without_topics_is_refused_by_name(tmp_path, capsys):
    bag = Recorder(tmp_path / 'empty')
    bag.write('audio', 'AudioChunk', 0.0, encoding='s16le', sample_rate=16_000, channels=1,
              frames=0)
    bag.writer.close()
    (tmp_path / 'empty.expect.yaml').write_text(EXPECTED, encoding='utf-8')
    assert main(['replay', str(tmp_path / 'empty'), '--through', 'recorded']) == 2
    assert 'in the namespaces: none' in capsys.readouterr().err


def test_a_report_tells_alerts_words_quiet_hours_latency_and_level(tmp_path, capsys):
    bag = record(tmp_path / 'night')
    out = tmp_path / 'out'
    assert main(['report', str(bag), '--out', str(out), '--no-picture']) == 0
    page = (out / 'report.md').read_text(encoding='utf-8')
    assert '| 2023-11-14 22:18:20 | CRITICAL | smoke_alarm | 10 s |' in page
    assert 'A smoke alarm \\| is sounding.' in page
    assert '| smoke_alarm | 1 | 9 |' in page
    assert '- 2023-11-14 22:13:26 → Going. [go]' in page
    assert 'Quiet hours: 1. Hours in which nobody listened: 0.' in page
    assert 'Losses: not recorded' in page
    told = json.loads((out / 'report.json').read_text(encoding='utf-8'))
    assert [hour['words'] for hour in told['hours']] == [2, 0]
    assert told['hours'][0]['loudest_dbfs'] == -20.0
    assert told['latency_s']['p50'] == pytest.approx(0.39, abs=0.01)
    assert '1 alerts, 2 words, 1 quiet hours' in capsys.readouterr().out


def test_a_folder_is_heard_where_no_topics_tell(tmp_path, monkeypatch, capsys):
    folder = tmp_path / 'recordings'
    folder.mkdir()
    for name, seconds in (('a.wav', 2), ('b.wav', 4)):
        soundfile.write(folder / name, np.full(seconds * 16_000, 0.5), 16_000)
    (folder / 'a.expect.yaml').write_text('beside it')
    said = Heard(kind='transcript', start_s=1.0, end_s=1.5, text='hello')
    listener = SimpleNamespace(hear=lambda blocks: [said for _ in list(blocks)][:1])
    monkeypatch.setattr(report.OfflineListener, 'load', lambda *_, **__: listener)
    assert main(['report', str(folder), '--out', str(tmp_path / 'out')]) == 0
    told = json.loads((tmp_path / 'out' / 'report.json').read_text(encoding='utf-8'))
    assert [one['start_s'] for one in told['heard']] == [1.0, 3.0]
    assert told['seconds'] == 6.0 and told['listened_s'] == 6.0
    assert told['hours'][0]['loudest_dbfs'] == pytest.approx(-6.0, abs=0.1)
    assert (tmp_path / 'out' / 'timeline.png').stat().st_size > 1000


def test_recordings_of_known_times_are_laid_where_they_were():
    alarm = Heard(kind='alert', start_s=10.0, end_s=11.0, label='fire', severity=Severity.CRITICAL)
    later, earlier = (Day(name=str(hour), begin_ns=(BEGIN_S + hour * 3600) * 10 ** 9, seconds=60.0,
                          heard=(alarm,), listened={0: 60.0}, drops={'fifo': 1})
                      for hour in (3, 0))
    day = join_days('both', [later, earlier])
    assert [one.start_s for one in day.heard] == [10.0, 10_810.0]
    assert day.drops == {'fifo': 2}
    assert [bool(hour.listened_s) for hour in day.hours] == [True, False, False, True]
    page = '\n'.join(describe_day(day))
    assert page.count('| nobody listened |') == 2 and 'Losses: fifo 2.' in page


def test_recordings_of_a_clock_that_was_not_set_are_laid_one_after_another():
    """No report of decades of quiet hours."""
    days = [Day(name=str(year), begin_ns=year * 366 * 86_400 * 10 ** 9, seconds=60.0, heard=())
            for year in (31, 2)]
    day = join_days('both', days)
    assert (day.begin_ns, day.seconds, len(day.hours)) == (0, 120.0, 1)


def test_what_a_clock_that_was_set_back_puts_before_the_beginning_is_in_an_hour():
    said = Heard(kind='transcript', start_s=-3500.0, end_s=-3499.0, text='hello')
    day = settle(Day(name='bag', begin_ns=BEGIN_S * 10 ** 9, seconds=60.0, heard=(said,),
                     listened={0: 60.0, -59: 60.0}))
    assert (day.begin_ns, day.seconds) == ((BEGIN_S - 3540) * 10 ** 9, 3600.0)
    assert [(hour.words, hour.listened_s) for hour in day.hours] == [(1, 120.0)]


def test_a_recording_whose_clock_was_set_by_decades_is_refused():
    with pytest.raises(AudioFormatError, match='the clock was set on the way; cut it there'):
        settle(Day(name='bag', seconds=1.7e9, heard=()))


@pytest.mark.parametrize('words', [['nowhere'], ['{folder}'], ['{folder}', '--out', '{file}/x']])
def test_what_cannot_be_told_ends_with_2(tmp_path, words, capsys):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'file').write_text('')
    given = [word.format(folder=tmp_path / 'empty', file=tmp_path / 'file') for word in words]
    assert main(['report', *given, '--no-picture']) == 2
    assert 'expected' in capsys.readouterr().err
