"""The model as it is trained: what learns, what is added, and the plain model that comes out."""

import dataclasses
import json
from pathlib import Path

import pytest

pytest.importorskip('torch')

import torch
from safetensors.torch import save_file

from audio_interaction_ros.checkpoints import layout
from audio_interaction_ros.checkpoints import load as checkpoint
from audio_interaction_ros.checkpoints.config import load_config
from audio_interaction_ros.config import LaneDefaults
from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.decoder import Decoder
from audio_interaction_ros.model.tokenizer import Tokenizer
from audio_interaction_ros.parity import write_released
from train.trainer.batch import collate
from train.trainer.data import Samples
from train.trainer.export import export
from train.trainer.model import Trainee
from train.trainer.recipe import RECIPES, Data, Lora, load_recipe
from train.trainer.starting_model import byte_tokenizer, grow_vocabulary, prepare
from train.trainer.tone_streams import write_streams

pytestmark = pytest.mark.torch

CONFIG = load_config(RECIPES / 'model_tiny.yaml')


@pytest.fixture(scope='module')
def batch(tmp_path_factory):
    records = write_streams(tmp_path_factory.mktemp('streams'), 2, chunks=6)
    samples = Samples.read([records], CONFIG, lambda text: list(text.encode()), Data())
    return collate([samples[0], samples[1]], CONFIG.token_ids.pad)


def trainee_of(*train, config=CONFIG, lora=None, checkpointing=False):
    torch.manual_seed(1)
    recipe, _ = load_recipe('tiny')
    recipe = dataclasses.replace(
        recipe, train=train, lora=lora,
        run=dataclasses.replace(recipe.run, gradient_checkpointing=checkpointing))
    trainee = Trainee(config, AudioTower(config.audio_tower), Decoder(config.decoder), recipe)
    with torch.no_grad():
        for name, value in trainee.named_parameters():
            if name.endswith('.B'):
                continue
            value.add_(0.02 * torch.randn_like(value))
    return trainee


def plain(tensors, config=CONFIG):
    """The model that the tensors of a trainee make, without anything of training."""
    tower, decoder = layout.build_modules(config)
    for module, prefix in ((tower, 'audio_tower.'), (decoder, 'decoder.')):
        layout.assign(module, {key.removeprefix(prefix): value.clone()
                                   for key, value in tensors.items() if key.startswith(prefix)},
                          'here')
    recipe, _ = load_recipe('tiny', ['run.gradient_checkpointing=false'])
    return Trainee(config, tower, decoder, recipe)


def step(trainee, batch, rate=0.1):
    trainee(batch).sum().backward()
    with torch.no_grad():
        for value in trainee.learned_parameters.values():
            assert value.grad is not None
            value -= rate * value.grad
            value.grad = None


@pytest.mark.parametrize('train, parts', [
    (('head', 'new_embeddings'), {'new_rows', 'decoder.lm_head.weight'}),
    (('adapter',), {'tower.proj.weight', 'tower.proj.bias'})])
def test_the_first_stages_train_what_the_paper_says(train, parts):
    assert set(trainee_of(*train).learned_parameters) == parts


def test_the_last_stages_train_adapter_and_language_model():
    trainee = trainee_of('adapter', 'lm')
    decoder = {f'decoder.{name}' for name, _ in trainee.decoder.named_parameters()}
    assert set(trainee.learned_parameters) == decoder | {'tower.proj.weight', 'tower.proj.bias'}


@pytest.mark.parametrize('train, lora', [
    (('head', 'new_embeddings'), None), (('adapter',), None), (('adapter', 'lm'), None),
    (('tower', 'adapter', 'lm'), None), (('adapter', 'lm', 'new_embeddings'), Lora(rank=4))])
def test_a_step_changes_what_is_trained_and_nothing_else(batch, train, lora):
    trainee = trainee_of(*train, lora=lora)
    before = {name: value.detach().clone() for name, value in trainee.named_parameters()}
    step(trainee, batch), step(trainee, batch)
    changed = {name for name, value in trainee.named_parameters()
               if not torch.equal(value, before[name])}
    assert changed == set(trainee.learned_parameters)


@pytest.mark.parametrize('train, lora', [
    (('head', 'new_embeddings'), None), (('adapter', 'lm', 'new_embeddings'), Lora(rank=4))])
