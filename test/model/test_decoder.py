import numpy as np
import pytest
import torch
import transformers

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.decoder import Decoder, _attend, rope_tables
from audio_interaction_ros.model.rope import rope_index
from audio_interaction_ros.model.shapes import DecoderConfig

pytestmark = pytest.mark.torch

SHAPE = {'hidden_size': 48, 'intermediate_size': 96, 'num_hidden_layers': 2,
         'num_attention_heads': 6, 'num_key_value_heads': 2, 'vocab_size': 99,
         'rms_norm_eps': 1e-5, 'rope_theta': 1e4}


@pytest.mark.parametrize('tied', [False, True])
@pytest.mark.parametrize('family', ['Qwen2', 'Llama'])
@torch.inference_mode()
def test_equals_transformers(family, tied):
    torch.manual_seed(1)
    config = getattr(transformers, f'{family}Config')(**SHAPE, tie_word_embeddings=tied)
    theirs = getattr(transformers, f'{family}ForCausalLM')(config).eval()
    for parameter in theirs.parameters():
        parameter.normal_(std=0.2)
    ours = Decoder(DecoderConfig(
        layers=2, width=48, mlp_width=96, heads=6, kv_heads=2, head_dim=8, vocab_size=99,
        rope_base=1e4, norm_eps=1e-5, attention_bias=family == 'Qwen2', tied_head=tied))
    state = theirs.state_dict()
    if tied:
        del state['lm_head.weight']
    ours.load_state_dict(state)
    ids = torch.randint(0, 99, (2, 13))
    found = ours.logits(ours(ours.embed(ids), *rope_tables(np.arange(13)[None], 8, 1e4)))
    torch.testing.assert_close(found, theirs(ids).logits, atol=1e-4, rtol=1e-4)


def test_gradients_reach_every_parameter():
    decoder = Decoder(DecoderConfig(layers=2, width=16, mlp_width=32, heads=4, kv_heads=2,
                                    head_dim=4, vocab_size=9, attention_bias=True))
    ids = torch.arange(9)
    hidden = decoder(decoder.embed(ids[None]), *rope_tables(np.arange(9)[None], 4, 1e4))
    torch.nn.functional.cross_entropy(decoder.logits(hidden)[0], ids).backward()
    missing = [name for name, parameter in decoder.named_parameters() if parameter.grad is None]
    assert missing == []


def test_control_logits_are_two_of_all_logits():
    decoder = Decoder(DecoderConfig(layers=1, width=16, mlp_width=32, heads=4, kv_heads=2,
                                    head_dim=4, vocab_size=9))
    hidden = torch.randn(3, 16)
    torch.testing.assert_close(decoder.control_logits(hidden, 7, 2),
                               decoder.logits(hidden)[:, [7, 2]])


def test_angles_stay_exact_far_into_a_stream():
    cos, _ = rope_tables(np.array([10_000_000]), 8, 1e4)
    assert cos[0, 0].item() == pytest.approx(np.cos(1e7), abs=1e-7)


def test_the_index_of_the_release_is_exact_up_to_2048():
    positions = np.arange(2049)
    np.testing.assert_array_equal(rope_index(positions, 'fp16_compat'), positions)
    for ours, theirs in zip(rope_tables(positions, 128, 1e6),
                            rope_tables(positions, 128, 1e6, index_dtype='fp16_compat'),
                            strict=True):
        assert torch.equal(ours, theirs)


def test_the_index_of_the_release_collapses_above_2048():
    found = rope_index(np.arange(2048, 2056), 'fp16_compat')
    # half to even: 2051, 2052 and 2053 share an angle, 2050 and 2054 stand alone
    assert found.tolist() == [2048, 2048, 2050, 2052, 2052, 2052, 2054, 2056]
    above = rope_index(np.arange(4096, 8193), 'fp16_compat')
    assert set(np.diff(np.unique(above))) == {4.0}
    cos, _ = rope_tables(np.array([2051, 2053]), 8, 1e4, index_dtype='fp16_compat')
    assert torch.equal(cos[0], cos[1])
    cos, _ = rope_tables(np.array([2051, 2053]), 8, 1e4)
    assert not torch.equal(cos[0], cos[1])


def test_positions_that_the_index_cannot_hold_are_refused():
    assert rope_index(np.array([65_504]), 'fp16_compat').tolist() == [65_504]
    with pytest.raises(ConfigurationError, match='ends at position 65504, found 65505'):
        rope_index(np.array([1, 65_505]), 'fp16_compat')
    with pytest.raises(ConfigurationError, match='model.rope_index_dtype'):
        rope_tables(np.arange(3), 8, 1e4, index_dtype='fp8')


def test_training_on_a_cpu_in_bfloat16_sees_the_same_past():
    torch.manual_seed(3)
    query, key, value = (torch.randn(2, heads, 7, 16, dtype=torch.bfloat16)
                         for heads in (6, 2, 2))
    expected = _attend(query, key, value, None)
    learning = _attend(query.clone().requires_grad_(), key, value, None)
    torch.testing.assert_close(learning, expected, atol=0.03, rtol=0.03)
