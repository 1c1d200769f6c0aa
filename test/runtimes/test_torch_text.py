"""The text lane on the torch runtime says what full passes over the training layout say."""

import types

import numpy as np
import pytest
import torch

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.checkpoints.load import LoadedModel
from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.decoder import Decoder, rope_tables
from audio_interaction_ros.model.shapes import AudioTowerConfig, DecoderConfig
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.scripted import SCRIPTED_TOKEN_IDS as IDS
from audio_interaction_ros.runtimes.torch import TorchDecoder
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import FinalTranslation, ReplyFinished
from audio_interaction_ros.stream.session import Session
from audio_interaction_ros.stream.text_lane import RecognisedSpeech
from train.tokens import Layout, t_t

pytestmark = pytest.mark.torch

BUDGET = 12
LANE = LaneConfig(name='translation', kind='translation', prompt='Go.', max_reply_tokens=BUDGET)


@pytest.fixture
def loaded():
    torch.manual_seed(5)
    config = CheckpointConfig(
        model='small', token_ids=IDS,
        audio_tower=AudioTowerConfig(mel_bins=8, width=16, layers=1, heads=2, mlp_width=32,
                                     window_frames=80, stack=4, output_width=32),
        decoder=DecoderConfig(layers=2, width=32, mlp_width=48, heads=4, kv_heads=2, head_dim=8,
                              vocab_size=274))
    tower, decoder = AudioTower(config.audio_tower).eval(), Decoder(config.decoder).eval()
    for parameter in (*tower.parameters(), *decoder.parameters()):
        torch.nn.init.normal_(parameter, std=0.3)
    # One byte, one token; all ASCII, so that any run of tokens is text.
    words = types.SimpleNamespace(encode=lambda text: list(text.encode()),
                                  token_bytes=lambda token: bytes([32 + token % 90]))
    return LoadedModel(config=config, tower=tower, decoder=decoder, tokenizer=words,
                       model_id='small-1')


def greedy(loaded, source):
    """Return what full passes over the layout of training say, structural ids left out."""
    ids = t_t(Layout(IDS, 5), list(LANE.prompt.encode()), list(source.encode()), []).ids.tolist()
    barred = sorted(IDS.structural - {IDS.text_end})
    said = []
    while len(said) < BUDGET:
        with torch.inference_mode():
            hidden = loaded.decoder(loaded.decoder.embed(torch.tensor([ids])),
                                    *rope_tables(np.arange(len(ids))[None], 8, 1e6))
            scores = loaded.decoder.logits(hidden)[0, -1].numpy().copy()
        scores[barred] = -np.inf
        token = int(scores.argmax())
        if token == IDS.text_end:
            break
        said.append(token)
        ids.append(token)
    return said


@pytest.mark.parametrize('source', ['I am here.', 'Good morning', '早上好'])
def test_text_beside_listening_equals_full_passes(loaded, source):
    """Chunks that other lanes hear in the same passes change nothing of it."""
    expected = greedy(loaded, source)
    one = Session(decoder=TorchDecoder(loaded), tokenizer=loaded.tokenizer, lanes=(LANE,),
                  slots=512, translate_text=True)
    one.step()
    one.translate(ReplyFinished(
        lane='translation', stamp_ns=0, epoch=1, seq=0, reply_id='1-0', text='',
        emotion=Emotion.NORMAL, reason='end', start_ns=0, end_ns=1, p_respond=1.0),
        RecognisedSpeech(text=source, language='en'))
    heard, seq = [], 0
    while one._texts.busy:
        one.push(EncodedChunk(
            features=np.random.default_rng(seq).standard_normal((5, 32), dtype=np.float32),
            stamp_ns=seq * 400_000_000, epoch=1, seq=seq, model_id='small-1'))
        heard += one.step()
        seq += 1
    final, = (event for event in heard if isinstance(event, FinalTranslation))
    assert final.text == ''.join(chr(32 + token % 90) for token in expected).strip()
    assert final.language == 'zh'
