"""Second pass: the decoder equals transformers' on a tiny random model; loops are noticed."""

import pytest

import torch
import transformers

from audio_interaction_ros.model.whisper_decoder import WhisperDecoder, WhisperDecoderConfig
from audio_interaction_ros.runtimes.second_pass import (
    START_OF_PREVIOUS,
    STYLE,
    likeliest,
    repeats,
    style,
)

pytestmark = pytest.mark.torch


def test_decoder_equals_transformers_with_and_without_cache():
    torch.manual_seed(0)
    reference = transformers.WhisperModel(transformers.WhisperConfig(
        vocab_size=50, d_model=16, decoder_layers=2, decoder_attention_heads=2,
        decoder_ffn_dim=32, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=32,
        max_target_positions=12, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=1)).eval()
    own = WhisperDecoder(WhisperDecoderConfig(vocab_size=50, width=16, layers=2, heads=2,
                                              mlp_width=32, max_positions=12)).eval()
    own.load_state_dict(reference.decoder.state_dict())
    encoded, ids = torch.randn(1, 9, 16), torch.tensor([[1, 7, 30, 4]])
    with torch.inference_mode():
        hidden = reference.decoder(input_ids=ids, encoder_hidden_states=encoded).last_hidden_state
        expected = hidden[0, -1] @ reference.decoder.embed_tokens.weight.T
        frames = own.frames(encoded)
        whole, _ = own(ids, frames)
        _, cache = own(ids[:, :3], frames)
        stepped, _ = own(ids[:, 3:], frames, cache)
    torch.testing.assert_close(whole, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(stepped, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(('ids', 'loops'), [
    ([5, 5, 5, 5], True), ([9, 1, 2, 1, 2, 1, 2, 1, 2], True), ([5, 5, 5], False),
    ([1, 2, 3, 1, 2, 3, 1, 2, 3], False), ([], False)])
def test_a_loop_is_four_times_the_same(ids, loops):
    assert repeats(ids) is loops


def test_a_language_is_one_of_those_that_it_can_be():
    scores = torch.tensor([0.0, 9.0, 2.0, 5.0, 1.0])
    assert likeliest(scores, [1, 2, 3, 4]) == 1
    assert likeliest(scores, [2, 3]) == 3


def test_chinese_is_shown_how_it_is_written():
    assert style('zh', lambda text: [len(text)]) == [START_OF_PREVIOUS, len(STYLE['zh'])]
    assert style('en', lambda text: [len(text)]) == []
