"""A text model of our graphs against transformers' own Qwen2, and what its files may be."""

import json
import shutil

import numpy as np
import pytest

from audio_interaction_ros.checkpoints import text_model
from audio_interaction_ros.checkpoints.base_weights import HubFiles, WeightSource
from audio_interaction_ros.checkpoints.cache import sha256
from audio_interaction_ros.checkpoints.text_model import identify_text_model
from audio_interaction_ros.checkpoints.text_shape import shape_of
from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.model.shapes import DecoderConfig
from audio_interaction_ros.runtimes.onnx_text_net import OnnxTextNet
from audio_interaction_ros.runtimes.registry import load_text_model
from bench.measure import resident_mib

pytestmark = pytest.mark.torch

MARKS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
SIZES = {'hidden_size': 64, 'intermediate_size': 96, 'num_hidden_layers': 2,
         'num_attention_heads': 4, 'num_key_value_heads': 2, 'vocab_size': 300,
         'rope_theta': 1e6, 'rms_norm_eps': 1e-6, 'max_position_embeddings': 128}
IDS = [7, 45, 210, 3, 99, 256, 18, 4]


def byte_tokens():
    from tokenizers.pre_tokenizers import ByteLevel
    return sorted(ByteLevel.alphabet())


def write_tokenizer(path):
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    tokenizer = Tokenizer(models.BPE(
        vocab={token: i for i, token in enumerate(byte_tokens())}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(mark, special=True) for mark in MARKS])
    tokenizer.save(str(path))


@pytest.fixture(scope='module', params=['qwen2, tied head', 'qwen2, own head', 'llama',
                                        'qwen2, bf16'])
