"""What products cost by how weights are written: a line for every kind and length of a pass."""

import numpy as np
import pytest

from audio_interaction_ros.graphs.quantise import BLOCKS
from audio_interaction_ros.model.shapes import DecoderConfig
from bench import models, products

pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.unit

SMALL = DecoderConfig(layers=3, width=128, mlp_width=256, heads=4, kv_heads=2, head_dim=32,
                      vocab_size=50, rope_base=1e4, norm_eps=1e-5)


def test_every_kind_of_weights_has_its_time_at_every_length():
    found = products.run(SMALL, threads=1, repeat=2, positions=(1, 5))
    assert [figure.what for figure in found] == [
        f'{count} positions, {kind}' for count in (1, 5) for kind in products.KINDS]
    assert all(figure.samples == 2 and figure.value >= 0 for figure in found)


@pytest.mark.parametrize('kind', products.KINDS)
def test_all_kinds_compute_the_same_product(kind, tmp_path):
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((24, 128), dtype=np.float32)
    x = rng.standard_normal((5, 128), dtype=np.float32)
    session = products._open(tmp_path / 'one.onnx', kind, [weight], 1)
    found, = session.run(None, {'x0': x})
    assert np.abs(found - x @ weight.T).max() < 0.05 * np.abs(x @ weight.T).max()


def test_the_block_that_is_shipped_is_one_of_those_measured():
    assert f'8 bits in blocks of {BLOCKS[8]}' in products.KINDS


def test_shapes_are_known_without_weights():
    assert models.read_shape(models.RANDOM).layers == 30
