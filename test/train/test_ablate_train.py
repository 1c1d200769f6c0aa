"""Units of the ablation: what they train, how they go on, and what is counted at the end."""

import json
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('accelerate')
pytest.importorskip('tensorboard')
pytest.importorskip('matplotlib')
pytest.importorskip('num2words')

import torch

from audio_interaction_ros.errors import CheckpointError
from train.__main__ import main
from train.ablate import schedule
from train.ablate.arms import ARMS, FULL
from train.ablate.corpus import held_out_of, streams_of
from train.ablate.figures import always_silent, figures_of
from train.ablate.report import say_table
from train.ablate.score import LaneCounts, count_events, count_reviews
from train.ablate.unit import Unit, advance, make_recipe, read_counts
from train.demo import command as demo_command
from train.demo.sounds import make_plans
from train.records import Clip, Event, Reply, Stream, to_dict
from train.speech import command as speech_command
from train.trainer.batch import collate
from train.trainer.command_fit import read_samples
from train.trainer.draws import draw_order
from train.trainer.model import Trainee
from train.trainer.starting_model import prepare
from train.trainer.tone_streams import write_streams

pytestmark = pytest.mark.torch

SMALL = ('run.steps=4', 'run.batch=2', 'run.save_every=2', 'data.max_chunks=6')


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_run(tmp_path):
    """Make the folder of a run whose streams are tones."""
    def make(name):
        for seed, corpus in enumerate(('full', held_out_of(0.4))):
            write_streams((tmp_path / name / streams_of(corpus)).parent, 3, chunks=6, seed=seed)
        return tmp_path / name
    return make


def differences(arm):
    def flat(values, prefix=''):
        return {key: value for name, item in values.items() for key, value in (
            flat(item, f'{prefix}{name}.').items() if isinstance(item, dict) and item
            else [(prefix + name, item)])}
    whole, other = (flat(to_dict(make_recipe(Unit(run=None, arm=one, seed=1))[0]))
                    for one in (FULL, arm))
    return {key: other[key] for key in whole if other[key] != whole[key]}


@pytest.mark.parametrize('arm', [arm for arm in ARMS.values() if arm is not FULL],
                         ids=lambda arm: arm.name)
def test_an_arm_changes_its_streams_or_its_lambda_and_nothing_else(arm):
    if arm.loss_weight is not None:
        expected = {'loss.control': arm.loss_weight}
    else:
        expected = {'data.streams': (streams_of(arm.name),)}
    if (seconds := arm.corpus.chunk_s) != 0.4:
        expected |= {'model.chunk_s': seconds, 'data.max_chunks': round(24 / seconds),
                     'data.evaluation': (streams_of(held_out_of(seconds)),)}
    assert differences(arm) == expected


def test_lambda_weighs_the_decisions_alone_from_the_same_weights(make_run):
    run, sums, orders = make_run('loss'), {}, {}
    for name in ('full', 'lambda-4'):
        recipe, path = make_recipe(Unit(run=run, arm=ARMS[name], seed=7, changes=SMALL))
        start = prepare(recipe, path)
        samples, _ = read_samples(recipe, start, run)
        trainee = Trainee(start.config, start.tower, start.decoder, recipe)
        batch = collate([samples[number] for number in range(3)], start.config.token_ids.pad)
        sums[name] = trainee(batch).tolist()
        orders[name] = draw_order(samples.items, samples.data, recipe.run.seed, 0).tolist()
    assert sums['lambda-4'][0] == sums['full'][0]
    assert sums['lambda-4'][1] == pytest.approx(4 * sums['full'][1])
    assert orders['lambda-4'] == orders['full']


def bytes_of(unit):
    return {str(path.relative_to(unit.folder)): path.read_bytes()
            for path in (unit.folder / 'counts.jsonl', *(unit.folder / 'model').iterdir())}


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(make_run):
    units = [Unit(run=make_run('whole'), arm=FULL, seed=0, cpu=True,
                  changes=(*SMALL, 'run.save_every=4')),
             Unit(run=make_run('stopped'), arm=FULL, seed=0, cpu=True, changes=SMALL)]
    assert schedule.train_units(units[:1], workers=0, minutes=None) == 1
    clock = iter([0.0, 0.0, 61.0])
    assert schedule.train_units(units[1:], workers=0, minutes=1, now=lambda: next(clock)) == 0
    assert read_counts(units[1]) is None
    assert schedule.train_units(units[1:], workers=0, minutes=None) == 1
    assert bytes_of(units[0]) == bytes_of(units[1])
    assert advance(units[1]) == 4  # done: nothing happens
    with pytest.raises(CheckpointError, match='optimizer.lr'):
        read_counts(Unit(run=units[1].run, arm=FULL, seed=0,
                         changes=(*SMALL, 'optimizer.lr=1e-3')))


def test_a_process_that_died_is_told_of_with_what_to_do(tmp_path):
    future = Future()
    future.set_exception(BrokenProcessPool('gone'))
    with pytest.raises(schedule.UnitError, match='full recipe, seed 2: .* same command again'):
        schedule._take(future, Unit(run=tmp_path, arm=FULL, seed=2))


def an_event(start_s, end_s, role='foreground'):
    return Event(clip=Clip(id='x', path='', seconds=end_s - start_s), role=role, start_s=start_s,
                 end_s=end_s)