def test_the_plain_model_computes_the_same(batch, train, lora):
    trainee = trainee_of(*train, lora=lora)
    step(trainee, batch), step(trainee, batch)
    with torch.no_grad():
        torch.testing.assert_close(plain(trainee.tensors()).hidden(batch), trainee.hidden(batch),
                                   atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(plain(trainee.tensors())(batch), trainee(batch), atol=1e-3,
                                   rtol=1e-5)


def test_only_rows_of_structural_ids_are_new(batch):
    trainee = trainee_of('new_embeddings')
    before = trainee.tensors()['decoder.model.embed_tokens.weight'].clone()
    step(trainee, batch)
    after = trainee.tensors()['decoder.model.embed_tokens.weight']
    rows = (before != after).any(dim=1).nonzero()[:, 0].tolist()
    assert rows and set(rows) <= CONFIG.token_ids.structural
    # Audio places are overwritten by features, so their row has nothing to learn.
    assert CONFIG.token_ids.silence in rows and CONFIG.token_ids.pad not in rows


def test_new_rows_also_score_where_the_head_is_the_embedding(batch):
    config = dataclasses.replace(CONFIG, decoder=dataclasses.replace(CONFIG.decoder,
                                                                     tied_head=True))
    trainee = trainee_of('new_embeddings', config=config)
    step(trainee, batch)
    with torch.no_grad():
        torch.testing.assert_close(plain(trainee.tensors(), config)(batch), trainee(batch))
    with pytest.raises(ConfigurationError, match='head'):
        trainee_of('head', config=config)


def test_low_rank_differences_begin_as_nothing(batch):
    with torch.no_grad():
        lora, whole = (trainee_of('lm', lora=kind) for kind in (Lora(rank=4), None))
        whole.load_state_dict({name: value for name, value in lora.state_dict().items()
                               if not name.endswith(('.A', '.B'))})
        torch.testing.assert_close(lora(batch), whole(batch))
    assert len(lora.learned_parameters) == 2 * 2 * 7  # A and B, two layers, seven matrices


def test_unknown_lora_targets_are_refused():
    with pytest.raises(ConfigurationError, match='c_attn'):
        trainee_of('lm', lora=Lora(targets=('c_attn',)))


@pytest.mark.parametrize('train', [('adapter',), ('tower', 'adapter', 'lm')])
def test_gradient_checkpointing_changes_no_gradient(batch, train):
    gradients = []
    for checkpointing in (False, True):
        trainee = trainee_of(*train, checkpointing=checkpointing)
        trainee(batch).sum().backward()
        gradients.append({name: value.grad for name, value in trainee.learned_parameters.items()})
    torch.testing.assert_close(gradients[0], gradients[1])


def test_a_vocabulary_grows_near_its_mean_and_never_shrinks():
    table = torch.randn(10, 4) + 5.0
    wider = grow_vocabulary({'model.embed_tokens.weight': table, 'norm': torch.ones(4)}, 12)
    assert torch.equal(wider['model.embed_tokens.weight'][:10], table)
    assert (wider['model.embed_tokens.weight'][10:] - 5.0).abs().max() < 4.0
    assert torch.equal(wider['norm'], torch.ones(4))
    with pytest.raises(CheckpointError, match='10'):
        grow_vocabulary({'lm_head.weight': table}, 8)


def omni_folder(tmp_path, trainee):
    """A folder in the layout of Qwen2.5-Omni with the trainee's weights and what is not read."""
    names = {'audio_tower.': 'thinker.audio_tower.', 'decoder.': 'thinker.'}
    tensors = {wanted + key.removeprefix(prefix): value
               for key, value in trainee.tensors().items()
               for prefix, wanted in names.items() if key.startswith(prefix)}
    tensors['thinker.audio_tower.audio_bos_eos_token.weight'] = torch.zeros(2, 96)
    tensors['thinker.visual.patch.weight'] = torch.zeros(3)
    tensors['talker.model.norm.weight'] = torch.ones(3)
    half = len(tensors) // 2
    for index, part in enumerate((list(tensors)[:half], list(tensors)[half:])):
        save_file({key: tensors[key] for key in part},
                  tmp_path / f'model-0000{index + 1}-of-00002.safetensors')
    (tmp_path / 'config.json').write_text(json.dumps({'thinker_config': {}}))
    (tmp_path / 'tokenizer.json').write_text(byte_tokenizer())
    return tmp_path


def start_from(folder, *changes, tokenizer=''):
    recipe, path = load_recipe('tiny', [f'model.weights={folder}',
                                        f"model.tokenizer='{tokenizer}'", *changes])
    return prepare(recipe, path)


def test_a_stage_starts_from_the_weights_of_qwen_omni(tmp_path):
    trainee = trainee_of('adapter')
    start = start_from(omni_folder(tmp_path, trainee))
    for module, found in ((trainee.tower, start.tower), (trainee.decoder, start.decoder)):
        torch.testing.assert_close(dict(found.state_dict()), dict(module.state_dict()))
    assert start.tokenizer_json == byte_tokenizer()


def test_a_stage_starts_from_what_another_wrote(tmp_path):
    trainee = trainee_of('adapter')
    export(trainee, tmp_path / 'model', byte_tokenizer(), {'assistant': 'Name each tone.'})
    start = start_from(tmp_path / 'model')
    torch.testing.assert_close(dict(start.decoder.state_dict()),
                               dict(trainee.decoder.state_dict()))
    assert start.tokenizer_json == byte_tokenizer()
    loaded = checkpoint.load(tmp_path / 'model')
    assert loaded.config.lanes == {'assistant': LaneDefaults(prompt='Name each tone.')}
    assert loaded.config.max_positions == 4096


def test_a_stage_starts_from_a_released_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))
    reference = json.loads((Path(__file__).parents[1] / 'data/tiny_reference.json').read_text())
    folder = tmp_path / 'released'
    folder.mkdir()
    write_released(folder, reference)
    loaded = checkpoint.load(folder)
    shape, = (tmp_path / 'cache/converted').glob('*/config.yaml')
    start = start_from(folder, f'model.shape={shape}')
    torch.testing.assert_close(dict(start.decoder.state_dict()),
                               dict(loaded.decoder.state_dict()))
    assert json.loads(start.tokenizer_json) == json.loads(
        (shape.parent / 'tokenizer.json').read_text())


