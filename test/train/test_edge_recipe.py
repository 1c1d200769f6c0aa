"""The recipe of the edge model: targets, layout, splits and measures."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from audio_interaction_ros.protocol import Emotion
from held_out.pairs import Pair
from held_out.phrasebook import Phrasebook
from held_out.splits import is_validation
from train.edge.dialogue import reply_to
from train.edge.layout import CHINESE, IDS, IGNORE, decide_by_chunk, lay_out_session
from train.edge.sound import average_precision
from train.edge.sound_targets import make_targets
from train.edge.stage_a import WIDTH, Speller, decode_greedily
from train.edge.synthesise import trim
from train.edge.training_sessions import (
    MissingScenesError,
    SessionMixture,
    add_translations,
    crop_event,
    lay_out_scenes,
)

pytestmark = pytest.mark.torch

SPEECH = {'kind': 'speech', 'due': 1.05, 'emotion': 0, 'text': 'Hello.'}
SOUND = {'kind': 'sound', 'due': 0.8, 'emotion': 5, 'text': 'Siren.'}


def test_a_reply_is_due_after_the_first_chunk_that_ends_late_enough():
    assert decide_by_chunk([SPEECH, SOUND], 'transcript', 4) == [None, None,
                                                                 (Emotion.NORMAL, 'Hello.'),
                                                                 None]
    assert decide_by_chunk([{**SPEECH, 'text': 'He is at home.'}, SOUND], 'assistant', 4) == [
        None, (Emotion.URGENT, 'Siren.'), None, None]


def test_the_assistant_answers_what_it_is_asked():
    asked = {**SPEECH, 'text': 'What is your name?'}
    said = decide_by_chunk([asked], 'assistant', 4)[2]
    assert said == (Emotion.NORMAL, reply_to(asked['text'])) and said[1]


def test_cropping_for_a_lane_takes_an_event_that_it_answers_to():
    asked = {'kind': 'speech', 'start': 4.0, 'due': 6.0, 'emotion': 0, 'text': 'Stop.'}
    told = {'kind': 'speech', 'start': 0.5, 'due': 2.0, 'emotion': 0, 'text': 'He is at home.'}
    row = {'name': 'a', 'chunks': 16, 'events': [told, asked]}
    for seed in range(8):
        part, first = crop_event(row, random.Random(seed), 'assistant')
        assert first == 9 and part['chunks'] == 7
        assert decide_by_chunk(part['events'], 'assistant', 7)[5] is not None


def test_what_sounds_is_told_while_it_can_be_heard():
    row = {'chunks': 6, 'sounding': [
        {'label': 'siren', 'start': 0.9, 'end': 1.5, 'path': ''},
        {'label': 'speech', 'start': 0.0, 'end': 0.1, 'path': ''},
        {'label': 'unknown', 'start': 0.0, 'end': 2.0, 'path': ''}]}
    assert make_targets(row, {'siren': 0, 'speech': 1}).T.tolist() == [
        [0, 0, 1, 1, 1, 0], [1, 1, 0, 0, 0, 0]]


def test_average_precision_of_a_perfect_and_a_reversed_order():
    truth = np.array([1, 0, 0, 1])
    assert average_precision(truth, np.array([0.9, 0.1, 0.2, 0.8])) == 1.0
    assert average_precision(truth, np.array([0.1, 0.9, 0.8, 0.2])) == pytest.approx(
        (1 / 3 + 2 / 4) / 2)


def test_a_reply_due_past_the_end_is_left_out():
    assert decide_by_chunk([SPEECH], 'transcript', 2) == [None, None]


def test_layout_of_two_chunks_and_a_reply():
    laid = lay_out_session([7], [(Emotion.URGENT, [8, 9]), None])
    i = IDS
    block = [i.audio_begin, *[i.pad] * 6, i.assistant]
    assert laid.ids.tolist() == [
        i.online, i.language, i.system, i.respond, 7, i.text_end,
        *block, i.respond, i.emotions[5], 8, 9, i.text_end, *block]
    assert (laid.ids[laid.feature_at] == i.pad).all() and len(laid.feature_at) == 12
    assert [(int(at), int(laid.control[at])) for at in np.flatnonzero(laid.control != IGNORE)] == [
        (13, 1), (26, 0)]
    assert {int(at): int(laid.text[at]) for at in np.flatnonzero(laid.text != IGNORE)} == {
        14: i.emotions[5], 15: 8, 16: 9, 17: i.text_end}


def test_a_session_is_scenes_in_a_row():
    class Words:
        def encode(self, text, add_special_tokens):
            return SimpleNamespace(ids=[len(text)])
    quiet = {'events': [], 'chunks': 3}
    spoken = {'events': [SPEECH], 'chunks': 4}
    laid = lay_out_scenes([quiet, spoken, quiet], 'transcript', Words())
    control = laid.control[laid.control != IGNORE]
    assert control.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert len(laid.feature_at) == 10 * 6


def scene(kind, chunks, *events):
    return {'kind': kind, 'chunks': chunks, 'events': list(events)}


MATERIAL = [scene(kind, chunks, *events) for chunks in (8, 25) for kind, events in (
    ('speech', [{**SPEECH, 'text': 'Stop.'}]), ('alert', [SOUND]), ('harmless', []),
    ('long', [SPEECH, SOUND]))]
MANDARIN = scene('mandarin', 8, {**SPEECH, 'text': '你好。', 'language': 'zh',
                                 'translation': 'Hello.'})


def sessions(rows, count=300):
    mixture = SessionMixture(rows)
    return [mixture.draw_session(random.Random(seed)) for seed in range(count)]


def test_sessions_are_of_all_lanes_and_no_longer_than_the_papers():
    book = Phrasebook([Pair('Stop!', '停。'), Pair('Hello', '你好。')])
    drawn = sessions([*add_translations(MATERIAL, book), MANDARIN])
    assert {lane for lane, _ in drawn} == {'transcript', 'translation', 'assistant'}
    assert all(sum(row['chunks'] for row in scenes) <= 60 for _, scenes in drawn)
    assert {len(scenes) for _, scenes in drawn} >= {1, 2, 3}
    heard = {row['kind'] for lane, scenes in drawn if lane == 'translation' for row in scenes}
    assert heard == {'speech', 'long', 'mandarin', 'alert', 'harmless'}


def test_without_a_translation_there_is_no_lane_for_it():
    unknown = add_translations(MATERIAL, Phrasebook([Pair('Go.', '走。')]))
    assert {lane for lane, _ in sessions(unknown)} == {'transcript', 'assistant'}
    with pytest.raises(MissingScenesError, match='found none of alert'):
        SessionMixture([row for row in MATERIAL if row['kind'] != 'alert'])


def test_a_scene_is_translated_as_a_whole_or_not_used_to_translate():
    half = scene('speech', 8, {**SPEECH, 'text': 'Stop.'}, {**SPEECH, 'text': 'Go.'})
    mixture = SessionMixture(add_translations([*MATERIAL, half],
                                              Phrasebook([Pair('Stop.', '停。')])))
    assert [len(row['events']) for row in mixture.by_kind['told']] == [1, 1]


def test_each_lane_answers_its_language():
    chinese, english = MANDARIN['events'][0], {**SPEECH, 'translation': '你好。'}
    said = {lane: decide_by_chunk([chinese], lane, 4)[2]
            for lane in ('transcript', 'translation', 'assistant')}
    assert said == {'transcript': None, 'translation': (Emotion.NORMAL, CHINESE),
                    'assistant': None}
    assert decide_by_chunk([english], 'translation', 4)[2] == (Emotion.NORMAL, '你好。')
    assert decide_by_chunk([SPEECH], 'translation', 4) == [None] * 4


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
