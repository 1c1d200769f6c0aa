"""
Small streams made of tones, to try the trainer without any corpus.

Owns nothing that a model should be judged by: two tones, two replies, silence between.
"""

from pathlib import Path

import numpy as np
import soundfile

from audio_interaction_ros.protocol import RELEASED_CHUNK, SAMPLE_RATE_HZ, ChunkSize
from train.records import Clip, Event, Lane, Reply, Stream, write_records

__all__ = ['write_streams']

TONES = {'low': (440.0, 'Low tone.'), 'high': (1760.0, 'High tone.')}
TONE_S = 0.5


def _make_stream(index: int, seed: int, chunks: int, folder: Path, size: ChunkSize) -> Stream:
    rng = np.random.default_rng([seed, index])
    samples = rng.normal(0.0, 1e-3, chunks * size.samples)
    events, replies = [], []
    at = rng.uniform(0.3, 1.0)
    while at + TONE_S < (chunks - 1) * size.s:
        name = str(rng.choice(list(TONES)))
        first = round(at * SAMPLE_RATE_HZ)
        count = round(TONE_S * SAMPLE_RATE_HZ)
        angle = 2 * np.pi * TONES[name][0] * np.arange(count) / SAMPLE_RATE_HZ
        samples[first:first + count] += 0.2 * np.sin(angle) * np.hanning(count) ** 0.25
        events.append(Event(role='foreground', start_s=at, end_s=at + TONE_S, clip=Clip(
            id=f'{name}-tone', path='', seconds=TONE_S, label=f'{name}_tone', generated=True,
            licence='CC0-1.0', licence_group='free')))
        replies.append(Reply(chunk=int((first + count) // size.samples), text=TONES[name][1],
                             event=len(events) - 1))
        at += TONE_S + rng.uniform(0.9, 2.2)
    path = f'tones-{index:03d}.flac'
    soundfile.write(folder / path, np.clip(samples, -1, 1), SAMPLE_RATE_HZ)
    return Stream(id=f'tones-{seed}-{index:03d}', ability='audio_understanding', task='tones',
                  seed=seed, path=path, chunks=chunks, chunk_s=size.s, events=tuple(events),
                  lanes={'assistant': Lane(prompt='Name each tone.', replies=tuple(replies))},
                  scenario='Two kinds of tones in faint noise.')


def write_streams(folder: Path, count: int, *, chunks: int = 14, seed: int = 0,
                  chunk_size: ChunkSize = RELEASED_CHUNK) -> Path:
    """Write ``count`` streams with their audio and return the file of records."""
    folder.mkdir(parents=True, exist_ok=True)
    records = folder / 'streams.jsonl'
    write_records(records, (_make_stream(index, seed, chunks, folder, chunk_size)
                            for index in range(count)))
    return records
