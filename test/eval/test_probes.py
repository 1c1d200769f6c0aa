"""Probes: what they find where it is known, on tiny models of both layouts."""

import argparse
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from small_model import random_model, save_model

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.parity import write_released
from audio_interaction_ros.runtimes.registry import load_runtime
from eval import probe
from eval.probes import continuity, heads
from eval.probes.clips import ProbeClip, read_clips
from eval.probes.continuity import compare_pairs
from eval.probes.heads import measure_effect, measure_heads
from eval.probes.lived import LANES, listen
from eval.probes.passes import ablate_heads, batches, layer_inputs
from held_out.clips import RATE, MaterialError

pytestmark = pytest.mark.torch

REFERENCE = Path(__file__).parents[1] / 'data' / 'tiny_reference.json'


@pytest.fixture(scope='module')
def runtime(tmp_path_factory):
    """Return a small model of our own layout, with a sound branch."""
    folder = save_model(random_model(), tmp_path_factory.mktemp('small') / 'of chance')
    return load_runtime(str(folder), runtime='torch', device='cpu', threads=1, dtype='float32')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """Return the folder of a tiny model of the released layout; its cache is beside it."""
    folder = tmp_path_factory.mktemp('released')
    write_released(folder, json.loads(REFERENCE.read_text()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path_factory.mktemp('cache')))
        yield folder


@pytest.fixture(scope='module')
def released(checkpoint):
    """Return that model, loaded as any checkpoint is."""
    return load_runtime(str(checkpoint), runtime='torch', device='cpu', threads=1,
                        dtype='float32')


@pytest.fixture(scope='module')
def clips():
    chance = np.random.default_rng(0)
    return [ProbeClip(f'{number}', (0.1 * chance.standard_normal(6_400 * (2 + number))).astype(
        np.float32)) for number in range(3)]


@pytest.fixture(scope='module')
def heard(runtime, clips):
    return [listen(runtime, clip) for clip in clips]


def assert_one_pass_decides_alike(runtime, lived):
    decoder = runtime.decoder.module
    for batch in batches(decoder, lived, 4):
        found = ablate_heads(decoder, runtime.decoder.controls, batch)
        for lane, log_odds in zip(batch.lived, found, strict=True):
            assert len(lane.read_at) == len(lane.features) > 2
            assert log_odds[:, -1] == pytest.approx(
                np.tile(lane.log_odds, (decoder.config.layers, 1)), abs=1e-3)


def test_one_pass_decides_what_the_many_small_ones_did(runtime, heard):
    lived = [lane for clip in heard for lane in clip.lanes]
    assert len({len(lane.ids) for lane in lived}) > 1  # so that rows are padded
    assert any(len(lane.ids) > lane.feature_at[-1] + 2 for lane in lived)  # replies are in it
    assert_one_pass_decides_alike(runtime, lived)


def test_a_released_checkpoint_can_be_looked_into(released, clips):
    lanes = [replace(lane, max_reply_tokens=2) for lane in LANES]  # its vocabulary is large
    heard = listen(released, clips[0], lanes)
    assert heard.encoder.shape[1:] == (10, 48) and heard.projector.shape[1:] == (10, 64)
    assert_one_pass_decides_alike(released, list(heard.lanes))


def test_a_head_that_gives_nothing_has_no_effect_and_others_have(runtime, heard):
    decoder, lived = runtime.decoder.module, [heard[0].lanes[0]]
    weight = decoder.model.layers[1].self_attn.o_proj.weight
    before = weight.detach().clone()
    dim = decoder.config.head_dim
    try:
        with torch.no_grad():
            weight[:, 2 * dim:3 * dim] = 0
        [found] = [ablate_heads(decoder, runtime.decoder.controls, batch)[0]
                   for batch in batches(decoder, lived, 1)]
    finally:
        weight.data = before
    effect = measure_effect(found, 0.5)
    assert effect.moved.sum(0)[1, 2] == pytest.approx(0, abs=1e-4)
    others = np.delete(effect.moved.sum(0).ravel(), 1 * 4 + 2)
    assert (others > 1e-2).all()


def test_a_head_taken_away_is_one_whose_projection_is_zero(runtime, heard):
    """The hook against its slow twin: weights that are set to zero, one whole pass."""
    decoder, lived = runtime.decoder.module, [heard[1].lanes[0]]
    [batch] = batches(decoder, lived, 1)
    found = ablate_heads(decoder, runtime.decoder.controls, batch)[0]
    weight = decoder.model.layers[0].self_attn.o_proj.weight
    before = weight.detach().clone()
    dim = decoder.config.head_dim
    try:
        with torch.no_grad():
            weight[:, dim:2 * dim] = 0
        twin = ablate_heads(decoder, runtime.decoder.controls, batch)[0]
    finally:
        weight.data = before
    assert found[0, 1] == pytest.approx(twin[0, -1], abs=1e-4)


def test_effects_are_counted_as_by_hand():
    """One layer, one head; decisions -2 (silent), 1 and 3 (respond) become -1, -1 and 3."""
    log_odds = np.array([[[-1.0, -1.0, 3.0], [-2.0, 1.0, 3.0]]])
    effect = measure_effect(log_odds, 0.5)
    assert effect.decisions.tolist() == [1, 2]
    assert effect.moved[:, 0, 0].tolist() == [1, 2]
    assert effect.lost[:, 0, 0].tolist() == [1, 2]
    assert effect.kept[:, 0, 0].tolist() == [1, 1]


