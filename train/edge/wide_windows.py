r"""
Experiment: what windows of 2, 4 and 6 s of the frozen encoder are worth to a CTC head.

Owns the material: which utterances are heard, what they say, and what the encoder makes of each
with every window, on disk. A run that was stopped goes on. What is learned from them and how it
is compared is ``eval.wide_words``.

    python -m train.edge.wide_windows --data DATA --text PAIRS.tsv --out OUT --minutes 20
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice, zip_longest
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from audio_interaction_ros.checkpoints.config import MelConfig
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.protocol import CHUNK_SAMPLES, SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.registry import load_transcriber
from held_out.clips import load, read_held_out, read_manifest
from held_out.lines import read_whole_lines
from held_out.splits import chance_of, is_validation, recording_of
from train.edge.features import MEL, TOWER, load_tower
from train.edge.label import WhisperReading, judge_reading
from train.edge.speech_plan import plan_utterances, read_sentences, sentences_to_train
from train.edge.synthesise import check_voices, make
from train.trainer.features import online_windows

__all__ = ['WINDOWS_S', 'Heard', 'frames_file', 'read_heard']

WINDOWS_S = (2.0, 4.0, 6.0)
KINDS = ('speech_read', 'speech_command')
TESTED, CHOSEN = 12, 4
"""Clips of each kind that are compared, and on which a pass and a weight are chosen."""
LEAST_CONFIDENCE = 0.6
LONGEST_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One utterance whose frames are on disk; ``side``: train, validation or test."""

    name: str
    text: str
    kind: str
    side: str
    group: str
    seconds: float
    source: str = ''


def frames_file(out: Path, name: str, window_s: float) -> Path:
    """Return where the frames [chunks, 5, 4096] float16 of an utterance lie."""
    return out / f'heard_{window_s:g}s' / f'{name}.npy'


def read_heard(out: Path) -> list[Heard]:
    """Return what was heard so far."""
    return [Heard(**row) for row in read_whole_lines(out / 'heard.jsonl')]


def newest_frames(tower: AudioTower, mel: Tensor) -> Tensor:
    """Return stacked frames [B, N, stacked_width]; the last layer answers to the newest only."""
    kept = 2 * tower.config.keep_frames
    x = F.gelu(tower.conv2(F.gelu(tower.conv1(mel)))).transpose(1, 2)
    x = x + tower.get_buffer('positions').to(x.dtype)
    for layer in tower.layers[:-1]:
        x = layer(x)
    last: Any = tower.layers[-1]
    normed, x = last.self_attn_layer_norm(x), x[:, -kept:]
    x = x + last.self_attn(normed[:, -kept:], last.self_attn.keys_and_values(normed))
    return tower.stack_frames(x + last.fc2(F.gelu(last.fc1(last.final_layer_norm(x)))))


@torch.inference_mode()
def hear(tower: AudioTower, samples: np.ndarray, window_s: float) -> np.ndarray:
    """Return frames [chunks, 5, 4096] float16 of samples [n] and one chunk of silence."""
    config = replace(TOWER, window_frames=round(window_s * 100))
    if tower.config != config:
        tower.config = config
        tower.place_positions()
    padded = np.pad(samples, (0, -len(samples) % CHUNK_SAMPLES + CHUNK_SAMPLES))
    windows = torch.from_numpy(online_windows(padded, config, MelConfig(**asdict(MEL))))
    return torch.cat([newest_frames(tower, part.bfloat16())
                      for part in windows.split(8)]).half().numpy()


