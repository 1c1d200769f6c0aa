"""
Sounds that a standard or a common habit prescribes, made from their description.

Owns names, labels, device variation and the clip made of a signal. Such a clip is always marked
generated: it trains, it is never evidence on how real sounds are heard. Knows nothing of plans,
streams or retrieval.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from train.records import Clip
from train.sounds.patterns import CYCLES, Cycle, Tone
from train.sounds.room import Room, place_in_room

__all__ = ['LABELS', 'NAMES', 'SIGNALS', 'Signal', 'as_clip', 'make_dry', 'make', 'list_tones']

_RATE = SAMPLE_RATE_HZ
_LONGEST_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What a signal is called in labels and captions."""

    label: str
    caption: str
    tags: tuple[str, ...]


SIGNALS: dict[str, Signal] = {
    'smoke_alarm_t3': Signal(
        label='smoke_alarm', caption='A smoke alarm sounds three loud beeps, again and again.',
        tags=('smoke alarm', 'smoke detector', 'fire alarm', 'beep')),
    'smoke_alarm_pulsed': Signal(
        label='smoke_alarm', caption='A smoke alarm beeps quickly without a pause.',
        tags=('smoke alarm', 'smoke detector', 'beep')),
    'smoke_alarm_swept': Signal(
        label='smoke_alarm', caption='A smoke alarm sweeps up in pitch again and again.',
        tags=('smoke alarm', 'smoke detector', 'sweep')),
    'carbon_monoxide_alarm_t4': Signal(
        label='carbon_monoxide_alarm',
        caption='A carbon-monoxide alarm sounds four quick beeps, then pauses.',
        tags=('carbon monoxide alarm', 'gas alarm', 'beep')),
    'fire_alarm_slow_whoop': Signal(
        label='fire_alarm', caption='A fire alarm of a building rises in slow whoops.',
        tags=('fire alarm', 'evacuation', 'whoop')),
    'fire_alarm_falling': Signal(
        label='fire_alarm', caption='A fire alarm falls in pitch once a second.',
        tags=('fire alarm', 'evacuation')),
    'fire_alarm_two_tone': Signal(
        label='fire_alarm', caption='A fire alarm alternates between two tones.',
        tags=('fire alarm', 'evacuation', 'two tones')),
    'fire_alarm_horn': Signal(
        label='fire_alarm', caption='The horn of a fire alarm sounds three times, and again.',
        tags=('fire alarm', 'evacuation', 'horn')),
    'fire_alarm_bell': Signal(
        label='fire_alarm', caption='The bell of a fire alarm rings without a pause.',
        tags=('fire alarm', 'evacuation', 'bell')),
    'doorbell_two_tone': Signal(
        label='doorbell', caption='A doorbell chimes ding-dong.',
        tags=('doorbell', 'ding dong', 'chime')),
    'doorbell_single': Signal(
        label='doorbell', caption='A doorbell sounds one ding.', tags=('doorbell', 'ding')),
    'doorbell_melody': Signal(
        label='doorbell', caption='A doorbell plays a few notes.',
        tags=('doorbell', 'chime', 'melody')),
    'doorbell_buzzer': Signal(
        label='doorbell', caption='The buzzer of a door sounds.', tags=('doorbell', 'buzzer')),
    'phone_ring_bell': Signal(
        label='phone_ring', caption='An old telephone rings with its bells.',
        tags=('telephone', 'phone ring', 'bell')),
    'phone_ring_electronic': Signal(
        label='phone_ring', caption='An electronic telephone warbles.',
        tags=('telephone', 'phone ring', 'ringtone')),
    'phone_ring_back': Signal(
        label='phone_tone', caption='A ringing tone is heard on a telephone line.',
        tags=('telephone', 'ringing tone', 'line')),
    'siren_wail': Signal(
        label='siren', caption='A siren wails slowly up and down.',
        tags=('siren', 'wail', 'emergency vehicle', 'police', 'ambulance')),
    'siren_yelp': Signal(
        label='siren', caption='A siren yelps quickly up and down.',
        tags=('siren', 'yelp', 'emergency vehicle', 'police')),
    'siren_hi_lo': Signal(
        label='siren', caption='A two-tone siren alternates between a high and a low tone.',
        tags=('siren', 'hi-lo', 'emergency vehicle', 'ambulance', 'fire engine')),
    'reversing_beep': Signal(
        label='reversing_beep', caption='A reversing truck beeps.',
        tags=('reversing beep', 'truck', 'vehicle')),
    'appliance_finished': Signal(
        label='appliance_beep', caption='A kitchen appliance beeps that it has finished.',
        tags=('beep', 'microwave', 'oven timer', 'appliance')),
    'appliance_warning': Signal(
        label='appliance_beep', caption='An appliance gives short warning beeps.',
        tags=('beep', 'warning', 'appliance', 'refrigerator door')),
    'alarm_clock_beep': Signal(
        label='alarm_clock', caption='A digital alarm clock beeps in groups of four.',
        tags=('alarm clock', 'beep', 'wake up')),
    'car_alarm_horn': Signal(
        label='car_alarm', caption='The horn of a car honks in even pulses: its alarm.',
        tags=('car alarm', 'horn', 'vehicle')),
    'car_alarm_six_tone': Signal(
        label='car_alarm', caption='A car alarm goes through yelps, whoops and chirps.',
        tags=('car alarm', 'siren', 'vehicle')),
}

