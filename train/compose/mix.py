"""
One plan becomes one stream: where each clip is placed, how loud, and what is between them.

Owns positions, gains, noise, gaps and the order of these steps (arXiv 2606.05121, composition
algorithm; gaps and device as our field lessons ask). Everything follows from the plan's seed.
Knows no corpus, no ability and no tokens.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ as RATE
from train.compose import audio
from train.compose.lanes import Rules, lane_replies
from train.compose.script import Order, Plan, PlanError
from train.records import Clip, Event, Stream

__all__ = ['Layers', 'Mix', 'compose', 'make_layers']

DRAWS = 300
TAIL_S = 0.8  # at least: the reply to the last event needs a chunk


def _gap_kinds() -> dict[str, float]:
    return {'room': 0.45, 'zero': 0.30, 'floor': 0.25}


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Constants of composition; pairs are the ends of a uniform draw."""

    level_dbfs: float = -26.0
    """Active level of the foreground before the draws."""
    foreground_db: tuple[float, float] = (-4.0, 4.0)
    background_db: tuple[float, ...] = (0.0, -6.0, -12.0)
    """Gains against the foreground, one is drawn (paper: {0, -6, -12} by role)."""
    ambient_db: tuple[float, ...] = (-6.0, -12.0)
    snr_db: tuple[float, float] = (5.0, 20.0)
    """Foreground against the event-like noise track, and before the extra of the other."""
    ambient_extra_db: float = 5.0
    fade_s: float = 0.02
    crossfade_s: float = 0.2
    gap_kinds: Mapping[str, float] = field(default_factory=_gap_kinds)
    room_below_db: tuple[float, float] = (18.0, 30.0)
    floor_dbfs: tuple[float, float] = (-80.0, -55.0)
    room_probability: float = 0.25
    device_probability: float = 0.7
    output_db: tuple[float, float] = (-10.0, 0.0)
    """Level of the whole, below what keeps the peak at 0.9."""
    longest_s: float = 60.0
    rules: Rules = field(default_factory=Rules)


@dataclass(kw_only=True)
class Layers:
    """The tracks of a stream before they are summed, each [whole chunks] float32."""

    tracks: dict[str, np.ndarray]
    """foreground, background, ambient, noise_event, noise_ambient, gaps"""
    events: list[Event]
    """Foreground in order, then background, ambient, noise; gains as in the tracks."""
    heard: list[np.ndarray]
    """Samples of each foreground event as placed."""
    zeros: list[tuple[int, int]]
    """Spans that a gate shuts: digital zero."""
    gap_kinds: list[str]


Reader = Callable[[Clip, Path], np.ndarray]


def scale_to_level(samples: np.ndarray, target_db: float) -> tuple[np.ndarray, float]:
    gain = target_db - audio.active_db(samples)
    return samples * np.float32(audio.amplitude_factor(gain)), gain


def make_event(clip: Clip, role: str, start: int, count: int, gain: float,
               below_db: float = 0.0) -> Event:
    return Event(clip=clip, role=role, start_s=start / RATE, end_s=(start + count) / RATE,
                 gain_db=round(float(gain), 3), below_db=round(float(below_db), 3))


def begin_later(clip: Clip, offset: int) -> Clip:
    """Return a clip that is repeated, as it is heard from so many of its samples on."""
    return replace(clip, offset_s=clip.offset_s + offset * clip.pace / RATE,
                   file_s=clip.file_s or clip.seconds)


