"""The recipe of the edge model: its numbers, targets, sessions, splits and measures."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from audio_interaction_ros.errors import ConfigurationError
from held_out.pairs import Pair
from held_out.phrasebook import Phrasebook
from held_out.splits import is_validation
from train.edge.layout import IDS, PROMPTS
from train.edge.recipe import read_edge_recipe, scale_recipe
from train.edge.sound import average_precision
from train.edge.sound_targets import make_targets
from train.edge.stage_a import WIDTH, Speller, decode_greedily, events_to_spell
from train.edge.synthesise import trim
from train.edge.training_sessions import (
    MissingScenesError,
    SessionMixture,
    crop_event,
    lay_out_spans,
)
from train.records import Clip, Event, Lane, Reply, Stream
from train.tokens import IGNORE
from train.trainer.data import SampleSpan
from train.trainer.recipe import dump_recipe

pytestmark = pytest.mark.torch

def test_the_shipped_recipe_says_of_every_lane_what_it_hears():
    recipe = read_edge_recipe()
    assert recipe.sound_feature == 'strength'
    assert set(recipe.lanes) == set(PROMPTS)
    assert sum(lane.share for lane in recipe.lanes.values()) == pytest.approx(1.0)
    for lane in recipe.lanes.values():
        assert sum(lane.hears.values()) == pytest.approx(1.0)
    assert recipe.mix.rules.critical['siren'] == ('I hear a siren.', 'urgent')


def test_who_learns_on_hears_what_a_new_model_hears():
    whole, more = read_edge_recipe(), read_edge_recipe('edge_continue')
    assert (more.mix, more.lanes, more.sound_feature) == (whole.mix, whole.lanes, 'strength')
    assert more.replies.rates == whole.replies.rates
    assert more.replies.rate < whole.replies.rate


def test_a_recipe_is_written_and_read_equal_and_scaled(tmp_path):
    recipe = read_edge_recipe('edge', ('replies.forgotten=0.2', 'scenes.alert.train=7'))
    assert (recipe.replies.forgotten, recipe.scenes['alert'].train) == (0.2, 7)
    small = scale_recipe(recipe, 0.01)
    dump_recipe(small, tmp_path / 'recipe.yaml')
    assert read_edge_recipe(tmp_path / 'recipe.yaml') == small
    assert small.words.minutes == pytest.approx(0.01 * recipe.words.minutes)
    assert small.scenes['speech'].train == 80 and small.scenes['speech'].validation == 20
    assert scale_recipe(recipe, 1.0) == recipe


@pytest.mark.parametrize(('change', 'says'), [
    ('scenes.alert.often=1', 'often'), ('lanes.assistant.hears.music=1.0', 'music'),
    ('window_s=3', r'whole chunks of 0.4 s, found 3 s'), ('window_s=0.8', '3 or more'),
    ('scenes.music.train=1', 'scenes'), ('replies.rate=quick', 'rate')])
def test_a_wrong_recipe_names_the_key(change, says):
    with pytest.raises(ConfigurationError, match=says):
        read_edge_recipe('edge', (change,))


def spoken(text, start=0.2, end=1.0, language='en'):
    return Event(clip=Clip(id=text, path='x', seconds=end - start, text=text, language=language),
                 role='foreground', start_s=start, end_s=end)


def sounding(label, start=0.2, end=1.0, **more):
    return Event(clip=Clip(id=label, path='x', seconds=end - start, label=label),
                 role='foreground', start_s=start, end_s=end, **more)


def stream(task, chunks, *events, **lanes):
    """Return a stream; ``lanes`` are the replies of transcript, assistant and translation."""
    told = {'transcript': (), 'assistant': (), **lanes}
    return Stream(id=f'{task}-{chunks}', ability='proactive', task=task, seed=0, path='x.flac',
                  chunks=chunks, events=events, lanes={
                      name: Lane(prompt=name[:4], replies=replies)
                      for name, replies in told.items()})


def test_cropping_for_a_lane_takes_an_event_that_it_answers_to():
    asked, told = spoken('Stop.', 4.0, 5.5), spoken('He is at home.', 0.5, 1.5)
    both = stream('speech', 16, told, asked, assistant=(Reply(chunk=14, text='Yes.', event=1),))
    for seed in range(8):
        part = crop_event(both, random.Random(seed), 'assistant')
        assert (part.first, part.chunks) == (9, 7)
        assert [reply.text for reply in part.replies] == ['Yes.']
    silent = {crop_event(both, random.Random(seed), 'transcript').first for seed in range(8)}
    assert silent == {0, 9}


def test_what_sounds_is_told_while_it_can_be_heard():
    heard = stream('speech', 6, sounding('siren', 0.9, 1.5), spoken('Hm.', 0.0, 0.1),
                   sounding('unknown', 0.0, 2.0))
    assert make_targets(heard, {'siren': 0, 'speech': 1}).T.tolist() == [
        [0, 0, 1, 1, 1, 0], [1, 1, 0, 0, 0, 0]]


def test_average_precision_of_a_perfect_and_a_reversed_order():
    truth = np.array([1, 0, 0, 1])
    assert average_precision(truth, np.array([0.9, 0.1, 0.2, 0.8])) == 1.0
    assert average_precision(truth, np.array([0.1, 0.9, 0.8, 0.2])) == pytest.approx(
        (1 / 3 + 2 / 4) / 2)


def test_a_session_is_streams_in_a_row():
    quiet = SampleSpan(stream('harmless', 3), Path('x'), 'transcript', 0, 3)
    said = stream('speech', 5, spoken('Hello.'), transcript=(
        Reply(chunk=3, text='Hello.', event=0),))
    part = SampleSpan(said, Path('x'), 'transcript', 1, 4)
    laid = lay_out_spans([quiet, part, quiet], lambda text: [len(text)])
    control = laid.control[laid.control != IGNORE]
    assert control.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert len(laid.feature_at) == 10 * 6
    assert 4 in laid.ids[:8]  # the prompt
    first = int(np.flatnonzero(laid.ids == IDS.respond)[-1])
    assert laid.ids[first:first + 4].tolist() == [IDS.respond, IDS.emotions[0], 6, IDS.text_end]


SAID = Reply(chunk=3, text='停。', event=0)
MATERIAL = [made for chunks in (8, 25) for made in (
    stream('speech', chunks, spoken('Stop.'), assistant=(replace(SAID, text='Yes.'),),
           translation=(SAID,)),
    stream('alert', chunks, sounding('siren'), assistant=(SAID,), translation=()),
    stream('harmless', chunks, translation=()),
    stream('long', chunks, spoken('Stop.'), translation=(SAID,)))]
MANDARIN = stream('mandarin', 8, spoken('你好。', language='zh'), translation=(SAID,))


def sessions(streams, count=300):
    mixture = SessionMixture(streams, read_edge_recipe().lanes)
    return [mixture.draw_session(random.Random(seed)) for seed in range(count)]


def test_sessions_are_of_all_lanes_and_no_longer_than_the_papers():
    drawn = sessions([*MATERIAL, MANDARIN])
    assert {span.lane for spans in drawn for span in spans} == {'transcript', 'translation',
                                                                'assistant'}
    assert all(len({span.lane for span in spans}) == 1 for spans in drawn)
    assert all(sum(span.chunks for span in spans) <= 60 for spans in drawn)
    assert {len(spans) for spans in drawn} >= {1, 2, 3}
    heard = {span.stream.task for spans in drawn for span in spans if span.lane == 'translation'}
    assert heard == {'speech', 'long', 'mandarin', 'alert', 'harmless'}


def without_translation(made):
    return replace(made, lanes={name: lane for name, lane in made.lanes.items()
                                if name != 'translation'})


def test_without_a_translation_there_is_no_lane_for_it():
    unknown = [without_translation(made) for made in MATERIAL]
    assert {span.lane for spans in sessions(unknown) for span in spans} == {'transcript',
                                                                            'assistant'}
    with pytest.raises(MissingScenesError, match='found none of alert'):
        sessions([made for made in MATERIAL if made.task != 'alert'])


def test_what_has_no_translation_teaches_no_translating():
    half = without_translation(stream('speech', 9, spoken('Stop.'), spoken('Go.', 2.0, 3.0)))
    mixture = SessionMixture([*MATERIAL, half], read_edge_recipe().lanes)
    assert half not in mixture.by_kind['told'] and half in mixture.by_kind['speech']


def test_words_are_spelled_where_they_are_said_and_sounds_by_what_is_said_of_them():
    both = stream('long', 20, spoken('Go home.', 1.0, 2.0), sounding('siren', 4.0, 6.0),
                  transcript=(Reply(chunk=6, text='Go home.', event=0),),
                  assistant=(Reply(chunk=7, text='Done.', event=0),
                             Reply(chunk=11, text='I hear a siren.', event=1)))
    found = [(event.start_s, chunk, text, kind)
             for event, chunk, text, kind in events_to_spell(both)]
    assert found == [(1.0, 6, 'Go home.', 'speech'), (4.0, 11, 'I hear a siren.', 'sound')]


def test_a_book_translates_what_it_holds_sentence_by_sentence():
    book = Phrasebook([Pair('I see.', '我明白。'), Pair('I see!', '明白！'),
                       Pair('Go home.', '回家。'),
                       Pair('Dr. Li left.', '李医生走了。')])
    assert book.translation('i see') == '我明白。'
    assert book.translation('Go home. I see.') == '回家。我明白。'
    assert book.translation('Dr. Li left.') == '李医生走了。'
    assert book.translation('Go home. Who knows?') is None and book.translation('') is None


def test_a_recording_stays_on_one_side():
    sides = [is_validation(f'freesound:{n}') for n in range(1000)]
    assert sides == [is_validation(f'freesound:{n}') for n in range(1000)]
    assert 120 < sum(sides) < 280


def test_trim_keeps_the_loud_part():
    samples = np.zeros(16_000, np.float32)
    samples[4000:8000] = 0.5
    assert 4000 <= len(trim(samples)) <= 4800


def test_the_folded_projector_reads_frames_as_they_are():
    torch.manual_seed(0)
    mean, deviation = torch.randn(WIDTH), torch.rand(WIDTH) + 0.5
    speller = Speller(torch.randn(3, 576), mean, deviation).eval()
    frames = torch.randn(2, WIDTH) * deviation + mean
    weights = {name.removeprefix('projector.'): value for name, value in speller.fold().items()}
    expected = speller.projector((frames - mean) / deviation)
    speller.projector.load_state_dict(weights)
    torch.testing.assert_close(speller.projector(frames), expected, atol=1e-4, rtol=1e-4)
    speller.unfold({f'projector.{name}': value for name, value in weights.items()})
    again = speller.projector((frames - mean) / deviation)
    torch.testing.assert_close(again, expected, atol=1e-4, rtol=1e-4)


def test_greedy_merges_repeats_and_drops_blanks(monkeypatch):
    speller = Speller(torch.randn(2, 576), torch.zeros(WIDTH), torch.ones(WIDTH)).eval()
    path = torch.tensor([[1, 1, 0, 1, 2, 2, 2]])
    monkeypatch.setattr(Speller, 'forward',
                        lambda self, frames: torch.nn.functional.one_hot(path, 3).float())
    frames = np.zeros((6, WIDTH), np.float16)  # the seventh step is padding
    assert decode_greedily(speller, [(frames, [], 'speech')], [70, 80]) == [[70, 70, 80]]
