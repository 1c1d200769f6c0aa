"""A study of recordings and their synthetic twins, on made-up sounds and a scripted model."""

import argparse
import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.config import AssistantConfig, LaneConfig
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.replay.expectation import FORMAT, Expectation, Expected
from audio_interaction_ros.replay.heard import Heard
from eval import field
from eval.field_study.figures import compare, judge, score
from eval.field_study.listening import StudyHearing, StudyListener
from eval.field_study.matched import TwinMaker
from eval.field_study.study import Recording, read_study
from held_out.clips import MaterialError, join_blocks, read_held_out, root_mean_square

pytestmark = pytest.mark.unit

RATE = 16_000
LANES = (LaneConfig(name='assistant', alerts=True, threshold=0.5),)


def labels(*expected, **more):
    return Expectation(format=FORMAT, expect=expected, **more)


def alarm(at, **more):
    return Expected(kind='alert', at=at, label='smoke_alarm', **more)


def recording(seconds=30.0, *expected, name='S4-01', samples=None):
    samples = np.zeros(round(seconds * RATE), np.float32) if samples is None else samples
    return Recording(name, name[:2], samples, labels(*expected, nothing_else=('alert',)))


def hearing(seconds, *told, decisions=()):
    """Return a hearing of (when it was told, kind, start, label or text)."""
    heard = [(when, Heard(kind=kind, start_s=start, end_s=start + 0.5, severity=None,
                          **{'label' if kind == 'alert' else 'text': what}))
             for when, kind, start, what in told]
    return StudyHearing(seconds=seconds, heard=[one for _, one in heard], told=heard,
                        decisions=list(decisions))


def test_events_and_quiet_stretches_are_counted_as_by_hand():
    found = judge(
        recording(40.0, alarm(2.0), alarm(12.0), alarm(17.0)),
        hearing(40.0, (2.9, 'alert', 2.2, 'smoke_alarm'), (12.6, 'alert', 12.1, 'dog'),
                (33.0, 'alert', 32.5, 'dog'),
                decisions=[(0.4, False), (0.8, True), (2.4, False)]))
    assert found.triggered == (True, True, False) and found.right == (True, False, False)
    assert found.latency_s[:2] == pytest.approx((0.9, 0.6)) and np.isnan(found.latency_s[2])
    assert found.quiet == (True, False)  # 20 to 30 s, and 30 to 40 s with a dog
    assert found.too_much == 1
    assert found.silence[:2].tolist() == [0.5, 1.0] and np.isnan(found.silence[2:]).all()
    figures = score([found])
    assert figures['trigger accuracy'].value == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert figures['events triggered'].value == pytest.approx(2 / 3)
    assert figures['and as labelled'].value == pytest.approx(1 / 3)
    assert figures['too much per hour'].value == pytest.approx(90)


def test_words_count_from_their_end_and_anything_said_then_is_a_trigger():
    said = Expected(kind='transcript', at=1.0, until=3.0, text='open the door')
    found = judge(recording(10.0, said), hearing(10.0, (3.8, 'transcript', 1.2, 'open a store')))
    assert found.triggered == (True,) and found.right == (False,)
    assert found.latency_s == pytest.approx((0.8,))


def outcomes(late, busy):
    decisions = [(0.4 * step, step in busy) for step in range(1, 50)]
    return judge(recording(20.0, alarm(2.0)), hearing(
        20.0, (2.0 + late, 'alert', 2.0, 'smoke_alarm'), decisions=decisions))


def test_twins_are_compared_event_by_event_and_bin_by_bin():
    real = [outcomes(1.2, {6, 7, 30}), outcomes(0.8, {6, 20})]
    found = compare(real, [outcomes(0.7, {6, 7, 30}), outcomes(0.7, {6, 20})])
    assert found['latency, s'].value == pytest.approx(0.3)
    assert found['correlation of silence rates'].value == pytest.approx(1.0)
    assert found['trigger accuracy'].value == 0
    other = compare(real, [outcomes(0.7, {40}), outcomes(0.7, {40})])
    assert other['correlation of silence rates'].value < 0.5


def test_a_twin_has_the_same_events_at_the_same_times_and_levels(tmp_path, parts):
    clips = read_held_out(parts.small_folder(tmp_path / 'data'))
    samples = parts.hiss(30.0, 0.002)
    samples[2 * RATE:3 * RATE] += parts.tone(1.0, 700, 0.05)
    said = Expected(kind='transcript', at=20.0, until=21.0, text='stop')
    answer, unasked = (Expected(kind='reply', at=at, intent='stop') for at in (21.0, 28.0))
    real = recording(30.0, alarm(2.0), Expected(kind='alert', at=9.0, label='siren'), said,
                     answer, unasked, samples=samples)
    twin = TwinMaker(clips, lambda text: parts.tone(0.5, 300)).make(real)
    assert [one.label for one in twin.left_out] == ['siren', '']  # no such clip, and no words
    assert twin.real.labels == twin.synthetic.labels
    assert twin.real.labels.expect == (alarm(2.0), said, answer)
    mixed = twin.synthetic.samples
    assert len(mixed) == len(samples)

    def level(begin, end):
        return root_mean_square(mixed[round(begin * RATE):round(end * RATE)])
    assert level(2.1, 2.9) == pytest.approx(root_mean_square(samples[2 * RATE:3 * RATE]), rel=0.3)
    assert level(10, 12) == pytest.approx(0.002, rel=0.3)
    # Words end where they end; what was due was as soft as the room.
    assert level(20.55, 20.95) == pytest.approx(0.0028, rel=0.4)
    assert level(20.05, 20.45) == pytest.approx(0.002, rel=0.2)