NAMES: tuple[str, ...] = tuple(SIGNALS)
LABELS: dict[str, tuple[str, ...]] = {
    label: tuple(name for name, signal in SIGNALS.items() if signal.label == label)
    for label in sorted({signal.label for signal in SIGNALS.values()})}
"""Label -> the signals that carry it."""


@dataclass(frozen=True, kw_only=True)
class _Device:
    """How one specimen departs from its description."""

    clock: float
    pitch: float
    edge_s: float
    drive: float
    brightness: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> '_Device':
        return cls(clock=float(rng.uniform(0.96, 1.04)), pitch=float(rng.uniform(0.97, 1.03)),
                   edge_s=float(rng.uniform(0.003, 0.012)), drive=float(rng.uniform(0.2, 2.5)),
                   brightness=float(rng.uniform(0.6, 1.3)))


def _repeat_cycle(cycle: Cycle, device: _Device, seconds: float) -> list[Tone]:
    """Return the tones of all cycles that begin within the time, as the device times them."""
    period = cycle.period_s * device.clock
    count = max(1, int(np.ceil(seconds / period)))
    return [Tone(start_s=i * period + tone.start_s * device.clock,
                 end_s=i * period + tone.end_s * device.clock,
                 hz=tuple(hz * device.pitch for hz in tone.hz), decay_s=tone.decay_s)
            for i in range(count) for tone in cycle.tones
            if i * period + tone.start_s * device.clock < seconds]


def _oscillate(hz: np.ndarray, cycle: Cycle, device: _Device) -> np.ndarray:
    """Return the sum of partials [n] that follows the pitch [n]; none reaches 7.6 kHz."""
    phase = 2 * np.pi * np.cumsum(hz) / _RATE
    total = np.zeros(len(hz))
    for ratio, weight in cycle.partials:
        audible = np.clip((7_600.0 - hz * ratio) / 400.0, 0.0, 1.0)
        total += weight * ratio ** (device.brightness - 1.0) * audible * np.sin(ratio * phase)
    return total / sum(weight for _, weight in cycle.partials)


def _render_sustained(played: list[Tone], cycle: Cycle, device: _Device, size: int) -> np.ndarray:
    """One oscillator for all sustained tones: pitch jumps and glides without clicks."""
    hz, level = np.full(size, 440.0), np.zeros(size)
    for tone in played:
        begin, end = round(tone.start_s * _RATE), min(round(tone.end_s * _RATE), size)
        whole = max(round(tone.end_s * _RATE) - begin, 1)
        at = np.arange(end - begin) / whole * (len(tone.hz) - 1)
        hz[begin:end] = np.exp(np.interp(at, np.arange(len(tone.hz)), np.log(tone.hz)))
        level[begin:end] = 1.0
    edge = np.hanning(round(device.edge_s * _RATE) | 1)
    return _oscillate(hz, cycle, device) * np.convolve(level, edge / edge.sum())[:size]