def test_weights_of_another_shape_are_refused_by_name(tmp_path):
    wide = dataclasses.replace(CONFIG, decoder=dataclasses.replace(CONFIG.decoder,
                                                                   mlp_width=128))
    export(trainee_of('adapter', config=wide), tmp_path / 'model', byte_tokenizer(), {})
    with pytest.raises(CheckpointError, match=r'decoder\.mlp_width: expected 256, found 128'):
        start_from(tmp_path / 'model')
    folder = tmp_path / 'omni'
    folder.mkdir()
    with pytest.raises(CheckpointError, match=r'gate_proj\.weight \[256, 96\], found \[128, 96\]'):
        start_from(omni_folder(folder, trainee_of('adapter', config=wide)))


def test_weights_without_a_tokenizer_need_one():
    with pytest.raises(ConfigurationError, match=r'model\.tokenizer'):
        start_from('')


def test_random_weights_depend_on_the_seed_alone():
    states = [dict(start_from('', f'run.seed={seed}', tokenizer='bytes').decoder.state_dict())
              for seed in (1, 1, 2)]
    torch.testing.assert_close(states[0], states[1])
    assert not torch.equal(states[0]['lm_head.weight'], states[2]['lm_head.weight'])


def test_random_weights_are_as_large_as_their_columns_are_few():
    weights = start_from('', tokenizer='bytes').decoder.state_dict()
    for name in ('lm_head.weight', 'model.embed_tokens.weight',
                 'model.layers.0.mlp.down_proj.weight'):
        spread = float(weights[name].std())
        assert spread * weights[name].shape[1] ** 0.5 == pytest.approx(0.64, rel=0.05)


def test_bytes_as_tokens_carry_any_text(tmp_path):
    path = tmp_path / 'tokenizer.json'
    path.write_text(byte_tokenizer())
    tokenizer = Tokenizer(path, structural=CONFIG.token_ids.structural)
    text = 'Größe: 3 m² — 你好\n'
    ids = tokenizer.encode(text)
    assert len(ids) == len(text.encode()) and max(ids) < 256
    assert b''.join(map(tokenizer.token_bytes, ids)).decode() == text


def test_a_model_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    export(trainee_of('adapter'), tmp_path / 'model', byte_tokenizer(), {})
    before = checkpoint.load(tmp_path / 'model').model_id

    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(layout, 'save', full)
    with pytest.raises(CheckpointError, match='No space left'):
        export(trainee_of('lm'), tmp_path / 'model', byte_tokenizer(), {})
    assert checkpoint.load(tmp_path / 'model').model_id == before
    assert [path.name for path in tmp_path.iterdir()] == ['model']


@pytest.mark.parametrize('sound_feature', ['direction', 'strength'])
def test_a_tower_with_a_sound_branch_is_trained_with_the_features_that_serve(
        tmp_path, sound_feature):
    config = dataclasses.replace(CONFIG, audio_tower=dataclasses.replace(
        CONFIG.audio_tower, sounds=('rain', 'siren'), sound_levels=(1,), sound_hidden=8,
        feature_norm=3.2, sound_feature=sound_feature))
    records = write_streams(tmp_path, 1, chunks=6)
    samples = Samples.read([records], config, lambda text: list(text.encode()), Data())
    heard, = collate([samples[0]], CONFIG.token_ids.pad).heard
    trainee = trainee_of('adapter', config=config)
    assert heard.rows.shape[0] == 6 * config.audio_tower.features_per_chunk
    with torch.no_grad():
        torch.testing.assert_close(trainee._features(heard.mel),
                                   trainee.tower(heard.mel).flatten(0, 1))
