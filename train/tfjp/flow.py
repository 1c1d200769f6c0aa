"""
The seven steps in order, repeated until the clip no longer changes.

A round takes one STFT and does silence_cut, noise_profile, denoise, core_locate, boundary_norm
and spec_smooth on it; the silence_cut of the next round is the paper's last step. A clip that a
round leaves alone is done, which makes the result a fixed point: processing it again changes
nothing.
"""

from dataclasses import dataclass

import numpy as np

from train.tfjp.core import locate_core
from train.tfjp.noise import denoise, find_quietest, make_noise_like
from train.tfjp.silence import DELTA, choose_frames, find_gate, limit_gate
from train.tfjp.spectrum import HOP, HOPS_PER_S, analyse, check, power_of, synthesise, to_level_db
from train.tfjp.verdict import judge_clip

__all__ = ['GRID', 'MAX_LOOPS', 'VERDICTS', 'TfjpReport', 'TfjpResult', 'process']

RATE = HOP * HOPS_PER_S
GRID = DELTA * HOP
"""Samples of half a chunk, 200 ms."""
MAX_LOOPS = 3
"""The paper's K."""
FADE = 320
"""Samples of the Hann taper at both ends (20 ms, the paper's omega)."""
SILENCE_DBFS = -70.0
SHORTEST = 5 * HOP
REST = 0.01
"""Two samples below this share of what follows are an end that needs no fade."""
CHANGE = 0.001
"""A denoised clip differs when the difference holds this share of its energy."""
VERDICTS = ('ok', 'silence', 'noise', 'short')


@dataclass(frozen=True, kw_only=True)
class TfjpReport:
    """What was found in a clip and done to it."""

    loops: int
    """Times that the first three steps (or else the grid) changed it, at most MAX_LOOPS."""
    settled: bool
    """False when the last allowed loop still changed it."""
    cut_s: float
    """Silence taken out between the ends."""
    core_start_s: float
    core_end_s: float
    """The event, in seconds of the clip as it came."""
    onset_s: float
    offset_s: float
    """The event, in seconds of the result."""
    gate_dbfs: float
    """Level at or below which a 20 ms frame of the result counts as silent."""
    verdict: str
    """One of VERDICTS."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class TfjpResult:
    """Samples [k * 3200] float32 and how they came about."""

    samples: np.ndarray
    report: TfjpReport


@dataclass
class _Clip:
    """A clip on its way: samples, and which frame of the original each frame was."""

    samples: np.ndarray  # [n] float64, whole hops
    origin: np.ndarray  # [n / 160 + 1] int64; frames made up repeat the last one
    core: tuple[int, int] | None = None
    """First and last frame of the event, once the first round has found it."""
    least_gate: float = -np.inf
    gate: float = -np.inf
    cut: int = 0


def process(samples: np.ndarray) -> TfjpResult:
    """
    Return a clip [n] float32 at 16 kHz as an event on the 200 ms grid.

    Silence, noise and clips under 50 ms are told apart by the verdict and never raise. Raises
    TfjpError for other shapes or types and for samples that are not finite.
    """
    check(samples)
    if len(samples) < SHORTEST:
        return _as_it_is(samples, 'short', f'{len(samples)} samples are under 50 ms')
    levels, _ = _measure(analyse(samples))
    if levels.max() <= SILENCE_DBFS:
        return _as_it_is(samples[:GRID], 'silence',
                         f'no 20 ms are louder than {SILENCE_DBFS:.0f} dBFS')
    clip = _Clip(samples=_whole_hops(samples), origin=np.arange(len(levels)),
                 least_gate=find_gate(levels))
    loops, used = 0, _run_round(clip, budget=MAX_LOOPS, whole=False)
    while used and loops < MAX_LOOPS:
        loops += used
        used = _run_round(clip, budget=MAX_LOOPS - loops, whole=True)
    _last_cut(clip)
    return _make_result(clip, levels, loops, settled=not used)


def _whole_hops(samples: np.ndarray) -> np.ndarray:
    padded = np.zeros(-(-len(samples) // HOP) * HOP)
    padded[:len(samples)] = samples
    return padded


def _as_it_is(samples: np.ndarray, verdict: str, reason: str) -> TfjpResult:
    """Return a clip that holds nothing to work on, in the middle of zeros up to the grid."""
    whole = np.zeros(-(-len(samples) // GRID) * GRID, dtype=np.float32)
    first = (len(whole) - len(samples)) // 2
    whole[first:first + len(samples)] = samples
    seconds, onset = len(samples) / RATE, first / RATE
    return TfjpResult(samples=whole, report=TfjpReport(
        loops=0, settled=True, cut_s=0.0, core_start_s=0.0, core_end_s=seconds, onset_s=onset,
        offset_s=onset + seconds, gate_dbfs=SILENCE_DBFS, verdict=verdict, reason=reason))


def _run_round(clip: _Clip, *, budget: int, whole: bool) -> int:
    """
    Do all steps on a clip, the first three at most ``budget`` times.

    Return how many loops changed it, 0 when it is done. With a budget of 0 the clip stays as it
    is and 1 tells that more could be done.
    """
    frames = analyse(clip.samples)
    kept, loops = np.arange(len(frames)), 0
    while True:
        stay, cleaned, look = _cut_and_clean(frames[kept], clip.least_gate, whole)
        if not look.changed or loops == budget:
            break
        kept = kept[stay]
        frames[kept] = cleaned
        loops += 1
    frames = frames[kept]
    levels, powers = _measure(frames)
    core = locate_core(levels, powers, look.gate)
    start, end = _move_to_grid(core, len(frames))
    clip.gate = look.gate
    moved = start > 0 or end != len(frames) - 1
    if budget and (loops or moved):
        clip.cut += len(clip.origin) - len(kept)
        clip.origin = _pick_origin(clip.origin[kept], start, end)
        clip.core = _move_core(clip.core, kept, start) if clip.core else (core[0] - start,
                                                                          core[1] - start)
        noise = frames[look.quiet] if look.is_noise else None
        clip.samples = _taper(_pad_to_hops(synthesise(frames[start:end + 1]), end - start, noise))
    elif budget:
        clip.core = clip.core or core
        clip.samples = _taper(clip.samples)
    return max(loops, int(moved or look.changed))


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What one pass of the first three steps saw."""

    gate: float
    quiet: np.ndarray
    """The quietest frames, as indices of the frames that went in."""
    is_noise: bool
    changed: bool


