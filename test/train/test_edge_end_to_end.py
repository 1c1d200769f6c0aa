"""The whole recipe, small: from clips through streams and trainings to a model's folder."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

from audio_interaction_ros.checkpoints.config import load_config
from audio_interaction_ros.model.decoder import Decoder
from audio_interaction_ros.model.shapes import DecoderConfig
from held_out.splits import is_validation
from train.edge import adapter, features, pair_rows, scenes, ship, sound, stage_a, stage_b
from train.edge.feature_folder import read_streams
from train.edge.layout import BASE_VOCABULARY
from train.edge.recipe import read_edge_recipe
from train.trainer.recipe import dump_recipe
from train.trainer.starting_model import byte_tokenizer

pytestmark = pytest.mark.torch

SMALL = DecoderConfig(layers=1, width=576, mlp_width=32, heads=9, kv_heads=3, head_dim=64,
                      vocab_size=BASE_VOCABULARY + 19, tied_head=True)
CHANGES = ('window_s=4', 'signals=1',
           *(f'scenes.{kind}.{side}=2' for kind in ('harmless', 'alert', 'long')
             for side in ('train', 'validation')),
           'scenes.speech.train=4', 'scenes.speech.validation=2', 'words.minutes=0.03',
           'sounds.minutes=0.02', 'replies.minutes=0.05', 'replies.positions=300')


@pytest.fixture
def base(tmp_path, monkeypatch):
    """Put a language model of one layer and bytes for tokens in the place of the real one."""
    torch.manual_seed(0)
    small = Decoder(DecoderConfig(**{**vars(SMALL), 'vocab_size': 1})).half()
    state = dict(small.state_dict()) | {
        'model.embed_tokens.weight': torch.randn(BASE_VOCABULARY, 576).half() * 0.1}
    folder = tmp_path / 'base'
    folder.mkdir()
    save_file({name: value.contiguous() for name, value in state.items()},
              folder / 'model.safetensors')
    (folder / 'tokenizer.json').write_text(byte_tokenizer())
    for module in (stage_a, sound, adapter, pair_rows):
        monkeypatch.setattr(module, 'fetch', lambda name: folder)
    for module in (adapter, pair_rows):
        monkeypatch.setattr(module, 'DECODER', SMALL)
    return folder


@pytest.fixture
def heard(monkeypatch):
    """Put noise in the place of what the frozen encoder hears."""
    def encode(tower, mel):
        draw = np.random.default_rng(len(mel)).standard_normal
        return (draw((len(mel), 5, 4096)).astype(np.float16),
                draw((len(mel), features.make_ears().sound_width)).astype(np.float16))
    monkeypatch.setattr(features, '_open_tower', lambda window_s: None)
    monkeypatch.setattr(features, 'encode', encode)


def write_material(place: Path) -> None:
    sides = {next(f's{n}' for n in range(99) if is_validation(f's{n}') == held) for held in (
        True, False)}
    rows, lines = [], []
    for side in sides:
        for label in ('cough', 'rain'):
            name = f'{label}-{side}.wav'
            noise = np.random.default_rng(len(rows)).standard_normal(24_000) * 0.1
            soundfile.write(place / name, noise, 16_000)
            rows.append({'path': name, 'label': label, 'licence_group': 'free', 'seconds': 1.5,
                         'licence': 'CC0-1.0', 'source_id': side})
    for split in ('train', 'validation'):
        for number, text in enumerate(('What is your name?', 'He is at home.')):
            name = f'{split}-{number}.wav'
            soundfile.write(place / name, np.random.default_rng(number).standard_normal(
                20_000) * 0.1, 16_000)
            lines.append({'path': name, 'text': text, 'split': split, 'seconds': 1.25})
    (place / 'manifest.jsonl').write_text('\n'.join(map(json.dumps, rows)))
    (place / 'utterances.jsonl').write_text('\n'.join(map(json.dumps, lines)))


def test_clips_become_streams_features_weights_and_a_folder(tmp_path, base, heard, monkeypatch,
                                                            capsys):
    write_material(tmp_path)
    recipe, out = tmp_path / 'recipe.yaml', tmp_path / 'out'
    dump_recipe(read_edge_recipe('edge', CHANGES), recipe)

    def run(module, *arguments):
        monkeypatch.setattr('sys.argv', [module.__name__, *map(str, arguments)])
        module.main()
    for split in ('train', 'validation'):
        run(scenes, '--recipe', recipe, '--data', tmp_path, '--speech', tmp_path, '--split',
            split, '--out', out / split, '--workers', 0)
    run(features, '--recipe', recipe, '--scenes', out / 'train', '--scenes', out / 'validation',
        '--workers', 0)
    assert [len(read_streams(out / split)) for split in ('train', 'validation')] == [10, 8]
    both = ('--recipe', recipe, '--scenes', out / 'train', '--validation', out / 'validation')
    run(stage_a, *both, '--out', out / 'projector.safetensors')
    run(sound, *both, '--data', tmp_path, '--out', out / 'sound.safetensors')
    replies = ('--recipe', recipe, '--scenes', out / 'train', '--projector',
               out / 'projector.safetensors', '--sound', out / 'sound.safetensors', '--out',
               out / 'trained.safetensors')
    run(stage_b, *replies)
    run(ship, '--recipe', recipe, '--trained', out / 'trained.safetensors', '--out', out / 'model')
    config = load_config(out / 'model/config.yaml')
    assert config.audio_tower.sound_feature == 'strength'
    assert config.audio_tower.window_frames == 400
    assert {'cough', 'rain', 'speech'} <= set(config.audio_tower.sounds)
    trained = load_file(out / 'model/trained.safetensors')
    assert {name.partition('.')[0] for name in trained} == {'control_rows', 'lora', 'projector',
                                                            'sound'}
    capsys.readouterr()
    run(stage_b, *replies)  # given again, it has no time left
    told = re.search(r'10 streams, (.*) of 0.1 min spent', capsys.readouterr().out)
    assert float(told[1]) >= 0.1, 'a slow machine ends its last step late'
