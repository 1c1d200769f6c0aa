"""Text translation: rows that hold many pairs, greedy decoding, runs that go on."""

import argparse
import itertools

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from audio_interaction_ros.model.decoder import Decoder
from audio_interaction_ros.model.shapes import DecoderConfig
from held_out.pairs import Pair, PairsError
from train.edge import greedy_translation, pair_rows
from train.edge import translate as subject
from train.edge.adapter import ADAPTED, CONTROL_ROWS, Edge
from train.edge.layout import BASE_VOCABULARY, IDS
from train.tokens import IGNORE
from train.trainer.lora import adapt

pytestmark = pytest.mark.torch

SMALL = DecoderConfig(layers=2, width=32, mlp_width=64, heads=4, kv_heads=2, head_dim=8,
                      vocab_size=1, tied_head=True)
PAIRS = [Pair('tea', '茶'), Pair('I run', '我跑'), Pair('no', '不是')]


class Letters:
    """One id per letter."""

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def decode(self, ids: list[int]) -> str:
        return ''.join(map(chr, ids))


class SmallEdge(Edge):
    """The model with few and random weights, in float32."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        torch.manual_seed(0)
        self.decoder = Decoder(SMALL).requires_grad_(False)
        adapt(self.decoder, ADAPTED, 8, alpha=8.0)
        self.register_buffer('table', torch.randn(BASE_VOCABULARY, SMALL.width))
        self.control_rows = nn.Parameter(torch.randn(CONTROL_ROWS, SMALL.width))
        self.projector = self.sound = nn.Linear(2, 2)

    def embed(self, ids):
        return torch.cat((self.table, self.control_rows))[ids]


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(greedy_translation, 'DECODER', SMALL)
    monkeypatch.setattr(pair_rows, 'DECODER', SMALL)
    return SmallEdge()


def options(out, minutes):
    return argparse.Namespace(out=out, minutes=minutes, rate=1e-2, points=1, per_direction=3,
                              device='cpu', threads=1, begin=None)


def test_only_the_target_is_learned():
    words = Letters()
    row = pair_rows.pack_pairs([pair_rows.lay_out_pair(words, *pair.ends('en-zh')) for pair
                                in PAIRS],
                       pair_rows.count_opening(words))
    learned = [words.decode([token]) if token < IDS.user else '|'
               for token in row.labels[row.labels != IGNORE]]
    assert ''.join(learned) == '茶|我跑|不是|'
    assert row.labels[row.labels >= IDS.user].tolist() == [IDS.text_end] * 3


def test_pairs_in_a_row_do_not_see_each_other(model):
    words, shared = Letters(), pair_rows.count_opening(Letters())
    samples = [pair_rows.lay_out_pair(words, *pair.ends('zh-en')) for pair in PAIRS]
    packed, labels = pair_rows.hidden_states(
        model, [pair_rows.pack_pairs(samples, shared), pair_rows.pack_pairs(samples[:1], shared)])
    assert (labels[1, len(samples[0].ids):] == IGNORE).all()
    at = shared
    for each in samples:
        alone, _ = pair_rows.hidden_states(model, [pair_rows.pack_pairs([each], shared)])
        size = len(each.ids) - shared
        torch.testing.assert_close(packed[0, at:at + size], alone[0, shared:],
                                   atol=1e-4, rtol=1e-4)
        at += size


def test_an_epoch_has_each_pair_once_and_rows_are_full():
    pairs = [Pair('a' * n, '一') for n in range(1, 41)] + [Pair('x' * 200, '二')]
    words, epoch, count = Letters(), [], 0
    for row, number in pair_rows.draw_rows(pairs, 'en-zh', words, limit=160):
        assert len(row.ids) <= 160 and row.group.max() == number
        epoch.append(len(row.ids))
        count += number
        if count == 40:
            break
    alone = [len(pair_rows.lay_out_pair(words, *pair.ends('en-zh')).ids) for pair in pairs[:40]]
    shared = pair_rows.count_opening(words)
    assert sum(epoch) == sum(alone) - shared * (40 - len(epoch))
    assert np.mean(epoch[:-1]) > 120


def test_pairs_that_all_are_too_long_are_refused():
    with pytest.raises(PairsError, match='no pair fits'):
        next(pair_rows.draw_rows([Pair('x' * 200, '二')], 'en-zh', Letters()))


def test_cached_decoding_says_what_full_passes_say(model):
    words = Letters()
    model.control_rows.data *= 0.01  # or an untrained model would say nothing but RESPOND
    for name, values in model.decoder.named_parameters():
        if name.endswith('.B'):
            nn.init.normal_(values, std=0.1)
    sources = ['tea', 'I run away', 'no']
    said = greedy_translation.translate(model, sources, words)
    for source, text in zip(sources, said, strict=True):
        assert len(text) > 0
        ids = pair_rows.lay_out_pair(words, source, '').ids.tolist()
        found = []
        for _ in range(greedy_translation.LONGEST_REPLY):
            row = pair_rows.PairRow(ids=np.array(ids), labels=np.array(ids),
                              positions=np.arange(len(ids)), group=np.zeros(len(ids), int))
            hidden, _ = pair_rows.hidden_states(model, [row])
            ids.append(int(pair_rows.scores(model, hidden[0, -1]).argmax()))
            if ids[-1] == IDS.text_end:
                break
            found.append(ids[-1])
        assert text == words.decode([token for token in found if token < IDS.user])


def test_a_run_learns_stops_and_goes_on(model, tmp_path, monkeypatch):
    pytest.importorskip('sacrebleu')
    clock = itertools.count()
    monkeypatch.setattr(subject.time, 'process_time', lambda: float(next(clock)))
    subject.fit(options(tmp_path, minutes=4.0), model, Letters(), PAIRS, PAIRS)
    before = subject.resume(tmp_path, SmallEdge())
    fresh = SmallEdge()
    subject.fit(options(tmp_path, minutes=24.0), fresh, Letters(), PAIRS, PAIRS)
    assert 0 < before.step < subject.resume(tmp_path, SmallEdge()).step
    for direction in subject.DIRECTIONS:
        ends = [pair.ends(direction) for pair in PAIRS]
        assert greedy_translation.translate(fresh, [given for given, _ in ends], Letters()) == [
            wanted for _, wanted in ends]


def test_a_run_begins_from_what_stage_b_trained(model, tmp_path):
    taught = {name: torch.full_like(value, 0.25) for name,
              value in subject.learned_tensors(model).items()}
    save_file({**taught, 'projector.weight': torch.ones(2, 2)}, tmp_path / 'trained.safetensors')
    given = options(tmp_path / 'run', minutes=0.0)
    given.begin = tmp_path / 'trained.safetensors'
    subject.fit(given, model, Letters(), PAIRS, PAIRS)
    assert all((value == 0.25).all() for value in subject.learned_tensors(model).values())
    assert not (model.projector.weight == 1.0).any()  # what hears is not taken from there
