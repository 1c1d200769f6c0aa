"""The graphs of the second pass compute what transformers computes, on a tiny random model."""

import numpy as np
import onnxruntime as ort
import pytest

from audio_interaction_ros.graphs import names
from audio_interaction_ros.graphs.audio_tower import whisper_encoder
from audio_interaction_ros.graphs.whisper import cross_attention, decoder_step
from audio_interaction_ros.model.shapes import AudioTowerConfig, WhisperDecoderConfig
from audio_interaction_ros.runtimes.onnx_second_pass import OnnxWhisper

torch = pytest.importorskip('torch')
transformers = pytest.importorskip('transformers')
pytestmark = pytest.mark.torch

TOWER = AudioTowerConfig(mel_bins=80, width=16, layers=2, heads=2, mlp_width=32, window_frames=40,
                         keep_frames=20, output_width=1)
DECODER = WhisperDecoderConfig(vocab_size=50, width=16, layers=2, heads=2, mlp_width=32,
                               max_positions=12, alignment_heads=((0, 1), (1, 0)))


@pytest.fixture(scope='module')
def reference():
    torch.manual_seed(0)
    return transformers.WhisperModel(transformers.WhisperConfig(
        vocab_size=50, d_model=16, decoder_layers=2, decoder_attention_heads=2,
        decoder_ffn_dim=32, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=32,
        max_source_positions=20, max_target_positions=12, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=1)).eval()


def net(reference):
    encoder, decoder = ({name: value.numpy() for name, value in part.state_dict().items()}
                        for part in (reference.encoder, reference.decoder))
    for name in ('weight', 'bias'):
        encoder[f'ln_post.{name}'] = encoder.pop(f'layer_norm.{name}')
    sessions = {name: ort.InferenceSession(builder.finish().SerializeToString())
                for name, builder in (('encoder', whisper_encoder(TOWER, encoder)),
                                      ('cross', cross_attention(DECODER, decoder)),
                                      ('step', decoder_step(DECODER, decoder)))}
    return OnnxWhisper(DECODER, **sessions, embeddings=decoder['embed_tokens.weight'],
                       positions=decoder['embed_positions.weight'], slots=12)


def test_the_encoder_is_that_of_transformers(reference):
    mel = np.random.default_rng(0).standard_normal((80, 40)).astype(np.float32)
    with torch.inference_mode():
        expected = reference.encoder(torch.from_numpy(mel)[None]).last_hidden_state[0]
    np.testing.assert_allclose(net(reference).encode(mel), expected.numpy(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('pieces', [[6], [1, 1, 1, 1, 1, 1], [3, 1, 1, 1], [2, 4]])
def test_a_text_has_the_scores_of_transformers_however_it_is_fed(reference, pieces):
    encoded = np.random.default_rng(1).standard_normal((9, 16)).astype(np.float32)
    ids = [1, 7, 30, 4, 49, 7]
    with torch.inference_mode():
        hidden = reference.decoder(
            input_ids=torch.tensor([ids]),
            encoder_hidden_states=torch.from_numpy(encoded)[None]).last_hidden_state[0]
        expected = (hidden @ reference.decoder.embed_tokens.weight.T).numpy()
    whisper = net(reference)
    frames = whisper.attend(encoded)
    assert set(frames) == {name for pair in names.cross_names(2) for name in pair}
    step, fed = whisper.begin(frames), 0
    for count in pieces:
        scores = step(ids[fed:fed + count])
        fed += count
        np.testing.assert_allclose(scores, expected[fed - 1], atol=1e-4, rtol=1e-4)


def test_two_texts_of_the_same_frames_do_not_meet(reference):
    whisper = net(reference)
    frames = whisper.attend(np.random.default_rng(2).standard_normal((9, 16)).astype(np.float32))
    alone = whisper.begin(frames)
    expected = [alone([1]), alone([5])]
    one, other = whisper.begin(frames), whisper.begin(frames)
    first = one([1])
    other([9, 8, 7])
    first[:] = -np.inf  # what was returned is the caller's
    np.testing.assert_array_equal(one([5]), expected[1])
    np.testing.assert_array_equal(whisper.begin(frames)([1]), expected[0])


@pytest.mark.parametrize('pieces', [[4], [1, 3], [2, 1, 1]])
def test_heads_tell_where_they_look_as_those_of_transformers(reference, pieces):
    encoded = np.random.default_rng(3).standard_normal((9, 16)).astype(np.float32)
    ids = [1, 7, 30, 4]
    reference.set_attn_implementation('eager')
    with torch.inference_mode():
        seen = reference.decoder(
            input_ids=torch.tensor([ids]), output_attentions=True,
            encoder_hidden_states=torch.from_numpy(encoded)[None]).cross_attentions
    expected = np.stack([seen[layer][0, head].numpy() for layer, head in DECODER.alignment_heads])
    whisper = net(reference)
    step, fed = whisper.begin(whisper.attend(encoded)), 0
    for count in pieces:
        step(ids[fed:fed + count])
        fed += count
    np.testing.assert_allclose(np.concatenate(step.looks, axis=1), expected, atol=1e-5)
