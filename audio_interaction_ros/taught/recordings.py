"""
Recordings of a sound as a robot would hear them: over its own background, from several distances.

Owns the mixing and which chunks count as the sound. Chance comes from a seed, so that the same
recordings teach the same.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.frontend import FrontEnd
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.protocol import CHUNK_SAMPLES, SAMPLE_RATE_HZ
from audio_interaction_ros.taught.fit import Recording

__all__ = ['Bed', 'Embed', 'find_sounding', 'hear_recording', 'mix', 'read_chunks',
           'read_samples']

Embed = Callable[[np.ndarray], np.ndarray]
"""Embeddings [chunks, width] of samples [n] float32 at 16 kHz, from the start of a stream."""
SURROUNDINGS_DB = (None, 20.0, 20.0, 10.0)
"""How far the sound stands out of the background where it sounds; None: nothing else is heard."""
_LEAD_CHUNKS = 5
"""A window of the encoder, two seconds."""
_LONGEST_S = 12.0
_PIECE_CHUNKS = 50
"""20 s, longer than a surrounding."""
_BED_CHUNKS = 1500
"""Ten minutes: more than the surroundings of ten recordings take together."""
_FRAME = 320
_FLOOR_DBFS = -70.0
_LEVEL_DBFS = (-30.0, -20.0)
_OVERLAP = 0.5
"""A chunk counts as the sound when so much of it is."""


def read_chunks(blocks: Iterable[AudioBlock]) -> Iterator[np.ndarray]:
    """Yield a recording as mono samples [CHUNK_SAMPLES] float32 at 16 kHz."""
    front = FrontEnd()
    for block in blocks:
        yield from (chunk.samples for chunk in front.push(block))
    yield from (chunk.samples for chunk in front.flush(0.0))


def read_samples(blocks: Iterable[AudioBlock]) -> np.ndarray:
    """Return a recording as mono samples [n] float32 at 16 kHz, in whole chunks."""
    return np.concatenate([np.zeros(0, np.float32), *read_chunks(blocks)])


class Bed:
    """What of a background is kept for sounds to be mixed into: of a day pieces from all of it."""

    def __init__(self, most_chunks: int = _BED_CHUNKS) -> None:
        """Keep all of so many chunks; of more as many, in pieces that chance draws."""
        self._most = max(1, most_chunks // _PIECE_CHUNKS)
        self._kept: list[np.ndarray] = []
        self._piece: list[np.ndarray] = []
        self._heard = 0
        self._rng = np.random.default_rng(0)

    def keep(self, chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the chunks of a recording as they are, and keep of them what is wanted."""
        for chunk in chunks:
            self._piece.append(chunk)
            if len(self._piece) == _PIECE_CHUNKS:
                self._draw(np.concatenate(self._piece))
                self._piece = []
            yield chunk

    def _draw(self, piece: np.ndarray) -> None:
        self._heard += 1
        if len(self._kept) < self._most:
            self._kept.append(piece)
        elif (place := int(self._rng.integers(self._heard))) < self._most:
            self._kept[place] = piece  # so each of all pieces is kept with the same chance

    @property
    def samples(self) -> np.ndarray:
        """What was kept [n] float32."""
        return np.concatenate([np.zeros(0, np.float32), *self._kept, *self._piece])


def find_sounding(samples: np.ndarray, below_db: float = 35.0) -> np.ndarray:
    """
    Return the part of samples [n] in which something sounds: within 35 dB of the loudest 20 ms.

    At most 12 s. Raises AudioFormatError where all is silent.
    """
    count = len(samples) // _FRAME
    power = np.square(samples[:count * _FRAME], dtype=np.float64).reshape(count, _FRAME).mean(1)
    if not count or power.max() < 1e-10:
        raise AudioFormatError('expected a recording in which something sounds, found silence; '
                               'record it again, nearer')
    heard = np.flatnonzero(power >= power.max() * 10 ** (-below_db / 10))
    first, last = int(heard[0]) * _FRAME, int(heard[-1] + 1) * _FRAME
    return samples[first:min(last, first + round(_LONGEST_S * SAMPLE_RATE_HZ))]


def mix(sound: np.ndarray, background: np.ndarray, snr_db: float | None, seed: Sequence[int]
        ) -> tuple[np.ndarray, int]:
    """Return a stream [n] with the sound in a piece of background, and at which sample it is."""
    rng = np.random.default_rng(list(seed))
    at = _LEAD_CHUNKS * CHUNK_SAMPLES + int(rng.integers(CHUNK_SAMPLES))
    length = (at + len(sound)) // CHUNK_SAMPLES * CHUNK_SAMPLES + 2 * CHUNK_SAMPLES
    level = 10 ** (rng.uniform(*_LEVEL_DBFS) / 20)
    start = int(rng.integers(max(1, len(background) - length)))
    bed = np.resize(background[start:start + length], length).astype(np.float64)
    if snr_db is None:
        bed = rng.standard_normal(length) * 10 ** (_FLOOR_DBFS / 20)
    else:
        bed *= level * 10 ** (-snr_db / 20) / _rms(bed)
    bed[at:at + len(sound)] += sound * (level / _rms(sound))
    return (bed / max(1.0, float(np.abs(bed).max()) / 0.98)).astype(np.float32), at


def hear_recording(samples: np.ndarray, background: np.ndarray, embed: Embed, seed: int
                   ) -> Recording:
    """Return what a robot hears of a recording [n] in the surroundings of SURROUNDINGS_DB."""
    sound = find_sounding(samples)
    sounding, streams = [], []
    for place, snr_db in enumerate(SURROUNDINGS_DB):
        stream, at = mix(sound, background, snr_db, (seed, place))
        heard = embed(stream)
        starts = np.arange(len(heard)) * CHUNK_SAMPLES
        overlap = (np.minimum(starts + CHUNK_SAMPLES, at + len(sound)) - np.maximum(starts, at))
        enough = min(_OVERLAP * CHUNK_SAMPLES, len(sound) / 2)
        sounding.append(heard[overlap >= enough])
        streams.append(heard[at // CHUNK_SAMPLES:])
    return Recording(sounding=np.concatenate(sounding), streams=streams,
                     as_recorded=embed(_insert(sound, background))[_LEAD_CHUNKS:])


def _insert(sound: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return the sound [n] as loud as it was recorded, before and after it the background."""
    before = np.resize(background, _LEAD_CHUNKS * CHUNK_SAMPLES)
    after = np.resize(background, 2 * CHUNK_SAMPLES + -len(sound) % CHUNK_SAMPLES)
    return np.concatenate((before, sound, after)).astype(np.float32)


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))