def reference(request, tmp_path_factory):
    """A folder as the hub has it, and transformers' model of it."""
    torch, transformers = pytest.importorskip('torch'), pytest.importorskip('transformers')
    torch.manual_seed(3)
    family, _, head = request.param.partition(', ')
    config, model = {
        'qwen2': (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
        'llama': (transformers.LlamaConfig, transformers.LlamaForCausalLM)}[family]
    net = model(config(**SIZES, tie_word_embeddings=head != 'own head')).eval()
    with torch.no_grad():
        for name, weight in net.named_parameters():  # norms of one and biases of zero hide errors
            weight.copy_(torch.randn_like(weight) * 0.2 + ('norm' in name))
    if head == 'bf16':  # as the hub has it
        net.bfloat16()
    folder = tmp_path_factory.mktemp('hub') / 'tiny'
    net.save_pretrained(folder, safe_serialization=True)
    net = model.from_pretrained(folder, dtype=torch.float32).eval()
    write_tokenizer(folder / 'tokenizer.json')

    def logits(ids):
        with torch.no_grad():
            return net(torch.tensor([ids])).logits[0].numpy()
    return folder, logits


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


def test_the_steps_give_the_scores_of_transformers(reference, cache):
    folder, logits = reference
    net, expected = load_text_model(str(folder), dtype='float32').open_net(), logits(IDS)
    assert np.abs(net.feed(IDS, 0) - expected[-1]).max() < 1e-4 * np.abs(expected).max()
    at = 0
    for count in (3, 1, 4):  # in pieces, over the cache
        scores = net.feed(IDS[at:at + count], at)
        at += count
        assert np.abs(scores - expected[at - 1]).max() < 1e-4 * np.abs(expected).max()


def test_what_stood_behind_is_forgotten(reference, cache):
    folder, logits = reference
    net = load_text_model(str(folder), dtype='float32').open_net()
    net.feed([*IDS, 11, 12, 13], 0)
    other = [*IDS[:3], 150, 151]
    assert np.abs(net.feed(other[3:], 3) - logits(other)[-1]).max() < 1e-3
    with pytest.raises(ValueError, match='from position 1020'):
        net.feed([1] * 5, 1020)
    with pytest.raises(ValueError, match='found 0'):
        net.feed([], 0)


@pytest.mark.parametrize('dtype, near', [('int8', 0.99), ('int4', 0.8)])
def test_few_bits_stay_near(reference, cache, dtype, near):
    folder, logits = reference
    scores = load_text_model(str(folder), dtype=dtype).open_net().feed(IDS, 0)
    assert np.corrcoef(scores, logits(IDS)[-1])[0, 1] > near


def write_gguf(folder, path):
    """Write what the folder holds as llama.cpp has it."""
    import gguf
    from safetensors.numpy import load_file
    said = json.loads((folder / 'config.json').read_text())
    writer = gguf.GGUFWriter(path, 'qwen2')
    writer.add_block_count(said['num_hidden_layers'])
    writer.add_embedding_length(said['hidden_size'])
    writer.add_feed_forward_length(said['intermediate_size'])
    writer.add_head_count(said['num_attention_heads'])
    writer.add_head_count_kv(said['num_key_value_heads'])
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_pre('qwen2')
    writer.add_token_list([*byte_tokens(), 'Ġa', *MARKS, '<tool>'])
    writer.add_token_merges(['Ġ a'])
    writer.add_token_types([1] * 257 + [3] * len(MARKS) + [4])
    parts = {'self_attn.q_proj': 'attn_q', 'self_attn.k_proj': 'attn_k', 'mlp.down_proj':
             'ffn_down', 'self_attn.v_proj': 'attn_v', 'self_attn.o_proj': 'attn_output',
             'mlp.gate_proj': 'ffn_gate', 'mlp.up_proj': 'ffn_up', 'input_layernorm': 'attn_norm',
             'post_attention_layernorm': 'ffn_norm', 'model.embed_tokens': 'token_embd',
             'model.norm': 'output_norm', 'model.layers': 'blk', 'lm_head': 'output'}
    for name, value in load_file(folder / 'model.safetensors').items():
        for theirs, ours in parts.items():
            name = name.replace(theirs, ours)
        writer.add_tensor(name, value.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize('reference', ['qwen2, tied head', 'qwen2, own head'], indirect=True)
def test_a_gguf_file_gives_the_same_and_cuts_text_as_qwen2_does(reference, cache, tmp_path):
    folder, logits = reference
    write_gguf(folder, tmp_path / 'tiny.gguf')
    model = load_text_model(str(tmp_path / 'tiny.gguf'), dtype='float32')
    assert np.abs(model.open_net().feed(IDS, 0) - logits(IDS)[-1]).max() < 1e-3
    tokenizer = model.tokenizer
    assert set(tokenizer.special_ids) == {*MARKS, '<tool>'}
    assert tokenizer.encode(' a') == [256]
    text = 'Café <|im_end|> 42!'
    assert b''.join(map(tokenizer.token_bytes, tokenizer.encode(text))).decode() == text
    assert not set(tokenizer.encode(text)) & set(tokenizer.special_ids.values())


def test_it_is_made_once_and_known_again_by_what_it_is_made_of(reference, cache, capfd):
    folder, _ = reference
    first = load_text_model(str(folder), dtype='int8').name
    assert 'for ONNX Runtime (int8), once' in capfd.readouterr().err
    assert load_text_model(str(folder), dtype='int8').name == first
    assert capfd.readouterr().err == ''
    other = folder.parent / 'other'
    shutil.copytree(folder, other, dirs_exist_ok=True)
    weights = bytearray((other / 'model.safetensors').read_bytes())
    weights[-1] ^= 1
    (other / 'model.safetensors').write_bytes(weights)
    assert identify_text_model(str(other)).model_id.rpartition('-')[2] not in first


def test_a_named_model_is_fetched_checked_by_hash_and_then_only_read(reference, cache,
                                                                     monkeypatch):
    folder, _ = reference
    import huggingface_hub
    asked = []

    def download(repository, name, *, local_dir, **_):
        asked.append((repository, name))
        local_dir.mkdir(exist_ok=True)
        shutil.copyfile(folder / name, local_dir / name)
    monkeypatch.setattr(huggingface_hub, 'hf_hub_download', download)
    names = ('config.json', 'tokenizer.json', 'model.safetensors')
    source = WeightSource(hub=HubFiles(repository='some/where', files=names),
                          converted={name: sha256(folder / name) for name in names})
    monkeypatch.setitem(text_model.NAMED, 'tiny-chat', source)
    assert load_text_model('tiny-chat').name.startswith('tiny-chat-')
    assert asked == [('some/where', name) for name in names]
    (folder / 'tokenizer.json').write_bytes((folder / 'tokenizer.json').read_bytes() + b' ')
    load_text_model('tiny-chat')
    assert len(asked) == len(names)
    shutil.rmtree(cache)
    with pytest.raises(CheckpointError, match='not the bits.*tokenizer.json: expected sha256'):
        load_text_model('tiny-chat')


def test_what_cannot_be_computed_is_refused(tmp_path, cache):
    with pytest.raises(CheckpointError, match='audio-interaction model fetch NAME'):
        identify_text_model(str(tmp_path / 'nothing'))
    with pytest.raises(ConfigurationError, match='change reply.dtype'):
        load_text_model(str(tmp_path), dtype='int3')
    said = {'model_type': 'qwen2', **SIZES}
    assert shape_of(said).attention_bias and shape_of(said).head_dim == 16
    for key, value in (('model_type', 'gpt2'), ('rope_scaling', {'type': 'linear'})):
        with pytest.raises(ValueError, match=key):
            shape_of({**said, key: value})
    (tmp_path / 'config.json').write_text(json.dumps({**said, 'model_type': 'gpt2'}))
    with pytest.raises(CheckpointError, match='found no tokenizer.json'):
        identify_text_model(str(tmp_path))
    (tmp_path / 'tokenizer.json').write_text('{}')
    (tmp_path / 'model.safetensors').write_bytes(b'')
    with pytest.raises(CheckpointError, match='take another model'):
        load_text_model(str(tmp_path))
    (tmp_path / 'model.gguf').write_bytes(b'GGUF')
    with pytest.raises(CheckpointError, match='expected a GGUF file'):
        load_text_model(str(tmp_path / 'model.gguf'))


def test_of_a_long_cache_only_what_is_written_is_resident():
    shape = DecoderConfig(layers=16, width=64, mlp_width=64, heads=4, kv_heads=4, head_dim=64,
                          vocab_size=8, rope_base=1e4, norm_eps=1e-5)
    before = resident_mib()
    net = OnnxTextNet(shape, step=None, head=None, embeddings=None, slots=2048)  # 64 MiB
    net._cache[..., :8, :] = 1.0
    assert resident_mib() - before < 8