def choose_held_out(data: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield rows of the manifest that no training took, in the order of ``eval asr``."""
    count = dict.fromkeys(KINDS, 0)
    for item in read_held_out(data):
        if item.label in KINDS and item.seconds <= LONGEST_S:
            count[item.label] += 1
            if count[item.label] <= TESTED + CHOSEN:
                yield {**item.extra, 'path': str(item.path)}, (
                    'test' if count[item.label] <= TESTED else 'validation')


def choose_trained(data: Path, kind: str) -> list[dict[str, Any]]:
    rows = [row for row in read_manifest(data) if row['label'] == kind
            and row['licence_group'] == 'free' and not is_validation(recording_of(row))
            and row['seconds'] <= LONGEST_S]
    return sorted(({**row, 'path': str(data / row['path'])} for row in rows),
                  key=lambda row: chance_of('window', row['path'].rpartition('/')[2]))


def choose_spoken(text: Path) -> Iterator[Any]:
    """Return sentences of training voices: as ``train.edge.synthesise`` plans them."""
    plan = check_voices(plan_utterances(read_sentences(text), 0.05, sentences_to_train(text)))
    return iter(sorted((one for one in plan if one.split == 'train'
                        and one.name.startswith('sentence')),
                       key=lambda one: chance_of('window', one.name)))


def read_row(row: dict[str, Any], side: str, reader: Any) -> tuple[Heard, np.ndarray] | None:
    """Return a recording with what Whisper base reads of it; None where that is in doubt."""
    samples = load(Path(row['path']))
    read = reader.transcribe(samples)
    text = read.text
    if side == 'train':
        if read.confidence < LEAST_CONFIDENCE:
            return None
        text = judge_reading(row, WhisperReading(
            heard=read.text, log_probability=log(read.confidence), no_speech=read.no_speech,
            compression=read.compression_ratio)).text
    if not text:
        return None
    return Heard(name=Path(row['path']).stem, text=text, kind=row['label'], side=side,
                 group=recording_of(row), seconds=len(samples) / SAMPLE_RATE_HZ,
                 source=row['path']), samples


def gather(options: argparse.Namespace) -> Iterator[tuple[Heard, np.ndarray]]:
    """Yield utterances: what is compared first, then books, orders and voices in turn."""
    done = {one.name for one in read_heard(options.out)}
    reader = load_transcriber(language='en', threads=1)
    books, orders = (choose_trained(options.data, kind) for kind in KINDS)
    pairs = iter(orders)
    turns = zip_longest(books, pairs, choose_spoken(options.text), pairs)
    trained = (one for turn in turns for one in turn if one is not None)
    for item in chain(choose_held_out(options.data), ((one, 'train') for one in trained)):
        row, side = item
        name = Path(row['path']).stem if isinstance(row, dict) else row.name
        if name in done:
            continue
        if isinstance(row, dict):
            found = read_row(row, side, reader)
            if found is not None:
                yield found
        elif (line := make(row, options.out / 'voices')) is not None:
            samples = load(options.out / 'voices' / line['path'])
            yield Heard(name=row.name, text=row.text, kind='synthetic', side=side,
                        group=row.voice, seconds=line['seconds'],
                        source=str(options.out / 'voices' / line['path'])), samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--data', type=Path, required=True)
    parser.add_argument('--text', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--minutes', type=float, default=20.0, help='of speech to train on')
    options = parser.parse_args()
    torch.set_num_threads(1)
    (options.out / 'voices').mkdir(parents=True, exist_ok=True)
    tower = load_tower()
    trained_s = sum(one.seconds for one in read_heard(options.out) if one.side == 'train')
    with (options.out / 'heard.jsonl').open('a', encoding='utf-8') as lines:
        for one, samples in islice(gather(options), 100_000):
            spent = []
            for window_s in WINDOWS_S:
                began = time.process_time()
                frames = hear(tower, samples, window_s)
                spent.append((time.process_time() - began) / len(frames) * 1000)
                path = frames_file(options.out, one.name, window_s)
                path.parent.mkdir(exist_ok=True)
                np.save(scratch := path.with_suffix('.part.npy'), frames)
                scratch.replace(path)
            lines.write(json.dumps(asdict(one), ensure_ascii=False) + '\n')
            lines.flush()
            trained_s += one.seconds * (one.side == 'train')
            print(f'{one.side} {one.kind} {one.seconds:.1f} s, {trained_s / 60:.1f} min, '
                  + ' '.join(f'{ms:.0f}' for ms in spent) + f' ms: {one.text}', flush=True)
            if trained_s >= options.minutes * 60:
                break


if __name__ == '__main__':
    main()
