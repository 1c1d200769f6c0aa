"""A head: its start, its training with and without a stop, and what the robot reads of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file

from audio_interaction_ros.model.sound_head import SoundHead
from train.sound_head import fit
from train.sound_head.classes import AudioSetClass, SoundClass, SoundClasses
from train.sound_head.dataset import Dataset, Stream
from train.sound_head.fit import FitPlan, fit_head, score_streams, split_long
from train.sound_head.net import (
    HeadShape,
    Scaling,
    SoundNet,
    find_context,
    merge_heads,
    prepare_inputs,
    save_head,
)
from train.sound_head.tagger import TaggerClasses

pytestmark = pytest.mark.torch

WIDTH, TAGGER = 12, 4
SHAPE = HeadShape(width=WIDTH, tagger_width=TAGGER, own=6, context=3, mixed=8)


def sound(label, *indices):
    return SoundClass(labels=(label,), audioset=tuple(
        AudioSetClass(index, f'/m/{index}', str(index)) for index in indices))


CLASSES = SoundClasses(alerts={'siren': sound('siren', 2)},
                       others={'rain': sound('rain', 0, 1), 'hum': sound('hum')})


@pytest.fixture
def tagger():
    chance = np.random.default_rng(0)
    return TaggerClasses(chance.standard_normal((3, TAGGER)).astype(np.float32),
                         np.zeros(3, np.float32))


@pytest.fixture
def dataset(tagger):
    """Return 20 streams of 7 chunks; a siren is the sign of the first number of a chunk."""
    torch.manual_seed(1)
    embeddings = torch.randn(140, WIDTH).half()
    targets = torch.zeros(140, 3, dtype=torch.int8)
    targets[:, 0] = (embeddings[:, 0] > 0).to(torch.int8)
    targets[::9, 1] = -1
    return Dataset(embeddings, targets, tuple(
        Stream(f's{number}', 1, 'train', 7 * number, 7, ()) for number in range(20)),
        prepare_inputs(embeddings, Scaling.of(embeddings), tagger, CLASSES))


def make_net(tagger, seed=0, **more):
    shape = HeadShape(**{**SHAPE.__dict__, **more})
    torch.manual_seed(99)
    scaling = Scaling.of(3 * torch.randn(40, WIDTH) + 1)
    torch.manual_seed(seed)
    return SoundNet(shape, CLASSES, tagger, scaling).eval()


def hear(net, tagger, embeddings, lengths=None):
    """Return the logits of streams of embeddings, one where no lengths are given."""
    inputs = prepare_inputs(embeddings, net.scaling, tagger, CLASSES, torch.float32)
    return net(inputs, find_context(lengths or [len(embeddings)], net.shape.context)).detach()


def read_as_the_robot_does(tensors, embeddings, context):
    """Return scores of one stream, in numpy, from the tensors alone."""
    from scipy.special import erf

    def gelu(x):
        return 0.5 * x * (1 + erf(x / np.sqrt(2)))
    units = gelu(embeddings @ tensors['hidden.weight'].T + tensors['hidden.bias'])
    past = np.concatenate([np.zeros((context - 1, units.shape[1])), units])
    rows = np.stack([past[i:i + context].reshape(-1) for i in range(len(units))])
    z = gelu(rows @ tensors['context.weight'].T + tensors['context.bias'])
    return z @ tensors['classes.weight'].T + tensors['classes.bias']


@pytest.mark.parametrize('more', [{}, {'context': 1}, {'use_tagger': False},
                                  {'use_levels': False}])
def test_merged_scaling_and_calibration_give_what_the_net_gives(tagger, more):
    net = make_net(tagger, **more)
    heard = torch.randn(9, WIDTH)
    scale, shift = np.array([1.5, 0.5, 1.0]), np.array([-1.0, 0.0, 2.0])
    expected = hear(net, tagger, heard).numpy() * scale + shift
    said = read_as_the_robot_does(merge_heads([net], scale, shift), heard.numpy(),
                                  net.shape.context)
    np.testing.assert_allclose(said, expected, atol=1e-4)


def test_several_seeds_become_one_head_that_says_their_mean(tagger):
    nets, heard = [make_net(tagger, seed) for seed in range(3)], torch.randn(9, WIDTH)
    scale, shift = np.array([1.5, 0.5, 1.0]), np.array([-1.0, 0.0, 2.0])
    expected = np.mean([hear(net, tagger, heard).numpy() for net in nets], 0) * scale + shift
    tensors = merge_heads(nets, scale, shift)
    assert tensors['hidden.weight'].shape == (3 * SHAPE.own + 3, WIDTH)
    np.testing.assert_allclose(read_as_the_robot_does(tensors, heard.numpy(), SHAPE.context),
                               expected, atol=1e-4)


def test_a_stream_does_not_hear_the_one_before_it(tagger):
    net = make_net(tagger)
    first, second = torch.randn(4, WIDTH), torch.randn(5, WIDTH)
    together = hear(net, tagger, torch.cat((first, second)), [4, 5])
    torch.testing.assert_close(together[4:], hear(net, tagger, second))


def test_the_start_follows_what_yamnet_says(tagger):
    net = make_net(tagger)
    embedding = torch.zeros(1, WIDTH)
    louder = embedding.clone()
    louder[:, -TAGGER:] = torch.from_numpy(tagger.weight[2])
    assert hear(net, tagger, louder)[0, 0] > hear(net, tagger, embedding)[0, 0]


def test_the_file_says_classes_and_context_and_is_float16(tagger, tmp_path):
    path = tmp_path / 'sounds.safetensors'
    save_head(merge_heads([make_net(tagger)], np.ones(3), np.zeros(3)), CLASSES.names, 3, path)
    with safe_open(path, 'np') as file:
        told = file.metadata()
    assert told['format'] == 'audio-interaction-sounds/1' and told['context'] == '3'
    assert json.loads(told['classes']) == ['siren', 'rain', 'hum']
    tensors = load_file(path)
    units = SHAPE.own + 3
    assert {name: value.shape for name, value in tensors.items()} == {
        'hidden.weight': (units, WIDTH), 'hidden.bias': (units,),
        'context.weight': (8, 3 * units), 'context.bias': (8,),
        'classes.weight': (3, 8), 'classes.bias': (3,)}
    assert {value.dtype for value in tensors.values()} == {np.dtype(np.float16)}


def train(dataset, tagger, path, epochs):
    return fit_head(dataset, dataset.streams, CLASSES, tagger, Scaling.of(dataset.embeddings),
                    SHAPE, FitPlan(epochs=6, rate=0.02) if epochs is None else
                    FitPlan(epochs=epochs, rate=0.02), path, lambda line: None)


def test_the_robot_reads_the_file_and_says_what_the_net_says(tagger, tmp_path):
    net, heard = make_net(tagger), torch.randn(6, WIDTH)
    save_head(merge_heads([net], np.ones(3), np.zeros(3)), CLASSES.names, 3,
              tmp_path / 'sounds.safetensors')
    head = SoundHead.read(tmp_path / 'sounds.safetensors')
    units = [np.zeros(head.hidden_width, np.float32)] * 2 + [head.hear(one)
                                                             for one in heard.numpy()]
    scores = [head.score(np.stack(units[chunk:chunk + 3])) for chunk in range(6)]
    expected = torch.sigmoid(hear(net, tagger, heard)).numpy()
    np.testing.assert_allclose(scores, expected, atol=5e-3)  # the file is float16


def test_it_learns_and_leaves_the_tagger_as_it_is(dataset, tagger, tmp_path):
    net = train(dataset, tagger, tmp_path / 'a.pt', 60)
    logits = np.concatenate(score_streams(net, dataset, dataset.streams))[:, 0]
    present = dataset.targets[:, 0].numpy() == 1
    assert (logits[present][:, None] > logits[~present]).mean() > 0.75
    np.testing.assert_array_equal(net.tagger.weight.numpy(), tagger.weight[[2, 0, 1]])


def test_a_stopped_training_goes_on_to_the_same_bytes(dataset, tagger, tmp_path, monkeypatch):
    train(dataset, tagger, tmp_path / 'whole' / 'a.pt', None)

    keep = fit._keep

    def keep_and_stop(path, net, optimizer, epochs):
        keep(path, net, optimizer, epochs)
        if epochs == 3:
            raise KeyboardInterrupt
    monkeypatch.setattr(fit, '_keep', keep_and_stop)
    with pytest.raises(KeyboardInterrupt):
        train(dataset, tagger, tmp_path / 'stopped' / 'a.pt', None)
    monkeypatch.setattr(fit, '_keep', keep)
    train(dataset, tagger, tmp_path / 'stopped' / 'a.pt', None)
    whole, stopped = (tmp_path / name / 'a.pt' for name in ('whole', 'stopped'))
    one, other = (torch.load(path, weights_only=True)['net'] for path in (whole, stopped))
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_long_streams_are_cut_without_losing_a_chunk():
    pieces = split_long([Stream('a', 1, 'ambience', 5, 70, ())])
    assert [(piece.first, piece.chunks) for piece in pieces] == [(5, 30), (35, 30), (65, 10)]


def test_chunks_that_weigh_nothing_are_not_learned(dataset, tagger, tmp_path):
    def learned(name, targets, weights):
        other = replace(dataset, targets=targets)
        return fit_head(other, other.streams, CLASSES, tagger, Scaling.of(other.embeddings),
                        SHAPE, FitPlan(epochs=2), tmp_path / name, lambda line: None,
                        weights).own.weight
    weights, wrong = torch.ones(140), dataset.targets.clone()
    weights[:70] = 0.0
    wrong[:70, 0] = wrong[:70, 0].flip(0)  # the balance of classes is of all chunks, and stays
    assert not torch.equal(wrong, dataset.targets)
    torch.testing.assert_close(learned('a.pt', dataset.targets, weights),
                               learned('b.pt', wrong, weights))
    assert not torch.equal(learned('a.pt', dataset.targets, weights),
                           learned('c.pt', dataset.targets, None))