def _measure(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    powers = power_of(frames)
    return to_level_db(powers.sum(axis=1)), powers


def _cut_and_clean(frames: np.ndarray, least_gate: float,
                   whole: bool) -> tuple[np.ndarray, np.ndarray, _Look]:
    """Return which frames stay, these less their noise, and what was seen."""
    levels, _ = _measure(frames)
    stay = choose_frames(levels, least_gate, whole=whole)
    levels, cleaned = levels[stay], frames[stay]
    gate = limit_gate(levels, least_gate)
    quiet = find_quietest(levels)
    is_noise, changed = bool(levels[quiet].max() <= gate), len(stay) < len(frames)
    if is_noise:
        rest = denoise(cleaned, power_of(cleaned[quiet]).mean(axis=0))
        if power_of(cleaned - rest).sum() > CHANGE * power_of(cleaned).sum():
            cleaned, changed = rest, True
    return stay, cleaned, _Look(gate=gate, quiet=stay[quiet], is_noise=is_noise,
                                changed=changed)


def _move_core(core: tuple[int, int], kept: np.ndarray, start: int) -> tuple[int, int]:
    """Return where the frames of a core went when only some frames were kept."""
    first, end = np.searchsorted(kept, core)
    return int(first) - start, int(end) - start


def _move_to_grid(core: tuple[int, int], frames: int) -> tuple[int, int]:
    """Return first and last frame of the core moved outwards to the grid, in hops."""
    start = max(core[0] - 1, 0) // DELTA * DELTA
    last = min(core[1], frames - 1)
    return start, start + max(1, -(-(last - start) // DELTA)) * DELTA


def _pick_origin(origin: np.ndarray, start: int, end: int) -> np.ndarray:
    return origin[np.minimum(np.arange(start, end + 1), len(origin) - 1)]


def _pad_to_hops(samples: np.ndarray, hops: int, quiet: np.ndarray | None) -> np.ndarray:
    """Lengthen samples to whole hops with their own noise, or mirrored where there is none."""
    missing = hops - len(samples) // HOP
    if missing <= 0:
        return samples
    if quiet is None:
        return np.pad(samples, (0, missing * HOP), mode='reflect' if len(samples) > 1 else 'edge')
    noise = make_noise_like(quiet, missing + 1)
    if len(samples) < HOP:
        return np.concatenate([samples, noise[HOP:]])
    fade = 0.5 - 0.5 * np.cos(np.pi * np.arange(HOP) / HOP)
    joint = samples[-HOP:] * (1 - fade) + noise[:HOP] * fade
    return np.concatenate([samples[:-HOP], joint, noise[HOP:]])


def _taper(samples: np.ndarray) -> np.ndarray:
    """Fade both ends over 20 ms, except an end that already comes to rest."""
    samples = samples.copy()
    fade = 0.5 - 0.5 * np.cos(np.pi * np.arange(FADE) / FADE)
    for end in (samples[:FADE], samples[::-1][:FADE]):
        if np.abs(end[:2]).max() > REST * np.abs(end).max():
            end *= fade
    return samples


def _last_cut(clip: _Clip) -> None:
    """Cut what silence a clip holds that did not settle."""
    while True:
        frames = analyse(clip.samples)
        levels, _ = _measure(frames)
        kept = choose_frames(levels, clip.least_gate, whole=True)
        clip.gate = limit_gate(levels, clip.least_gate)
        if len(kept) == len(levels):
            return
        clip.cut += len(levels) - len(kept)
        clip.origin = clip.origin[kept]
        clip.core = _move_core(clip.core or (0, len(kept)), kept, 0)
        clip.samples = _taper(synthesise(frames[kept]))


def _make_result(clip: _Clip, levels: np.ndarray, loops: int, settled: bool) -> TfjpResult:
    last = len(clip.origin) - 1
    first, end = (int(np.clip(at, 0, last)) for at in clip.core or (0, last))
    verdict, reason = judge_clip(levels, clip.samples)
    return TfjpResult(samples=clip.samples.astype(np.float32), report=TfjpReport(
        loops=loops, settled=settled, cut_s=clip.cut / HOPS_PER_S,
        core_start_s=float(clip.origin[first] / HOPS_PER_S),
        core_end_s=float(clip.origin[end] / HOPS_PER_S),
        onset_s=first / HOPS_PER_S, offset_s=end / HOPS_PER_S, gate_dbfs=float(clip.gate),
        verdict=verdict, reason=reason))
