"""The offline protocol: ids as in training, features of the whole clip, a reply without a gate."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import RELEASED_TOKEN_IDS, task_block
from audio_interaction_ros.runtimes.scripted import ScriptedDecoder
from eval import suite
from eval.suites.items import SuiteItem
from eval.suites.offline import encode_whole, lay_out, write_reply
from eval.suites.questions import phrase_question
from train.tokens import Layout, a_t, a_t_t, t_t

pytestmark = pytest.mark.unit

IDS = RELEASED_TOKEN_IDS
ASKED = SuiteItem(id='1', audio=Path('x'), question='What?', choices=('a bell', 'a voice'))
SPOKEN = SuiteItem(id='2', audio=Path('x'), question='What is it?')


def test_a_recording_and_a_question_are_laid_out_as_the_release_has_it():
    block = task_block(IDS, [40, 41], features=3, source=[60])
    assert block.ids == (151610, 151611, 151644, 151644, 40, 41, 151643,
                         151647, 151646, 151646, 151646, 151648,
                         151601, 151644, 60, 151643, 151602, 151644)
    assert block.feature_at == (8, 9, 10) and block.read_at == (17,)


@pytest.mark.parametrize(('block', 'trained'), [
    (task_block(IDS, [40], features=3, source=[60]), a_t_t(Layout(IDS, 10), [40], 3, [60], [50])),
    (task_block(IDS, [40], features=2), a_t(Layout(IDS, 10), [40], 2, [50])),
    (task_block(IDS, [40], source=[60, 61]), t_t(Layout(IDS, 10), [40], [60, 61], [50]))])
def test_what_is_asked_is_what_training_put_before_the_reply(block, trained):
    assert block.ids == tuple(trained.ids[:len(block.ids)])
    assert trained.text[block.read_at[0]] == 50
    assert block.feature_at == tuple(trained.feature_at)


def test_a_written_question_is_text_of_the_user_and_a_spoken_one_is_heard(parts):
    runtime, lane = parts.loud_runtime(), LaneConfig(name='assistant', prompt='Help.')
    user = runtime.decoder.spec.token_ids.user
    block = lay_out(runtime, lane, ASKED, 4)
    said = bytes(block.ids[block.ids.index(user) + 2:-3]).decode()
    assert said == phrase_question(ASKED) == 'What? Answer with one of: (A) a bell. (B) a voice.'
    assert user not in lay_out(runtime, lane, SPOKEN, 4).ids


@pytest.fixture
def options(tmp_path):
    def parse(*words):
        parser = argparse.ArgumentParser()
        suite.add_arguments(parser)
        return parser.parse_args([*words, '--out', str(tmp_path), '--protocol', 'offline'])
    return parse


def test_a_suite_is_asked_offline_and_goes_on_where_it_stopped(options, parts, tmp_path):
    question = ('What is heard? Answer with one of: (A) a smoke alarm. (B) a door bell. '
                '(C) a voice.')
    runtime = replace(parts.loud_runtime(), decoder=ScriptedDecoder(
        script={}, translations={question: 'A door bell.'}))
    chosen = options('mmau')
    assert suite.run(chosen, runtime) == 0
    part = json.loads((tmp_path / 'suite.json').read_text())['figures']['mmau']
    assert part['accuracy']['value'] == pytest.approx(1 / 3, abs=1e-5)
    assert part['silent']['value'] == 0.0
    rows = (tmp_path / 'mmau.hearings.jsonl').read_text().splitlines()
    assert len(rows) == 3
    mute = replace(runtime, decoder=SimpleNamespace(spec=runtime.decoder.spec))
    assert suite.run(chosen, mute) == 0  # nobody is asked again


@pytest.mark.torch
def test_a_released_checkpoint_is_asked_by_its_path_alone(tmp_path, monkeypatch):
    from audio_interaction_ros.parity import write_released
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))
    reference = Path(__file__).parents[1] / 'data' / 'tiny_reference.json'
    (tmp_path / 'released').mkdir()
    write_released(tmp_path / 'released', json.loads(reference.read_text()))
    parser = argparse.ArgumentParser()
    suite.add_arguments(parser)
    for protocol in ('streaming', 'offline'):
        out = tmp_path / protocol
        chosen = parser.parse_args([
            'librispeech-clean', '--model', str(tmp_path / 'released'), '--runtime', 'torch',
            '--dtype', 'float32', '--threads', '1', '--limit', '1', '--protocol', protocol,
            '--out', str(out)])
        assert suite.run(chosen) == 0
        found = json.loads((out / 'suite.json').read_text())
        assert found['figures']['librispeech-clean']['items'] == 1
        assert found['model_id'] and found['machine']


def test_what_only_a_stream_has_is_refused(options):
    with pytest.raises(ConfigurationError, match='leave them out'):
        suite.run(options('sd-qa', '--in-one-stream', '3'))


def test_a_whole_recording_has_the_features_of_its_chunks(parts):
    features = encode_whole(parts.loud_runtime(), parts.tone(1.5))
    assert features.shape == (4 * 2, 4)  # 1.5 s are filled up to four chunks


@pytest.mark.torch
@pytest.mark.parametrize('runtime_name', ['torch', 'onnx'])
def test_a_reply_is_the_same_whether_it_is_fed_word_by_word_or_at_once(runtime_name):
    from bench import models
    runtime = models.load('random-tiny', runtime=runtime_name, dtype='float32', threads=1,
                          device='cpu')
    noise = np.random.default_rng(1).normal(0, 0.1, 3 * 16_000).astype(np.float32)
    features = encode_whole(runtime, noise)
    per_chunk, size = runtime.encoder.spec.features_per_chunk, runtime.encoder.spec.chunk_size
    assert len(features) == -(-len(noise) // size.samples) * per_chunk
    block = lay_out(runtime, LaneConfig(name='assistant', prompt='Help.'), ASKED, len(features))
    tokens = write_reply(runtime.decoder, block, features, 6)
    assert tokens
    for count in range(1, len(tokens)):
        more = block.__class__(ids=(*block.ids, *tokens[:count]), feature_at=block.feature_at,
                               read_at=(len(block.ids) + count - 1,))
        assert write_reply(runtime.decoder, more, features, 1) == [tokens[count]]
