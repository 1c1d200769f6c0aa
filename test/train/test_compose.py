"""Composition: levels, positions, gaps, what lanes say, refusal of bad clips and plans."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip('scipy')

from train.compose import (
    Answer,
    ClipError,
    LanePlan,
    Mix,
    Plan,
    PlanError,
    audio,
    compose,
    make_layers,
)
from train.compose.lanes import CRITICAL, PROMPTS, Rules, pair_phrases, word_ends
from train.records import Clip, from_dict, to_dict
from train.responses import RulesJudge

pytestmark = pytest.mark.unit

RATE = 16_000
DRY = Mix(room_probability=0.0, device_probability=0.0, output_db=(-3.0, -3.0))


def write(folder: Path, name: str, samples: np.ndarray, rate: int = RATE, **fields) -> Clip:
    soundfile.write(folder / f'{name}.wav', samples, rate, subtype='FLOAT')
    return Clip(id=name, path=f'{name}.wav', seconds=len(samples) / rate, **fields)


def tone(seconds: float, hertz: float = 440.0, rate: int = RATE) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


@pytest.fixture
def clips(tmp_path: Path) -> dict[str, Clip]:
    rng = np.random.default_rng(1)
    words = np.concatenate([tone(0.5), np.zeros(8000, np.float32), tone(0.5)])
    return {
        'speech': write(tmp_path, 'speech', words, text='Where are, my keys?',
                        translation='我的钥匙，在哪里？', language='en'),
        'alarm': write(tmp_path, 'alarm', tone(1.0, 3100), label='smoke_alarm'),
        'bell': write(tmp_path, 'bell', tone(0.7, 800), label='doorbell'),
        'hiss': write(tmp_path, 'hiss', rng.standard_normal(20_000).astype(np.float32) * 0.1),
        'hum': write(tmp_path, 'hum', tone(0.9, 100)),
    }


def plan_of(clips: dict[str, Clip], **fields) -> Plan:
    values = {
        'id': 'p1', 'ability': 'voice_chat', 'task': 'small_talk', 'seed': 5,
        'foreground': (clips['speech'], clips['bell'], clips['alarm']),
        'noise': (clips['hiss'], clips['hum']), 'room': (clips['hiss'],),
        'lanes': {
            'transcript': LanePlan(prompt=PROMPTS['transcript'], kind='words'),
            'translation': LanePlan(prompt=PROMPTS['translation'], kind='phrases'),
            'assistant': LanePlan(prompt=PROMPTS['assistant'], kind='answers', answers=(
                Answer(event=0, text='On the table.'),))}}
    return Plan(**{**values, **fields})


def test_snr_of_both_noise_tracks_lies_in_the_ranges_of_the_paper(tmp_path, clips):
    first, second = [], []
    for seed in range(12):
        built = make_layers(plan_of(clips, seed=seed), root=tmp_path, mix=DRY)
        signal = np.mean(np.concatenate(built.heard) ** 2)
        first.append(10 * np.log10(signal / np.mean(built.tracks['noise_event'] ** 2)))
        second.append(10 * np.log10(signal / np.mean(built.tracks['noise_ambient'] ** 2)))
    assert 5 <= min(first) and max(first) <= 20 and max(first) - min(first) > 3
    assert 10 <= min(second) and max(second) <= 25 and max(second) - min(second) > 3


def test_foreground_is_in_order_apart_and_faded(tmp_path, clips):
    built = make_layers(plan_of(clips), root=tmp_path, mix=DRY)
    events = built.events[:3]
    assert [event.clip.id for event in events] == ['speech', 'bell', 'alarm']
    ends = [0.0, *[event.end_s for event in events]]
    for end, event in zip(ends, events, strict=False):
        assert 0.8 - 1e-3 <= event.start_s - end <= 2.4
    for event, samples in zip(events, built.heard, strict=False):
        start = round(event.start_s * RATE)
        assert np.array_equal(built.tracks['foreground'][start:start + len(samples)], samples)
        assert samples[0] == samples[-1] == 0.0  # 20 ms fades, half height after 10 ms
    original = audio.read_clip(clips['bell'], tmp_path)
    gain = audio.amplitude_factor(events[1].gain_db)
    placed = built.heard[1]
    assert np.allclose(placed[320:-320], original[320:-320] * gain, atol=1e-4)
    assert np.abs(placed[150:170]).max() == pytest.approx(
        np.abs(original[150:170]).max() * gain * 0.5, rel=0.15)


def test_stream_has_whole_chunks_and_gains_that_rebuild_it(tmp_path, clips):
    plan = plan_of(clips, noise=(), room=())
    mix = replace(DRY, gap_kinds={'zero': 1.0})
    samples, stream = compose(plan, root=tmp_path, mix=mix)
    assert len(samples) == stream.chunks * 6400 and samples.dtype == np.float32
    assert np.abs(samples).max() == pytest.approx(0.9 * audio.amplitude_factor(-3.0), rel=1e-3)
    event = stream.events[2]
    middle = slice(round(event.start_s * RATE) + 400, round(event.end_s * RATE) - 400)
    original = audio.read_clip(clips['alarm'], tmp_path)[400:-400]
    assert np.allclose(samples[middle], original * audio.amplitude_factor(event.gain_db),
                       atol=2e-3)
    assert from_dict(type(stream), to_dict(stream)) == stream


def test_zero_gaps_are_digital_zero_even_after_the_device(tmp_path, clips):
    mix = Mix(gap_kinds={'zero': 1.0}, device_probability=1.0)
    samples, stream = compose(plan_of(clips), root=tmp_path, mix=mix)
    end, start = stream.events[0].end_s, stream.events[1].start_s
    inside = samples[int((end + 0.03) * RATE):int((start - 0.03) * RATE)]
    assert len(inside) > 8000 and not inside.any()
    assert samples[int(stream.events[0].start_s * RATE):][:4000].any()


def test_gap_kinds_come_in_the_asked_shares(tmp_path, clips):
    kinds = [kind for seed in range(60) for kind in make_layers(
        plan_of(clips, seed=seed), root=tmp_path, mix=DRY).gap_kinds]
    shares = {kind: kinds.count(kind) / len(kinds) for kind in ('room', 'zero', 'floor')}
    assert shares == {kind: pytest.approx(share, abs=0.09) for kind, share in (
        ('room', 0.45), ('zero', 0.30), ('floor', 0.25))}


def test_room_gap_lies_18_to_30_db_under_the_foreground(tmp_path, clips):
    mix = replace(DRY, gap_kinds={'room': 1.0}, foreground_db=(0.0, 0.0))
    built = make_layers(plan_of(clips, noise=()), root=tmp_path, mix=mix)
    span = built.tracks['gaps'][:int(built.events[0].start_s * RATE)]
    below = mix.level_dbfs - audio.active_db(span[400:-400])
    assert 17.5 <= below <= 30.5


def test_a_gate_stays_open_where_something_goes_on(tmp_path, clips):
    mix = replace(DRY, gap_kinds={'zero': 1.0})
    built = make_layers(plan_of(clips, ambient=(clips['hum'],)), root=tmp_path, mix=mix)
    assert built.zeros == [] and set(built.gap_kinds) == {'room'}


def test_background_and_ambient_get_the_gains_of_their_role(tmp_path, clips):
    gains = {'background': set(), 'ambient': set()}
    for seed in range(25):
        plan = plan_of(clips, seed=seed, background=(clips['bell'],), ambient=(clips['hum'],))
        built = make_layers(plan, root=tmp_path, mix=DRY)
        for event in built.events:
            if event.role in gains:
                track = built.tracks[event.role]
                heard = track[int(event.start_s * RATE):int(event.end_s * RATE)]
                gains[event.role].add(round(audio.active_db(heard) - DRY.level_dbfs))
        assert built.events[4].start_s == 0.0
        assert built.events[4].end_s == pytest.approx(len(built.tracks['ambient']) / RATE)
    assert gains == {'background': {0, -6, -12}, 'ambient': {-6, -12}}


def test_same_seed_same_samples_and_another_seed_others(tmp_path, clips):
    plan = plan_of(clips, background=(clips['bell'],))
    first, second = compose(plan, root=tmp_path), compose(plan, root=tmp_path)
    assert np.array_equal(first[0], second[0]) and first[1] == second[1]
    other, _ = compose(replace(plan, seed=6), root=tmp_path)
    assert len(other) != len(first[0]) or not np.array_equal(other, first[0])


def test_tile_repeats_without_a_seam(tmp_path):
    samples = tone(0.5, 333.0)
    tiled, _ = audio.tile(samples, 5 * RATE, np.random.default_rng(0))
    assert len(tiled) == 5 * RATE
    assert np.abs(np.diff(tiled)).max() < 1.6 * np.abs(np.diff(samples)).max()


def test_lanes_answer_after_the_event_and_alarms_unasked(tmp_path, clips):
    _, stream = compose(plan_of(clips), root=tmp_path, mix=DRY)
    speech, _, alarm = stream.events[:3]
    answer, alert = stream.lanes['assistant'].replies
    assert (answer.text, answer.event, alert.event) == ('On the table.', 0, 2)
    assert answer.chunk * 0.4 <= speech.end_s + 0.04 and (answer.chunk + 1) * 0.4 > speech.end_s
    assert alert.emotion == 'urgent' and (alert.chunk + 1) * 0.4 > alarm.end_s
    transcript = stream.lanes['transcript'].replies
    assert ' '.join(reply.text for reply in transcript) == 'Where are, my keys?'
    assert len(transcript) > 1 and transcript[0].chunk < transcript[-1].chunk
    translation = stream.lanes['translation'].replies
    assert [reply.text for reply in translation] == ['我的钥匙，', '在哪里？']
    assert translation[0].chunk < translation[1].chunk == answer.chunk


def test_history_review_points_at_the_earlier_reply(tmp_path, clips):
    answers = tuple(Answer(event=index, text=f'answer {index}',
                           review_of=0 if index == 3 else None) for index in range(4))
    plan = plan_of(clips, foreground=(clips['speech'],) * 4, lanes={
        'assistant': LanePlan(prompt='x', kind='answers', answers=answers)})
    _, stream = compose(plan, root=tmp_path, mix=DRY)
    replies = stream.lanes['assistant'].replies
    assert [reply.review_of for reply in replies] == [None, None, None, 0]


def test_words_end_where_they_are_voiced():
    samples = np.concatenate([tone(1.0), np.zeros(16_000, np.float32), tone(1.0)])
    ends = word_ends(['four', 'five'], samples, 10.0)
    assert ends[0] == pytest.approx(11.0, abs=0.05) and ends[1] == pytest.approx(13.0, abs=0.05)


def test_phrases_pair_only_when_as_many():
    assert pair_phrases('Yes, I know.', '是的，我知道。') == [
        ('Yes,', '是的，'), ('I know.', '我知道。')]
    assert pair_phrases('Yes, I know.', '我知道。') == [('Yes, I know.', '我知道。')]


@pytest.mark.parametrize('change, says', [
    ({'foreground': ()}, 'got 0'), ({'ability': 'juggling'}, 'ability'),
    ({'gap_s': (2.0, 1.0)}, 'gap_s'),
    ({'lanes': {'x': LanePlan(prompt='', kind='songs')}}, 'kind'),
    ({'lanes': {'x': LanePlan(prompt='', kind='answers', answers=(Answer(event=7, text='.'),))}},
     'not there')])
def test_a_plan_that_cannot_be_is_refused(tmp_path, clips, change, says):
    with pytest.raises(PlanError, match=says):
        compose(plan_of(clips, **change), root=tmp_path)


def test_a_plan_with_40_events_and_one_too_long_are_refused(tmp_path, clips):
    with pytest.raises(PlanError, match='got 40'):
        compose(plan_of(clips, foreground=(clips['bell'],) * 40), root=tmp_path)
    with pytest.raises(PlanError, match='at most 5 s'):
        compose(plan_of(clips), root=tmp_path, mix=Mix(longest_s=5.0))


def test_bad_clips_are_refused_by_name(tmp_path, clips):
    def refused(clip: Clip, says: str) -> None:
        with pytest.raises(ClipError, match=says):
            audio.read_clip(clip, tmp_path)
    refused(replace(clips['bell'], path='gone.wav'), 'cannot read')
    refused(replace(clips['bell'], seconds=2.1), 'the record says')  # a rate taken for another
    (tmp_path / 'text.wav').write_text('no audio')
    refused(replace(clips['bell'], path='text.wav'), 'cannot read')
    refused(write(tmp_path, 'empty', np.zeros(0, np.float32)), 'at least')
    refused(write(tmp_path, 'zeros', np.zeros(9000, np.float32)), 'silent')
    refused(write(tmp_path, 'nan', np.full(9000, np.nan, np.float32)), 'not finite')


def test_another_rate_is_resampled(tmp_path):
    clip = write(tmp_path, 'high', tone(1.0, rate=48_000), 48_000)
    samples = audio.read_clip(clip, tmp_path)
    assert len(samples) == RATE and audio.active_db(samples) == pytest.approx(
        audio.active_db(tone(1.0)), abs=0.1)


def test_the_noise_of_a_gap_goes_on_under_the_event_after_it(tmp_path, clips):
    mix = replace(DRY, gap_kinds={'floor': 1.0})
    built = make_layers(plan_of(clips, noise=()), root=tmp_path, mix=mix)
    for event in built.events[:3]:
        middle = int((event.start_s + event.end_s) / 2 * RATE)
        assert built.tracks['gaps'][middle - 800:middle + 800].all()


def test_what_is_alerted_to_is_what_the_rules_call_for():
    judge = RulesJudge()
    for label in CRITICAL:
        assert judge.judge(Clip(id='x', path='x', seconds=1.0, label=label)).label == 'respond'


def test_a_least_delay_moves_answers_and_a_latest_time_moves_alerts(tmp_path, clips):
    plan = plan_of(clips)
    _, stream = compose(plan, root=tmp_path, mix=DRY)
    rules = Rules(least_delay_s=0.4, alert_latest_s=0.1)
    _, moved = compose(plan, root=tmp_path, mix=replace(DRY, rules=rules))
    answer, alert = (reply.chunk for reply in stream.lanes['assistant'].replies)
    later, sooner = (reply.chunk for reply in moved.lanes['assistant'].replies)
    assert later == answer + 1 and sooner < alert


def test_a_clip_may_be_a_part_of_a_file_at_another_pace(tmp_path):
    ramp = np.linspace(0.1, 0.9, 4 * RATE, dtype=np.float32)
    soundfile.write(tmp_path / 'ramp.wav', ramp, RATE, subtype='FLOAT')
    part = Clip(id='ramp', path='ramp.wav', seconds=1.0, offset_s=2.0, pace=1.25, file_s=4.0)
    samples = audio.read_clip(part, tmp_path)
    assert abs(len(samples) - RATE) <= 1
    for time in (0.0, 0.5, 0.9):
        there = ramp[round((2.0 + 1.25 * time) * RATE)]
        assert samples[round(time * RATE)] == pytest.approx(there, abs=1e-4)
    with pytest.raises(audio.ClipError, match='nothing is heard'):
        audio.read_clip(replace(part, offset_s=4.0), tmp_path)
    with pytest.raises(audio.ClipError, match='the record says 9.00 s'):
        audio.read_clip(replace(part, file_s=9.0), tmp_path)


def test_what_is_repeated_says_from_where_in_its_file_and_how_far_below(tmp_path, clips):
    for seed in range(4):
        plan = plan_of(clips, seed=seed, noise=(), ambient=(clips['hum'],))
        built = make_layers(plan, root=tmp_path, mix=DRY)
        bed = built.events[3]
        assert bed.below_db in (6.0, 12.0) and bed.clip.file_s == clips['hum'].seconds
        assert 0.0 <= bed.clip.offset_s < bed.clip.file_s
        whole = audio.read_clip(clips['hum'], tmp_path)
        at = round(bed.clip.offset_s * RATE) + 2_000
        if at < len(whole) - 4_000:  # before any seam
            heard = built.tracks['ambient'][2_000] / audio.amplitude_factor(bed.gain_db)
            assert heard == pytest.approx(whole[at], abs=1e-3)


def test_a_lane_that_is_told_says_just_that(tmp_path, clips):
    told = LanePlan(prompt='x', kind='told', answers=(Answer(event=0, text='Said.'),))
    _, stream = compose(plan_of(clips, lanes={
        'told': told, 'answers': replace(told, kind='answers')}), root=tmp_path, mix=DRY)
    assert [reply.text for reply in stream.lanes['told'].replies] == ['Said.']
    assert len(stream.lanes['answers'].replies) == 2  # and what the alarm calls for