STREAM = Stream(id='s', ability='proactive', task='t', seed=0, path='', chunks=12, events=(
    an_event(0.5, 1.0),               # 0: ends in chunk 2, is answered there
    an_event(2.5, 3.0),               # 1: chunks 6 and 7, nothing is due
    an_event(3.9, 4.3),               # 2: ends in chunk 10, is answered there
    an_event(0.0, 4.8, 'ambient')))   # spans the stream: no event
REPLIES = (Reply(chunk=2, text='a', event=0), Reply(chunk=10, text='b', event=2))


@pytest.mark.parametrize(('spoke', 'right'), [
    ((2, 10), 3), ((3, 9), 3), ((), 1), ((4, 10), 2), ((2, 6, 10), 2), ((2, 8, 10), 2),
    ((2, 5, 10), 3), (range(12), 2)])
def test_events_are_counted_as_by_hand(spoke, right):
    given = np.isin(np.arange(12), list(spoke))
    assert count_events(STREAM, REPLIES, 0, given) == (3, right, 2)


def test_a_reply_may_come_as_early_and_late_in_smaller_chunks():
    stream = replace(STREAM, chunks=24, chunk_s=0.2)
    replies = (Reply(chunk=5, text='a', event=0), Reply(chunk=21, text='b', event=2))
    for spoke, right in (((5, 21), 3), ((3, 23), 3), ((2, 21), 2), ((5, 14, 21), 2)):
        given = np.isin(np.arange(24), spoke)
        assert count_events(stream, replies, 0, given) == (3, right, 2)


def test_a_sample_counts_the_events_that_end_in_it():
    assert count_events(STREAM, REPLIES[1:], 6, np.isin(np.arange(6), [4])) == (2, 2, 1)


def test_answers_about_earlier_turns_are_counted_apart():
    replies = (*REPLIES, Reply(chunk=11, text='c', review_of=0))
    right = np.array([1, 1, 0, 0, 0, 1, 1, 0, 1], bool)
    assert count_reviews(replies, [3, 2, 4], right) == (4, 3)
    assert count_reviews((), [], np.zeros(0, bool)) == (0, 0)


def rows(right, spoken):
    """Two streams of four events of which one is due, and a transcript of ten ids."""
    return [LaneCounts(stream=name, lane='assistant', first=0, events=4, events_right=right,
                       events_due=1, respond_due=2, respond_right=spoken, silence_due=8,
                       silence_right=8 - spoken, text=5, text_right=1) for name in 'ab'] + [
        LaneCounts(stream='a', lane='transcript', first=0, respond_due=9, text=10,
                   text_right=8)]


def test_figures_are_those_of_a_hand_count():
    counts = {'full': {0: rows(3, 2), 1: rows(3, 2)}, 'lambda-2': {0: rows(2, 1)}}
    figures = figures_of(counts)
    whole = {name: estimate.value for name, estimate in figures['full']['figures'].items()}
    assert whole['trigger accuracy'] == 6 / 8
    assert whole['balanced accuracy'] == pytest.approx((2 / 2 + 6 / 8) / 2)
    assert whole['text accuracy'] == pytest.approx((1 + 1 + 8) / 20)
    assert np.isnan(whole['answers about earlier turns'])
    less = figures['lambda-2']['differences']
    assert less['trigger accuracy'].value == pytest.approx(-0.25)
    assert figures['lambda-2']['seeds'] == [0] and figures['full']['differences'] == {}
    silent = always_silent(counts['full'][0])
    assert silent['trigger accuracy'] == 6 / 8
    table = say_table(figures, silent)
    assert '| λ = 2 | 1 | **-0.25 [-0.25, -0.25]** |' in table
    assert '| never speaks | – | 0.75 | 0.50 | – |' in table


class Beeper:
    """Speech without an engine: a tone as long as the text."""

    name, licence, licence_group = 'beeper', 'CC0-1.0', 'free'

    def voices(self, language):
        return ('low', 'high') if language == 'en' else ()

    def speak(self, text, voice, *, language, rng):
        time = np.arange(int(0.03 * len(text) * 16_000)) / 16_000
        return (0.4 * np.sin(2 * np.pi * 250 * time)).astype(np.float32), 16_000


SOUNDS = ('room_tone', 'door_knock', 'clock_tick', 'smoke_alarm_t3')
"""Few, to save time: scripts that ask for others are left out."""


def test_the_command_builds_trains_measures_and_goes_on(tmp_path, monkeypatch, capsys):
    for module in (demo_command, speech_command):
        monkeypatch.setattr(module, 'make_engines', lambda _: {'beeper': Beeper()})
    monkeypatch.setattr(demo_command, 'make_plans', lambda seed: [
        plan for plan in make_plans(seed) if plan.name in SOUNDS])
    command = ['ablate', '--smoke', '--cpu', '--out', str(tmp_path), '--arms', 'chunk-0.8']
    assert main([*command, '--minutes', '0']) == 0
    assert '0 of 2 trainings are done; run the same command again' in capsys.readouterr().out
    assert main(command) == 0
    assert '2 of 2 trainings are done' in capsys.readouterr().out
    assert main([*command, '--minutes', '0']) == 0
    assert '2 of 2 trainings are done' in capsys.readouterr().out
    document = json.loads((tmp_path / 'ablate.json').read_text(encoding='utf-8'))
    assert set(document['figures']['arms']) == {'full', 'chunk-0.8'}
    assert document['figures']['arms']['chunk-0.8']['differences'].keys()
    for name in ('ablate.md', 'arms.png', 'chunks.png'):
        assert (tmp_path / name).stat().st_size > 100