def _render_struck(played: list[Tone], cycle: Cycle, device: _Device, size: int) -> np.ndarray:
    out = np.zeros(size)
    for tone in played:
        begin, end = round(tone.start_s * _RATE), min(round(tone.end_s * _RATE), size)
        times = np.arange(end - begin) / _RATE
        level = np.exp(-times / tone.decay_s) * np.minimum(1.0, times / 0.002)
        out[begin:end] += _oscillate(np.full(end - begin, tone.hz[0]), cycle, device) * level
    return out


def _make_cycle(name: str, rng: np.random.Generator, seconds: float) -> tuple[Cycle, _Device]:
    if name not in CYCLES:
        raise ConfigurationError(f'Expected one of the signals {NAMES}, got {name!r}; '
                                 'correct the plan')
    if not 0.0 < seconds <= _LONGEST_S:
        raise ConfigurationError(f'Expected a signal of more than 0 and at most {_LONGEST_S:g} '
                                 f's, got {seconds} s; correct the plan')
    return CYCLES[name](rng), _Device.draw(rng)


def list_tones(name: str, rng: np.random.Generator, *, seconds: float) -> list[Tone]:
    """Return when and at what pitch ``make_dry`` sounds for the same state of the generator."""
    cycle, device = _make_cycle(name, rng, seconds)
    return _repeat_cycle(cycle, device, seconds)


def make_dry(name: str, rng: np.random.Generator, *, seconds: float) -> np.ndarray:
    """Return a signal at its device: float32 [n] at 16 kHz, peak 0.5, without any room."""
    cycle, device = _make_cycle(name, rng, seconds)
    size = max(1, round(seconds * _RATE))
    played = [tone for tone in _repeat_cycle(cycle, device, seconds)
              if round(tone.start_s * _RATE) < size]
    render = _render_struck if cycle.tones[0].decay_s else _render_sustained
    out = np.tanh(render(played, cycle, device, size) * (1 + device.drive))
    peak = float(np.abs(out).max())
    return np.asarray(out * (0.5 / peak if peak > 0 else 0.0), np.float32)


def make(name: str, rng: np.random.Generator, *, seconds: float) -> np.ndarray:
    """
    Return a signal as heard in a room: float32 [n] at 16 kHz, peak 0.1 (far) to 0.7 (near).

    Device, room and distance are drawn from the generator; the same state gives the same sound.
    Raises ConfigurationError for an unknown name or a length outside 0 to 600 s.
    """
    sound = make_dry(name, rng, seconds=seconds)
    room = Room.draw(rng)
    heard = place_in_room(sound, room, rng)
    fade = min(len(heard), round(0.02 * _RATE))
    heard[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    peak = float(np.abs(heard).max())
    level = float(np.clip(0.7 / max(room.distance_m, 1.0) ** 0.8, 0.1, 0.7))
    return heard * np.float32(level / peak if peak > 0 else 0.0)


def as_clip(name: str, seed: int, *, seconds: float, out: Path) -> Clip:
    """
    Write a signal as ``signal-NAME-SEED-MS.flac`` into a folder; return it marked generated.

    The path of the clip is the file's name alone, relative to the folder.
    """
    samples = make(name, np.random.default_rng(seed), seconds=seconds)
    signal = SIGNALS[name]
    stem = f'signal-{name}-{seed}-{round(seconds * 1000)}'
    out.mkdir(parents=True, exist_ok=True)
    soundfile.write(out / f'{stem}.flac', samples, _RATE)
    return Clip(
        id=stem, path=f'{stem}.flac', seconds=len(samples) / _RATE, label=signal.label,
        caption=signal.caption, tags=(name, *signal.tags), source='train.sounds.signals',
        source_id=f'signal:{name}:{seed}', licence='CC0-1.0', licence_group='free',
        generated=True)