def test_same_features_have_no_seams_and_a_turn_at_each_seam_is_seen():
    same = np.ones((6, 4, 3))
    assert compare_pairs(same) == pytest.approx((1, 1, 1))
    turned = np.zeros((6, 4, 2))
    for chunk in range(6):
        turned[chunk, :, chunk % 2] = 1
    found = compare_pairs(turned)
    assert (found.seam, found.inside) == pytest.approx((0, 1))
    assert found.apart == pytest.approx(0)  # three chunks on: the other direction


def test_layers_are_those_of_the_decoder(runtime, heard):
    decoder = runtime.decoder.module
    [batch] = batches(decoder, [heard[0].lanes[0]], 1)
    levels = layer_inputs(decoder, batch)
    assert len(levels) == 3 and torch.equal(levels[0], batch.embeddings)
    with torch.inference_mode():
        step = decoder.model.norm(levels[-1])
        assert torch.equal(step, decoder(batch.embeddings, batch.cos, batch.sin))


def test_lanes_agree_with_themselves_and_a_second_run_takes_what_the_first_found(
        runtime, clips, tmp_path, monkeypatch):
    figures = measure_heads(runtime, clips[:2], tmp_path)
    monkeypatch.setattr(heads, 'ablate_heads', None)  # nothing is asked again
    assert measure_heads(runtime, clips[:2], tmp_path)['agreement'] == figures['agreement']
    assert set(figures['lanes']) == {'transcript', 'translation', 'assistant'}
    for lane in figures['lanes'].values():
        assert np.shape(lane['moved']) == (2, 4) and len(lane['top']) == 8
        moved = [head['moved'].value for head in lane['top']]
        assert moved == sorted(moved, reverse=True)
    # Without prompts of their own all three lanes hear and are asked the same.
    for agreement in figures['agreement'].values():
        assert agreement.value == pytest.approx(1.0)


def options_of(tmp_path, *words):
    parser = argparse.ArgumentParser()
    probe.add_arguments(parser)
    return parser.parse_args([*words, '--out', str(tmp_path / 'out')])


@pytest.mark.parametrize('name', ['continuity', 'heads'])
def test_a_probe_leaves_a_picture_and_figures(name, runtime, tmp_path, capsys, parts):
    parts.write_folder(tmp_path / 'data', [
        (f'{kind}/{number}.wav', parts.hiss(0.9, 0.1, number), {'label': kind})
        for number in range(2) for kind in ('speech_word', 'rain')])
    chosen = options_of(tmp_path, name, '--data', str(tmp_path / 'data'), '--label',
                        'speech_word')
    assert probe.run(chosen, runtime) == 0
    assert (tmp_path / 'out' / f'{name}.png').read_bytes()[:4] == b'\x89PNG'
    figures = json.loads((tmp_path / 'out' / f'{name}.json').read_text())['figures']
    if name == 'continuity':
        assert list(figures) == ['encoder', 'projector', 'layer 1', 'layer 2']
        assert all(part['clips'] == 2 for part in figures.values())
    else:
        assert figures['lanes']['assistant']['clips'] == 2
    assert str(tmp_path / 'out') in capsys.readouterr().out


@pytest.mark.parametrize('name', ['continuity', 'heads'])
def test_both_probes_run_on_a_released_checkpoint(name, checkpoint, tmp_path, parts, monkeypatch):
    parts.write_folder(tmp_path / 'data', [('a.wav', parts.hiss(0.9, 0.1), {'label': 'rain'}),
                                           ('b.wav', parts.hiss(1.3, 0.1, 1), {'label': 'rain'})])
    (tmp_path / 'data' / 'manifest.jsonl').unlink()
    few = tuple(replace(lane, max_reply_tokens=2) for lane in LANES)  # its vocabulary is large
    monkeypatch.setattr(continuity, 'LANES', few)
    monkeypatch.setattr(heads, 'listen', partial(listen, lanes=few))
    chosen = options_of(tmp_path, name, '--data', str(tmp_path / 'data'), '--model',
                        str(checkpoint), '--dtype', 'float32', '--threads', '1')
    assert probe.run(chosen) == 0
    found = json.loads((tmp_path / 'out' / f'{name}.json').read_text())
    if name == 'continuity':
        assert {'encoder', 'projector', 'layer 1'} <= set(found['figures'])
        assert found['figures']['encoder']['ratio']['n'] == 2
    else:
        assert np.shape(found['figures']['lanes']['assistant']['moved']) == (3, 4)


def test_a_runtime_without_nets_is_refused(parts, clips):
    with pytest.raises(ConfigurationError, match='torch runtime'):
        listen(parts.loud_runtime(), clips[0])


def test_clips_are_pieces_of_the_scene_or_files(tmp_path, parts):
    assert {clip.name for clip in read_clips(None, [], 8)} == {'water', 'weather', 'stop',
                                                              'alarm', 'bell'}
    parts.write_folder(tmp_path / 'data', [('a.wav', parts.hiss(25.0), {'label': 'rain'})])
    (tmp_path / 'data' / 'manifest.jsonl').unlink()
    [clip] = read_clips(tmp_path / 'data', [], 8)
    assert len(clip.samples) == 24 * RATE
    with pytest.raises(MaterialError, match='expected clips'):
        read_clips(tmp_path, ['siren'], 8) and read_clips(tmp_path / 'nothing', [], 8)