@pytest.fixture
def study(tmp_path, parts):
    """Write four scenes; the second alarm of the last is too soft to be heard there."""
    for scene, at in (('S1', ()), ('S2', (4,)), ('S3', (7,)), ('S4', (2, 8))):
        samples = parts.hiss(12.0, 1e-3)
        for number, begin in enumerate(at):
            samples[begin * RATE:(begin + 1) * RATE] += parts.tone(
                1.0, 1000, 0.3 if not number else 1e-4)
        soundfile.write(tmp_path / f'{scene}-01.wav', samples, RATE)
        due = ''.join(f'- {{kind: alert, at: {begin}, label: smoke_alarm}}\n'
                      f'- {{kind: reply, at: {begin + 0.8}, optional: true}}\n' for begin in at)
        (tmp_path / f'{scene}-01.expect.yaml').write_text(
            f'format: {FORMAT}\nwithin_s: 2\nnothing_else: [alert]\n'
            + (f'expect:\n{due}' if due else ''))
    return tmp_path


def make_listener(parts, cache, heard):
    runtime = parts.loud_runtime()

    def make():
        heard.append(1)
        runtime.encoder.reset()
        return Assistant(config=AssistantConfig(lanes=LANES), encoder=runtime.encoder,
                         decoder=runtime.decoder, tokenizer=runtime.tokenizer)
    return StudyListener(make, {'assistant': 'reply'}, cache=cache, variant='loud')


def test_the_command_compares_four_scenes_and_goes_on(study, tmp_path, parts, monkeypatch,
                                                      capsys):
    data = parts.small_folder(tmp_path / 'data')
    monkeypatch.setattr(field, 'load_voice', lambda _: SimpleNamespace())
    parser = argparse.ArgumentParser()
    field.add_arguments(parser)
    out = tmp_path / 'out'
    options = parser.parse_args([str(study), '--data', str(data), '--out', str(out)])
    heard = []
    for _ in range(2):
        assert field.run(options, make_listener(parts, out / 'heard.jsonl', heard)) == 0
    assert len(heard) == 8  # four recordings and their twins, once
    figures = json.loads((out / 'field.json').read_text())['figures']
    assert list(figures) == ['all', 'S1', 'S2', 'S3', 'S4', 'left out']
    for split in ('real', 'synthetic'):
        assert figures['all'][split]['events triggered']['value'] == pytest.approx(3 / 4)
        assert figures['S2'][split]['trigger accuracy']['value'] == 1.0
    assert figures['S4']['real']['latency, s']['p50'] <= 1.0
    assert (out / 'field.png').is_file() and (out / 'synthetic' / 'S4-01.flac').is_file()
    assert 'real less synthetic' in capsys.readouterr().out


def test_twins_of_ones_own_must_be_complete(study, tmp_path):
    parser = argparse.ArgumentParser()
    field.add_arguments(parser)
    mine = tmp_path / 'mine'
    mine.mkdir()
    for name in ('S1-01.wav', 'S1-01.expect.yaml'):
        (study / name).rename(mine / name)
    options = parser.parse_args([str(study), '--synthetic', str(mine), '--out',
                                 str(tmp_path / 'out')])
    with pytest.raises(MaterialError, match=r'of S2-01, S3-01, S4-01'):
        field.run(options)


def test_a_recording_without_labels_is_refused(tmp_path, parts):
    soundfile.write(tmp_path / 'S1-01.wav', parts.hiss(1.0), RATE)
    (tmp_path / 'S1-01.expect.yaml').write_text(
        f'format: {FORMAT}\nexpect:\n- {{kind: alert, label: dog}}\n')
    with pytest.raises(MaterialError, match='expected labels of what is due'):
        read_study(tmp_path)


def test_what_a_bag_misses_is_silence_so_that_times_stay_true(tmp_path):
    loud = np.full(1600, 0.5, np.float32)
    blocks = [AudioBlock(samples=loud, sample_rate_hz=RATE, stamp_ns=ns + 5)
              for ns in (0, 100_000_000, 500_000_000)]
    samples = join_blocks(blocks, tmp_path)
    assert len(samples) == 9600
    assert samples[3200:8000].max() == 0 and samples[8000:].min() == 0.5