def place_in_sequence(plan: Plan, mix: Mix, clips: list[np.ndarray],
                      rng: np.random.Generator) -> tuple[list[int], int]:
    """Return where each foreground clip starts and how many samples the stream has."""
    starts, position = [], 0
    for index, samples in enumerate(clips):
        gap_s = plan.gap_s if index or plan.lead_s is None else plan.lead_s
        position += int(rng.uniform(*gap_s) * RATE)
        starts.append(position)
        position += len(samples)
    position += int(max(TAIL_S, rng.uniform(*plan.gap_s)) * RATE)
    size = mix.rules.chunk_size
    total = -(-position // size.samples) * size.samples
    if total > mix.longest_s * RATE:
        raise PlanError(f'plan {plan.id}: the stream would be {total / RATE:.1f} s long, at most '
                        f'{mix.longest_s:.0f} s are allowed; plan fewer or shorter events')
    return starts, total


def holds_order(order: Order, spans: list[tuple[int, int]]) -> bool:
    """Tell whether a rule holds between spans; one between events not yet placed does."""
    if max(order.first, order.second) >= len(spans):
        return True
    (start, end), (other_start, other_end) = spans[order.first], spans[order.second]
    return end <= other_start or (order.kind == 'not_together' and other_end <= start)


def find_free_start(plan: Plan, spans: list[tuple[int, int]], count: int, total: int,
                    rng: np.random.Generator) -> int:
    """Return a random place for so many samples at which the plan's rules hold."""
    for _ in range(DRAWS):
        start = int(rng.integers(total - count + 1))
        if all(holds_order(order, [*spans, (start, start + count)]) for order in plan.orders):
            return start
    raise PlanError(f'plan {plan.id}: no place for background {len(spans)} at which all of '
                    f'{plan.orders} hold; plan longer gaps or fewer rules')


def make_side_tracks(plan: Plan, mix: Mix, spans: list[tuple[int, int]], total: int,
                     rng: np.random.Generator, root: Path,
                     read: Reader) -> tuple[dict[str, np.ndarray], list[Event]]:
    """Return the background and ambient tracks: once at a random time, and all the time."""
    tracks = {role: np.zeros(total, np.float32) for role in ('background', 'ambient')}
    events = []
    for clip in plan.background:
        samples = audio.fade(read(clip, root)[:total], mix.fade_s)
        samples, gain = scale_to_level(samples,
                                       mix.level_dbfs + float(rng.choice(mix.background_db)))
        start = find_free_start(plan, spans, len(samples), total, rng)
        spans = [*spans, (start, start + len(samples))]
        tracks['background'][start:start + len(samples)] += samples
        events.append(make_event(clip, 'background', start, len(samples), gain))
    for clip in plan.ambient:
        samples, offset = audio.tile(audio.read_clip(clip, root), total, rng,
                                     crossfade_s=mix.crossfade_s)
        relative = float(rng.choice(mix.ambient_db))
        samples, gain = scale_to_level(samples, mix.level_dbfs + relative)
        tracks['ambient'] += audio.fade(samples, mix.fade_s)
        events.append(make_event(begin_later(clip, offset), 'ambient', 0, total, gain, -relative))
    return tracks, events


def make_noise_tracks(plan: Plan, mix: Mix, total: int, signal_power: float,
                      rng: np.random.Generator,
                      root: Path) -> tuple[dict[str, np.ndarray], list[Event]]:
    """Return both noise tracks; SNR is mean power of the foreground's spans over the noise's."""
    tracks: dict[str, np.ndarray] = {}
    events = []
    for name, clip, extra in zip(('noise_event', 'noise_ambient'), plan.noise,
                                 (0.0, mix.ambient_extra_db), strict=False):
        samples, offset = audio.tile(audio.read_clip(clip, root), total, rng,
                                     crossfade_s=mix.crossfade_s)
        snr = rng.uniform(*mix.snr_db) + extra
        gain = (audio.to_decibels(signal_power) - snr
                - audio.to_decibels(float((samples ** 2).mean())))
        tracks[name] = samples * np.float32(audio.amplitude_factor(gain))
        events.append(make_event(begin_later(clip, offset), 'noise', 0, total, gain, snr))
    return tracks, events


def find_gaps(starts: list[int], clips: list[np.ndarray], total: int) -> list[tuple[int, int]]:
    ends = [0, *[start + len(samples) for start, samples in zip(starts, clips, strict=True)]]
    return [(end, start) for end, start in zip(ends, [*starts, total], strict=True)
            if start > end]


def fill_gaps(plan: Plan, mix: Mix, spans: list[tuple[int, int]], beds: list[Event], total: int,
              rng: np.random.Generator, root: Path) -> tuple[np.ndarray, list[str]]:
    """
    Return the track of the gaps and the kind of each: room, zero or floor.

    Room and floor go on under the event after the gap: a noise that stopped where speech begins
    would tell the answer. A gate shuts only when nothing else happens in the gap; without a
    recording of a room, its share goes to the white floor.
    """
    track, kinds = np.zeros(total, np.float32), []
    room = audio.read_clip(plan.room[0], root) if plan.room else None
    weights = np.array(list(mix.gap_kinds.values()))
    for (start, end), until in zip(spans, [*[start for start, _ in spans[1:]], total],
                                   strict=True):
        kind = str(rng.choice(list(mix.gap_kinds), p=weights / weights.sum()))
        busy = any(event.start_s * RATE < end and event.end_s * RATE > start for event in beds)
        kind = 'room' if kind == 'zero' and busy else kind
        kind = 'floor' if kind == 'room' and room is None else kind
        if kind == 'room':
            assert room is not None
            samples, _ = audio.tile(room, until - start, rng, crossfade_s=mix.crossfade_s)
            level = mix.level_dbfs - rng.uniform(*mix.room_below_db)
            track[start:until] = audio.fade(scale_to_level(samples, level)[0], mix.fade_s)
        elif kind == 'floor':
            level = rng.uniform(*mix.floor_dbfs)
            track[start:until] = audio.make_floor_noise(until - start, level, rng)
        kinds.append(kind)
    return track, kinds


def make_layers(plan: Plan, *, root: Path, mix: Mix | None = None,
                read: Reader = audio.read_clip) -> Layers:
    """
    Return the tracks of a plan's stream.

    ``read`` returns the samples of a foreground or background clip under ``root`` (it may run
    TFJP on them; sounds that last are only tiled). Raises
    PlanError for a plan that cannot be, ClipError for a clip that cannot be used.
    """
    mix = mix or Mix()
    plan.check()
    rng = np.random.default_rng([plan.seed, *plan.id.encode()])
    heard, events = [], []
    for clip in plan.foreground:
        samples = read(clip, root)
        if rng.random() < mix.room_probability:
            samples = audio.add_room(samples, rng)
        samples, gain = scale_to_level(samples, mix.level_dbfs + rng.uniform(*mix.foreground_db))
        heard.append(audio.fade(samples, mix.fade_s))
        events.append(make_event(clip, 'foreground', 0, len(samples), gain))
    starts, total = place_in_sequence(plan, mix, heard, rng)
    track = np.zeros(total, np.float32)
    for index, (start, samples) in enumerate(zip(starts, heard, strict=True)):
        track[start:start + len(samples)] = samples
        events[index] = make_event(plan.foreground[index], 'foreground', start, len(samples),
                                   events[index].gain_db)
    power = float(np.mean(np.concatenate(heard) ** 2))
    tracks, beds = make_side_tracks(plan, mix, [
        (start, start + len(samples)) for start, samples in zip(starts, heard, strict=True)],
        total, rng, root, read)
    noises, noise_events = make_noise_tracks(plan, mix, total, power, rng, root)
    spans = find_gaps(starts, heard, total)
    gaps, kinds = fill_gaps(plan, mix, spans, beds, total, rng, root)
    return Layers(tracks={'foreground': track, **tracks, **noises, 'gaps': gaps},
                  events=[*events, *beds, *noise_events], heard=heard, gap_kinds=kinds,
                  zeros=[span for span, kind in zip(spans, kinds, strict=True) if kind == 'zero'])


def compose(plan: Plan, *, root: Path, mix: Mix | None = None,
            read: Reader = audio.read_clip) -> tuple[np.ndarray, Stream]:
    """
    Return the samples [whole chunks] float32 of a plan's stream and its record.

    The same plan, clips and mix give the same samples. ``gain_db`` of an event is what its file
    was multiplied by, device excepted. Raises PlanError and ClipError.
    """
    mix = mix or Mix()
    built = make_layers(plan, root=root, mix=mix, read=read)
    samples = np.stack(list(built.tracks.values())).sum(axis=0, dtype=np.float32)
    rng = np.random.default_rng([plan.seed, 1, *plan.id.encode()])
    if rng.random() < mix.device_probability:
        samples = audio.add_device(samples, rng)
    peak_db = 20 * float(np.log10(max(1e-6, np.abs(samples).max())))
    gain = 20 * np.log10(0.9) - peak_db + rng.uniform(*mix.output_db)
    samples *= np.float32(audio.amplitude_factor(gain))
    for start, end in built.zeros:
        audio.mute_span(samples, start, end, mix.fade_s)
    events = tuple(replace(event, gain_db=round(float(event.gain_db + gain), 2))
                   for event in built.events)
    lanes = {name: lane_replies(lane, events, built.heard, mix.rules)
             for name, lane in plan.lanes.items()}
    return samples, Stream(
        id=plan.id, ability=plan.ability, task=plan.task, seed=plan.seed,
        path=f'audio/{plan.id}.flac', chunks=len(samples) // mix.rules.chunk_size.samples,
        chunk_s=mix.rules.chunk_size.s, events=events, lanes=lanes, scenario=plan.scenario)
