"""A small model of random weights on disk, and requests to it, for the tests of runtimes."""

import dataclasses
import json

import numpy as np
import tokenizers
import torch
from safetensors.numpy import save_file

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.checkpoints.layout import save
from audio_interaction_ros.checkpoints.load import LoadedModel
from audio_interaction_ros.checkpoints.manifest import write_manifest
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.decoder import Decoder, rope_tables
from audio_interaction_ros.model.shapes import AudioTowerConfig, DecoderConfig
from audio_interaction_ros.protocol import TokenIds
from audio_interaction_ros.runtimes.base import Allowed, StepRequest

IDS = TokenIds(user=1, assistant=2, silence=3, respond=4, text_end=5, pad=6, online=7, offline=8,
               language=9, system=4, audio_pad=10, audio_begin=11, audio_end=12,
               emotions=(13, 14, 15, 16, 17, 18))
SLOTS = 64
WIDTH = 32
SHAPES = {
    'llama': DecoderConfig(layers=2, width=WIDTH, mlp_width=64, heads=4, kv_heads=2, head_dim=8,
                           vocab_size=40, tied_head=True),
    'qwen2': DecoderConfig(layers=2, width=WIDTH, mlp_width=64, heads=4, kv_heads=1, head_dim=8,
                           vocab_size=40, attention_bias=True),
}


def random_model(kind='llama', **of_tower):
    """
    Return a LoadedModel whose weights are of chance; that of llama has a sound branch.

    ``of_tower`` are settings of its audio tower.
    """
    torch.manual_seed(3)
    config = CheckpointConfig(
        model='small', token_ids=IDS, decoder=SHAPES[kind],
        audio_tower=AudioTowerConfig(mel_bins=8, width=16, layers=1, heads=2, mlp_width=32,
                                     window_frames=80, stack=4, output_width=WIDTH))
    tower, decoder = AudioTower(config.audio_tower).eval(), Decoder(config.decoder).eval()
    for parameter in (*tower.parameters(), *decoder.parameters()):
        torch.nn.init.normal_(parameter, std=0.3)
    if kind == 'llama':
        config, tower = _with_sounds(config, tower, of_tower)
    return LoadedModel(config=config, tower=tower, decoder=decoder, tokenizer=None,
                       model_id='small-1')


def _with_sounds(config, tower, of_tower):
    # Drawn apart, so that all other weights are those of a model without.
    config = dataclasses.replace(config, audio_tower=dataclasses.replace(
        config.audio_tower, sounds=('rain', 'siren'), sound_levels=(0, 1), sound_hidden=8,
        **of_tower))
    hearing, chance = AudioTower(config.audio_tower).eval(), torch.Generator().manual_seed(4)
    for parameter in hearing.sound.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=chance)
    hearing.load_state_dict(tower.state_dict(), strict=False)
    return config, hearing


def add_sound_head(folder, *, seed=0, width=96, **metadata):
    """Put a head of random weights into the folder of a model."""
    draw = np.random.default_rng(seed).standard_normal
    shapes = {'hidden': (4, width), 'context': (5, 12), 'classes': (2, 5)}
    tensors = {}
    for name, shape in shapes.items():
        tensors[f'{name}.weight'] = draw(shape).astype(np.float16)
        tensors[f'{name}.bias'] = draw(shape[:1]).astype(np.float16)
    save_file(tensors, folder / 'sounds.safetensors', metadata={
        'format': 'audio-interaction-sounds/1', 'context': '3',
        'classes': json.dumps(['rain', 'siren']), **metadata})
    config = folder / 'config.yaml'
    if 'sounds.safetensors' not in config.read_text():
        config.write_text(config.read_text() + 'sounds: sounds.safetensors\n')
    write_manifest(folder)
    return folder


def save_model(loaded, folder):
    """Write a LoadedModel as a folder that every runtime loads; return the folder."""
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={'a': 0}, merges=[]))
    folder.mkdir(parents=True)
    bpe.save(str(folder / 'bpe.json'))
    save(folder / 'model', loaded.config, {
        **{f'audio_tower.{key}': value for key, value in loaded.tower.state_dict().items()},
        **{f'decoder.{key}': value for key, value in loaded.decoder.state_dict().items()},
    }, folder / 'bpe.json')
    return folder / 'model'


def request(ids, *, lane=0, slots, positions=None, seen=(), features=None, read=None,
            allowed=Allowed.TEXT):
    """Return a request for a token after its last position, or for the controls at ``read``."""
    visible = np.zeros(SLOTS, bool)
    visible[list(seen)] = True
    slots = np.asarray(slots)
    count = 0 if features is None else len(features)
    return StepRequest(
        lane=lane, ids=np.asarray(ids), slots=slots,
        positions=slots if positions is None else np.asarray(positions), visible=visible,
        feature_index=np.arange(1, 1 + count),
        features=np.zeros((0, WIDTH), np.float32) if features is None else features,
        read=np.array([len(ids) - 1] if read is None else read, np.int64),
        allowed=allowed if read is None else Allowed.CONTROLS)


def full_pass(loaded, ids):
    """Return the scores [vocab_size] after ids fed at once, without a cache."""
    shape = loaded.config.decoder
    with torch.inference_mode():
        hidden = loaded.decoder(loaded.decoder.embed(torch.tensor([ids])), *rope_tables(
            np.arange(len(ids))[None], shape.head_dim, shape.rope_base))
        return loaded.decoder.logits(hidden)[0, -1].numpy()


def schedule(seed, steps=40, lanes=3):
    """Return passes of some of the lanes, ragged, whose slots wrap around and are taken again."""
    rng = np.random.default_rng(seed)
    held = [{} for _ in range(lanes)]  # slot to position
    clock = [0] * lanes
    for _ in range(steps):
        step = []
        for lane in rng.permutation(lanes)[:rng.integers(1, lanes + 1)]:
            count = int(rng.integers(1, 14))
            slots = (clock[lane] + np.arange(count)) % SLOTS
            if rng.random() < 0.2:
                slots = rng.permutation(SLOTS)[:count]
            seen = [slot for slot in held[lane] if rng.random() < 0.9]
            features = (rng.standard_normal((min(5, count - 1), WIDTH)).astype(np.float32)
                        if count > 1 else None)
            positions = clock[lane] + np.arange(count)
            asked = request(rng.integers(20, 40, count), lane=int(lane), slots=slots,
                            positions=positions, seen=seen, features=features)
            reads = rng.random(3) < 0.5
            if reads[0]:
                asked = dataclasses.replace(asked, allowed=Allowed.CONTROLS,
                                            read=np.flatnonzero(rng.random(count) < 0.5))
            step.append(asked)
            held[lane].update(zip(slots.tolist(), positions.tolist(), strict=True))
            clock[lane] += count
        yield step


def assert_same_results(ours, expected, steps, *, atol, forget_before=20):
    """Let two decoders run the same passes; before one of them the second lane forgets."""
    for decoder in (ours, expected):
        decoder.open(lanes=3, slots=SLOTS)
    for number, step in enumerate(steps):
        if number == forget_before:
            for decoder in (ours, expected):
                decoder.forget(1)
        for found, wanted in zip(ours.step(step), expected.step(step), strict=True):
            np.testing.assert_allclose(found.control_logits, wanted.control_logits, atol=atol)
            assert found.token == wanted.token
            if found.token is not None:
                np.testing.assert_allclose(found.log_prob, wanted.log_prob, rtol=0, atol=atol)
