"""
Samples of clips and what composition does to them: level, fades, tiles, gaps, devices.

Owns reading a clip strictly and the signal steps. Everything is float32 mono at 16 kHz; whatever
is random comes from the generator that is handed in. Knows no plan and no lane.
"""

import io
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy.signal import butter, fftconvolve, sosfilt

from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ as RATE
from train.records import Clip
from train.stages.shards import explain_full_storage, write_whole

__all__ = ['ClipError', 'find_active', 'active_db', 'to_decibels', 'add_device', 'fade',
           'make_floor_noise',
           'mute_span', 'amplitude_factor', 'read_clip', 'add_room', 'tile', 'write_clip']

FRAME = 320  # 20 ms
ACTIVE_RANGE_DB = 30.0
SHORTEST_S = 0.05


class ClipError(AudioFormatError):
    """A clip cannot be used; the corpus that it came from must be corrected."""


def amplitude_factor(db: float) -> float:
    """Return the amplitude factor of a gain in dB."""
    return float(10 ** (db / 20))


def to_decibels(power: float) -> float:
    """Return a power (square of full scale is 1) in dBFS; -120 at the least."""
    return float(10 * np.log10(max(power, 1e-12)))


def read_clip(clip: Clip, root: Path) -> np.ndarray:
    """
    Return the samples [n] float32 of a clip at 16 kHz mono; other rates are resampled.

    Of a file the part that the record names, at its pace. Raises ClipError when the file is
    missing, unreadable, shorter than 50 ms, silent throughout, not finite, or of another length
    than the record says (by more than 10 % and 0.1 s).
    """
    path = root / clip.path
    try:
        samples, rate = soundfile.read(path, dtype='float32', always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise ClipError(f'clip {clip.id}: cannot read {clip.path} ({error}); restore the file or '
                        'take the clip out of the manifest') from error
    mono = samples.mean(axis=1)
    if len(mono) < SHORTEST_S * rate:
        raise ClipError(f'clip {clip.id}: expected at least {SHORTEST_S} s, got {len(mono)} '
                        f'samples at {rate} Hz; take it out of the manifest')
    seconds, said = len(mono) / rate, clip.file_s or clip.offset_s + clip.seconds * clip.pace
    if abs(seconds - said) > max(0.1, 0.1 * seconds):
        raise ClipError(f'clip {clip.id}: the record says {said:.2f} s, the file has '
                        f'{seconds:.2f} s at {rate} Hz; correct rate or length in the manifest')
    if not np.isfinite(mono).all() or not np.any(mono):
        raise ClipError(f'clip {clip.id}: silent throughout or not finite; take it out')
    if rate != RATE:
        mono = soxr.resample(mono, rate, RATE)
    return _cut_part(clip, np.ascontiguousarray(mono, np.float32))


def _cut_part(clip: Clip, samples: np.ndarray) -> np.ndarray:
    if not clip.offset_s and not clip.file_s and clip.pace == 1.0:
        return samples
    first, count = round(clip.offset_s * RATE), round(clip.seconds * RATE)
    part = samples[first:first + round(count * clip.pace) + 1]
    if len(part) < SHORTEST_S * RATE or not part.any():
        raise ClipError(f'clip {clip.id}: nothing is heard of {clip.path} from {clip.offset_s:.2f}'
                        ' s on; correct offset_s in the manifest')
    if clip.pace == 1.0:
        return part[:count]
    at = np.arange(count) * clip.pace
    return np.interp(at[at <= len(part) - 1], np.arange(len(part)), part).astype(np.float32)


def write_clip(path: Path, samples: np.ndarray) -> None:
    """
    Write samples [n] at 16 kHz as 16-bit FLAC, all or nothing.

    Raises StageError for a full disk: the library that encodes would say nothing of it.
    """
    data = io.BytesIO()
    soundfile.write(data, samples, RATE, format='FLAC', subtype='PCM_16')
    with explain_full_storage(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data.getvalue(), durable=False)


def find_active(samples: np.ndarray) -> np.ndarray:
    """Return for each whole 20 ms whether it is within 30 dB of the loudest: bool [frames]."""
    if len(samples) < FRAME:
        return np.ones(1, bool)
    frames = samples[:len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    power = (frames ** 2).mean(axis=1)
    return power >= power.max() * 10 ** (-ACTIVE_RANGE_DB / 10)


def active_db(samples: np.ndarray) -> float:
    """Return the mean power of the active frames in dBFS: pauses do not make speech louder."""
    if len(samples) < FRAME:
        return to_decibels(float((samples ** 2).mean()))
    frames = samples[:len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    return to_decibels(float((frames[find_active(samples)] ** 2).mean()))


def half_hann(count: int) -> np.ndarray:
    return np.sin(np.linspace(0, np.pi / 2, count, dtype=np.float32)) ** 2


def fade(samples: np.ndarray, seconds: float) -> np.ndarray:
    """Return the samples with both ends raised from and lowered to zero (half Hann)."""
    count = min(int(seconds * RATE), len(samples) // 2)
    faded = samples.copy()
    if count:
        faded[:count] *= half_hann(count)
        faded[-count:] *= half_hann(count)[::-1]
    return faded


def tile(samples: np.ndarray, count: int, rng: np.random.Generator, *,
         crossfade_s: float = 0.2) -> tuple[np.ndarray, int]:
    """
    Return ``count`` samples of a clip from a random offset, repeated as needed, and the offset.

    Repetitions overlap by the crossfade (at most a quarter of the clip) with constant power, so
    that no seam is heard.
    """
    overlap = min(int(crossfade_s * RATE), len(samples) // 4)
    period = len(samples) - overlap
    lap = samples[:period].copy()
    if overlap:
        rise = np.sin(np.linspace(0, np.pi / 2, overlap, dtype=np.float32))
        lap[:overlap] = lap[:overlap] * rise + samples[period:] * rise[::-1]
    offset = int(rng.integers(period))
    if offset + count <= len(samples):
        return samples[offset:offset + count].copy(), offset  # long enough: no seam at all
    return np.resize(np.roll(lap, -offset), count), offset


def make_floor_noise(count: int, dbfs: float, rng: np.random.Generator) -> np.ndarray:
    """Return white noise as of a converter without a signal."""
    return rng.standard_normal(count, np.float32) * np.float32(amplitude_factor(dbfs))


def mute_span(samples: np.ndarray, start: int, end: int, fade_s: float) -> None:
    """Make a span of the samples digital zero in place, as a noise gate does, with faded edges."""
    count = min(int(fade_s * RATE), (end - start) // 4)
    if count:
        samples[start:start + count] *= half_hann(count)[::-1]
        samples[end - count:end] *= half_hann(count)
    samples[start + count:end - count] = 0.0


def add_room(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the samples as heard in a small room: a direct sound and an exponential tail."""
    seconds = rng.uniform(0.15, 0.5)
    time = np.arange(int(seconds * RATE)) / RATE
    tail = rng.standard_normal(len(time)) * np.exp(-6.9 * time / seconds)
    tail *= rng.uniform(0.1, 0.5) / np.sqrt((tail ** 2).sum())
    tail[:int(0.002 * RATE)] = 0.0
    tail[0] = 1.0
    return np.asarray(fftconvolve(samples, tail)[:len(samples)], np.float32)


def add_device(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the samples as through a cheap microphone: band, tilt, soft clipping, offset."""
    low = rng.uniform(40, 250)
    sections = butter(2, low, 'highpass', fs=RATE, output='sos')
    if rng.random() < 0.5:
        top = butter(4, rng.uniform(3400, 7400), 'lowpass', fs=RATE, output='sos')
        sections = np.concatenate([sections, top])
    heard = sosfilt(sections, samples)
    if rng.random() < 0.5:
        tilt = rng.uniform(-0.5, 0.5)
        heard = heard + tilt * np.concatenate([[0.0], heard[:-1]])
    if rng.random() < 0.2:
        drive = rng.uniform(1.0, 3.0)
        heard = np.tanh(heard * drive) / drive
    if rng.random() < 0.2:
        heard = heard + rng.uniform(-0.005, 0.005)
    return np.asarray(heard, np.float32)
