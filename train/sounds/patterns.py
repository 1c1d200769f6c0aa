"""
When standardised signals sound and at what pitch.

Owns the cycles of alarms, bells, telephones, sirens and beeps as numbers. Knows no samples,
rooms or files. Times are seconds from the start of a cycle, pitches are Hz before a device
shifts them. Where a standard leaves a range, the cycle draws from it.

Sources: ISO 8201 and NFPA 72 (T3: three pulses of 0.5 s with 0.5 s between, 1.5 s pause),
UL 2034 (T4: four pulses of 0.1 s with 0.1 s between, 5 s pause), NEN 2575 (slow whoop) and DIN
33404-3 (falling sweep of 1 s), ITU-T E.180 supplement 2 (ringing cadences), SAE J1849 (wail of
10 to 30, yelp of 150 to 250 cycles a minute), DIN 14610 (two tones a fourth apart), SAE J994
(reversing alarm: about one cycle a second, half of it on), BS 5839-1 (alternating tones of
evacuation sounders). Doorbells, appliances, car alarms, bells and the pulsed and swept tones of
smoke alarms that follow EN 14604, which prescribes none, are common habits of such devices.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ['CYCLES', 'Cycle', 'Tone']


@dataclass(frozen=True, kw_only=True)
class Tone:
    """One sounding; its pitch glides through ``hz``, evenly spaced in time."""

    start_s: float
    end_s: float
    hz: tuple[float, ...]
    decay_s: float = 0.0
    """0: sustained. Else struck: the level falls by 1/e in this time and rings on."""


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """What repeats; the partials are (ratio to the pitch, weight)."""

    tones: tuple[Tone, ...]
    period_s: float
    partials: tuple[tuple[float, float], ...] = ((1.0, 1.0),)


_SQUARE = tuple((float(k), 1.0 / k) for k in (1, 3, 5, 7, 9, 11, 13))
_PIEZO = ((1.0, 1.0), (2.0, 0.12), (3.0, 0.25))
_HORN = tuple((float(k), 1.0 / k ** 0.8) for k in range(1, 9))
_BAR = ((1.0, 1.0), (2.76, 0.3), (5.4, 0.1))
_GONG = ((1.0, 1.0), (1.52, 0.7), (2.33, 0.6), (3.1, 0.4), (4.2, 0.25))


def _pulses(count: int, on_s: float, off_s: float, pause_s: float,
            hz: float) -> tuple[tuple[Tone, ...], float]:
    """Return equal pulses and the period: the pause follows the last pulse."""
    step = on_s + off_s
    tones = tuple(Tone(start_s=i * step, end_s=i * step + on_s, hz=(hz,)) for i in range(count))
    return tones, count * step - off_s + pause_s


def _t3(rng: np.random.Generator) -> Cycle:
    low = rng.random() < 0.25  # alarms for sleeping rooms: 520 Hz square wave
    tones, period = _pulses(3, 0.5, 0.5, 1.5, 520.0 if low else rng.uniform(2900, 3400))
    return Cycle(tones=tones, period_s=period, partials=_SQUARE if low else _PIEZO)


def _t4(rng: np.random.Generator) -> Cycle:
    tones, period = _pulses(4, 0.1, 0.1, 5.0, rng.uniform(2900, 3400))
    return Cycle(tones=tones, period_s=period, partials=_PIEZO)


def _make_pulses(rng: np.random.Generator) -> Cycle:
    on = rng.uniform(0.08, 0.35)
    tones, period = _pulses(1, on, on * rng.uniform(0.6, 1.5), on, rng.uniform(2700, 3600))
    return Cycle(tones=tones, period_s=period, partials=_PIEZO)


def _make_sweep(rng: np.random.Generator) -> Cycle:
    low, period = rng.uniform(2200, 2800), rng.uniform(0.15, 0.7)
    tones = (Tone(start_s=0.0, end_s=period, hz=(low, low * rng.uniform(1.2, 1.5))),)
    return Cycle(tones=tones, period_s=period, partials=_PIEZO)


def _whoop(rng: np.random.Generator) -> Cycle:
    return Cycle(tones=(Tone(start_s=0.0, end_s=3.5, hz=(500.0, 1200.0)),), period_s=4.0,
                 partials=_SQUARE)


def _make_fall(rng: np.random.Generator) -> Cycle:
    return Cycle(tones=(Tone(start_s=0.0, end_s=1.0, hz=(1200.0, 500.0)),), period_s=1.0,
                 partials=_SQUARE)


def _make_two_tones(rng: np.random.Generator) -> Cycle:
    half = rng.uniform(0.25, 0.55)
    tones = (Tone(start_s=0.0, end_s=half, hz=(rng.uniform(780, 850),)),
             Tone(start_s=half, end_s=2 * half, hz=(rng.uniform(940, 1020),)))
    return Cycle(tones=tones, period_s=2 * half, partials=_SQUARE)


def _alarm_horn(rng: np.random.Generator) -> Cycle:
    tones, period = _pulses(3, 0.5, 0.5, 1.5, rng.uniform(420, 1000))
    return Cycle(tones=tones, period_s=period, partials=_HORN)


def _alarm_bell(rng: np.random.Generator) -> Cycle:
    pitch = rng.uniform(700, 2400)
    tones = (Tone(start_s=0.0, end_s=0.8, hz=(pitch,), decay_s=rng.uniform(0.1, 0.3)),)
    return Cycle(tones=tones, period_s=1 / rng.uniform(8, 18), partials=_GONG)


def _ding_dong(rng: np.random.Generator) -> Cycle:
    high, gap = rng.uniform(560, 760), rng.uniform(0.45, 0.8)
    low = high / float(rng.choice([1.25, 1.26, 1.2, 1.335]))  # thirds, seldom a fourth
    decay = rng.uniform(0.35, 0.8)
    tones = (Tone(start_s=0.0, end_s=2.5, hz=(high,), decay_s=decay),
             Tone(start_s=gap, end_s=gap + 2.5, hz=(low,), decay_s=decay * 1.2))
    return Cycle(tones=tones, period_s=rng.uniform(3.0, 5.0), partials=_BAR)


def _single_ding(rng: np.random.Generator) -> Cycle:
    tones = (Tone(start_s=0.0, end_s=3.0, hz=(rng.uniform(600, 2200),),
                  decay_s=rng.uniform(0.25, 0.9)),)
    return Cycle(tones=tones, period_s=rng.uniform(2.5, 5.0), partials=_BAR)


def _melody(rng: np.random.Generator) -> Cycle:
    root, step, decay = rng.uniform(420, 900), rng.uniform(0.25, 0.6), rng.uniform(0.3, 0.9)
    notes = rng.choice([1.0, 1.125, 1.25, 1.333, 1.5, 1.667, 2.0], size=int(rng.integers(4, 9)))
    tones = tuple(Tone(start_s=i * step, end_s=i * step + 3 * decay, hz=(root * float(note),),
                       decay_s=decay) for i, note in enumerate(notes))
    return Cycle(tones=tones, period_s=len(notes) * step + rng.uniform(2.0, 4.0), partials=_BAR)


def _door_buzzer(rng: np.random.Generator) -> Cycle:
    on = rng.uniform(0.4, 1.5)
    tones = (Tone(start_s=0.0, end_s=on, hz=(rng.uniform(95, 240),)),)
    return Cycle(tones=tones, period_s=on + rng.uniform(0.5, 3.0), partials=_HORN)


_CADENCES = (((0.0, 2.0),), 6.0), (((0.0, 0.4), (0.6, 1.0)), 3.0), (((0.0, 1.0),), 5.0)
"""North America 2 on 4 off; United Kingdom .4 on .2 off .4 on 2 off; much of Europe 1 on 4 off."""


def _strikes(cadence: tuple[tuple[float, float], ...], per_s: float,
             hz: tuple[float, float], decay_s: float) -> tuple[Tone, ...]:
    """Return the strokes of a hammer between two gongs while the cadence is on."""
    return tuple(
        Tone(start_s=on + i / per_s, end_s=on + i / per_s + 6 * decay_s, hz=(hz[i % 2],),
             decay_s=decay_s)
        for on, off in cadence for i in range(round((off - on) * per_s)))


def _bell_phone(rng: np.random.Generator) -> Cycle:
    cadence, period = _CADENCES[rng.integers(3)]
    high = rng.uniform(1100, 1700)
    return Cycle(tones=_strikes(cadence, 2 * rng.uniform(20, 25), (high, high / 1.19),
                                rng.uniform(0.12, 0.3)), period_s=period, partials=_GONG)


def _warble_phone(rng: np.random.Generator) -> Cycle:
    cadence, period = _CADENCES[rng.integers(3)]
    high, low, per_s = rng.uniform(900, 1500), rng.uniform(650, 880), 2 * rng.uniform(8, 16)
    tones = [Tone(start_s=on + i / per_s, end_s=min(on + (i + 1) / per_s, off),
                  hz=((high, low)[i % 2],))
             for on, off in cadence for i in range(int(np.ceil((off - on) * per_s - 1e-9)))]
    return Cycle(tones=tuple(tones), period_s=period, partials=_SQUARE)


def _ring_back(rng: np.random.Generator) -> Cycle:
    kind = rng.integers(3)
    cadence, period = _CADENCES[kind]
    low, high = ((440.0, 480.0), (400.0, 450.0), (425.0, 425.0))[kind]
    return Cycle(tones=tuple(Tone(start_s=on, end_s=off, hz=(low,)) for on, off in cadence),
                 period_s=period, partials=((1.0, 1.0), (high / low, 0.9)))


def _sweep(rng: np.random.Generator, per_minute: tuple[float, float], rise: float) -> Cycle:
    low, high, period = rng.uniform(500, 750), rng.uniform(1250, 1600), 60 / rng.uniform(
        *per_minute)
    tones = (Tone(start_s=0.0, end_s=rise * period, hz=(low, high)),
             Tone(start_s=rise * period, end_s=period, hz=(high, low)))
    return Cycle(tones=tones, period_s=period, partials=_HORN)


def _hi_lo(rng: np.random.Generator) -> Cycle:
    low, half = rng.uniform(360, 450), rng.uniform(0.4, 0.75)
    tones = (Tone(start_s=0.0, end_s=half, hz=(low,)),
             Tone(start_s=half, end_s=2 * half, hz=(low * 4 / 3,)))
    return Cycle(tones=tones, period_s=2 * half, partials=_HORN)


def _make_reversing_beeps(rng: np.random.Generator) -> Cycle:
    period = 1 / rng.uniform(0.8, 1.2)
    return Cycle(tones=(Tone(start_s=0.0, end_s=period / 2, hz=(rng.uniform(1000, 1400),)),),
                 period_s=period, partials=_SQUARE)


def _make_finish(rng: np.random.Generator) -> Cycle:
    on = rng.uniform(0.25, 0.8)
    tones, period = _pulses(int(rng.integers(3, 6)), on, on * rng.uniform(0.6, 1.4),
                            rng.uniform(3.0, 8.0), rng.uniform(1900, 2600))
    return Cycle(tones=tones, period_s=period, partials=_PIEZO)


def _warning(rng: np.random.Generator) -> Cycle:
    tones, period = _pulses(int(rng.integers(2, 4)), 0.08, 0.07, rng.uniform(0.5, 1.5),
                            rng.uniform(2000, 4000))
    return Cycle(tones=tones, period_s=period, partials=_PIEZO)


def _alarm_clock(rng: np.random.Generator) -> Cycle:
    tones, period = _pulses(4, 0.065, 0.06, rng.uniform(0.4, 0.6), rng.uniform(1900, 2300))
    return Cycle(tones=tones, period_s=period, partials=_PIEZO)


def _horn_alarm(rng: np.random.Generator) -> Cycle:
    on = rng.uniform(0.3, 0.7)
    tones, period = _pulses(6, on, on * rng.uniform(0.6, 1.2), on, rng.uniform(370, 480))
    return Cycle(tones=tones, period_s=period, partials=_HORN)


def _six_tone_part(kind: int, start: float, rng: np.random.Generator) -> list[Tone]:
    """Return 1.5 to 2.5 s of one sound of a car alarm: yelps, two tones, whoops or chirps."""
    low, high = rng.uniform(600, 900), rng.uniform(1500, 2400)
    step = (0.25, 0.4, 0.6, 0.12)[kind]
    count = round(rng.uniform(1.5, 2.5) / step)
    glides = (((low, high, low),), ((high,), (low,)), ((low, high),), ((high, low),))[kind]
    return [Tone(start_s=start + i * step, end_s=start + (i + 1) * step,
                 hz=glides[i % len(glides)]) for i in range(count)]


def _six_tone(rng: np.random.Generator) -> Cycle:
    tones: list[Tone] = []
    for kind in rng.permutation(4):
        tones += _six_tone_part(int(kind), tones[-1].end_s if tones else 0.0, rng)
    return Cycle(tones=tuple(tones), period_s=tones[-1].end_s, partials=_SQUARE)


CYCLES: dict[str, Callable[[np.random.Generator], Cycle]] = {
    'smoke_alarm_t3': _t3,
    'smoke_alarm_pulsed': _make_pulses,
    'smoke_alarm_swept': _make_sweep,
    'carbon_monoxide_alarm_t4': _t4,
    'fire_alarm_slow_whoop': _whoop,
    'fire_alarm_falling': _make_fall,
    'fire_alarm_two_tone': _make_two_tones,
    'fire_alarm_horn': _alarm_horn,
    'fire_alarm_bell': _alarm_bell,
    'doorbell_two_tone': _ding_dong,
    'doorbell_single': _single_ding,
    'doorbell_melody': _melody,
    'doorbell_buzzer': _door_buzzer,
    'phone_ring_bell': _bell_phone,
    'phone_ring_electronic': _warble_phone,
    'phone_ring_back': _ring_back,
    'siren_wail': lambda rng: _sweep(rng, (10, 30), rng.uniform(0.25, 0.5)),
    'siren_yelp': lambda rng: _sweep(rng, (150, 250), 0.5),
    'siren_hi_lo': _hi_lo,
    'reversing_beep': _make_reversing_beeps,
    'appliance_finished': _make_finish,
    'appliance_warning': _warning,
    'alarm_clock_beep': _alarm_clock,
    'car_alarm_horn': _horn_alarm,
    'car_alarm_six_tone': _six_tone,
}
"""Name of a signal -> its cycle, with what its standard leaves open drawn from the generator."""
