"""
Streams to listen to, put together from held-out clips.

Owns four kinds: one event each, dry or over a background; one harmless sound each; backgrounds
without any event; half an hour with sparse events. Every stream depends on names and numbers only,
so two models hear the same. Streams are made when they are asked for. Knows no model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

import numpy as np

from audio_interaction_ros.alerts.rules import AlertRules
from eval.matching import ExpectedEvent
from held_out.classes import accepted_labels, kind_of
from held_out.clips import (
    RATE,
    HeldOutClip,
    MaterialError,
    by_label,
    find_sounding,
    go_round,
    load,
    loop_samples,
    mix_over,
    scale_to,
    side_of,
)
from held_out.splits import chance_of

__all__ = ['ScenePlan', 'Scene', 'background_plans', 'event_plans', 'long_scene', 'single_plans']

VERSION = 1
"""One more when a scene of the same name sounds different: what was heard of it is heard anew."""
LEAD_S = (1.0, 9.0)
"""Before an event; drawn, so that no model does well by knowing when an event comes."""
TAIL_S = 2.4
LONGEST_EVENT_S = 8.0
BACKGROUND_S = 60.0
MIXTURE = ('ambience', 'harmless', 'ambience', 'speech')
"""Half of the background time is ambience, a quarter harmless sounds, a quarter speech."""
GAP_S = 0.6


@dataclass(frozen=True, kw_only=True)
class Scene:
    """16 kHz mono samples [n] float32 and what happens in them."""

    name: str
    kind: str
    """event, or the kind of background."""
    samples: np.ndarray
    events: tuple[ExpectedEvent, ...] = ()
    group: str = ''
    origin: str = ''
    side: str = ''
    """validation or test."""
    condition: str = ''
    unique_s: float = 0.0
    """Seconds of recordings in it that were not heard before."""
    label: str = ''
    """Of a single sound: what it is."""


@dataclass(frozen=True)
class ScenePlan:
    """A scene that is made when it is asked for."""

    name: str
    make: Callable[[], Scene]
    recordings: tuple[tuple[float, str], ...] = ()
    """Of a background: when each recording begins, in seconds, and what it is called."""


def cut_event(item: HeldOutClip) -> np.ndarray:
    """Return what sounds of a clip, at most LONGEST_EVENT_S."""
    samples = load(item.path)
    first, last = find_sounding(samples)
    return samples[first:last][:round(LONGEST_EVENT_S * RATE)]


def _make_bed(beds: Sequence[HeldOutClip], name: str, seconds: float) -> np.ndarray:
    """Return so many seconds of a background at -46 to -34 dBFS, chosen by name."""
    item = beds[int(chance_of(name, 'bed') * len(beds))]
    samples = loop_samples(load(item.path), round(seconds * RATE), name)
    return scale_to(samples, -46.0 + 12.0 * chance_of(name, 'level'))


def event_scene(item: HeldOutClip, beds: Sequence[HeldOutClip], known: AlertRules,
                snr_db: float | None) -> Scene:
    """Return one event after a while, over a background (or dry) that goes on for TAIL_S."""
    condition = 'dry' if snr_db is None else f'{snr_db:g} dB'
    name, event = f'{item.name} {condition}', cut_event(item)
    lead = LEAD_S[0] + (LEAD_S[1] - LEAD_S[0]) * chance_of(name, 'lead')
    seconds = lead + len(event) / RATE + TAIL_S
    bed = np.zeros(round(seconds * RATE), np.float32) if snr_db is None \
        else _make_bed(beds, name, seconds)
    sound = ExpectedEvent(label=item.label, start=lead, end=lead + len(event) / RATE,
                          accepts=accepted_labels(item.label, known))
    return Scene(name=name, kind='event', samples=mix_over(event, round(lead * RATE), bed, snr_db),
                 events=(sound,), group=item.group, origin=item.origin, side=side_of(item),
                 condition=condition)


def single_scene(item: HeldOutClip) -> Scene:
    """Return one harmless sound as close as an event that stands dry, and nothing else."""
    sound, name = cut_event(item), f'{item.name} single'
    lead = LEAD_S[0] + (LEAD_S[1] - LEAD_S[0]) * chance_of(name, 'lead')
    bed = np.zeros(round((lead + len(sound) / RATE + TAIL_S) * RATE), np.float32)
    return Scene(name=name, kind='single', samples=mix_over(sound, round(lead * RATE), bed, None),
                 group=item.group, origin=item.origin, side=side_of(item), condition='dry',
                 label=item.label, unique_s=item.seconds)


def single_plans(items: Sequence[HeldOutClip], limit: int = 0) -> list[ScenePlan]:
    """Return a plan for one clip of each recording of a harmless sound."""
    first: dict[str, HeldOutClip] = {}
    for item in items:
        if kind_of(item) == 'harmless' and item.seconds > 0 and not item.generated:
            first.setdefault(item.group, item)

    def make_plan(item: HeldOutClip) -> ScenePlan:
        return ScenePlan(f'{item.name} single', lambda: single_scene(item))
    return [make_plan(item) for item in list(first.values())[:limit or None]]


def event_plans(items: Sequence[HeldOutClip], known: AlertRules, *, snrs: Sequence[float | None],
                per_class: int, limit: int = 0) -> list[ScenePlan]:
    """Return a plan per event clip and condition, at most ``per_class`` clips of a class."""
    events = by_label([item for item in items if kind_of(item) == 'event' and not item.generated])
    chosen = [item for label in sorted(events) for item in events[label][:per_class]]
    # By chance, so that a short run has several classes.
    chosen = sorted(chosen, key=lambda item: chance_of(item.name, 'order'))[:limit or None]
    ambience = [item for item in items if kind_of(item) == 'ambience']
    if any(snr is not None for snr in snrs) and not ambience:
        raise MaterialError('expected background_* clips to mix events with, found none that is '
                            'held out; add some or give --snr dry')

    def make_plan(item: HeldOutClip, snr: float | None) -> ScenePlan:
        beds = [bed for bed in ambience if side_of(bed) == side_of(item)] or ambience
        return ScenePlan(f'{item.name} {snr}', lambda: event_scene(item, beds, known, snr))
    return [make_plan(item, snr) for item in chosen for snr in snrs]


def background_scene(name: str, what: str, parts: Sequence[tuple[int, HeldOutClip]],
                     beds: Sequence[HeldOutClip], which: str) -> Scene:
    """Return clips one after the other; what was heard before comes over another background."""
    pieces: list[np.ndarray] = []
    for number, item in parts:
        sound = scale_to(load(item.path), -42.0 + 24.0 * chance_of(item.name, number, 'level'))
        if what != 'ambience':
            sound = np.concatenate([sound, np.zeros(round(GAP_S * RATE), np.float32)])
        if number and beds:
            sound = sound + _make_bed(beds, f'{name} {item.name} {number}', len(sound) / RATE)
        pieces.append(sound)
    samples = np.concatenate(pieces)
    floor = np.random.default_rng(len(samples)).standard_normal(len(samples))
    samples = np.clip(samples + floor * 10 ** (-70 / 20), -1, 1).astype(np.float32)
    return Scene(name=name, kind=what, samples=samples, side=which,
                 unique_s=sum(item.seconds for number, item in parts if not number))


def background_plans(items: Sequence[HeldOutClip], hours: float, limit: int = 0,
                     which: str = '') -> list[ScenePlan]:
    """
    Return plans of streams of about a minute without events, ``hours`` in all, of one side.

    Each clip is heard once before any is heard again; then it has another level and another
    background under it. Kinds follow MIXTURE as far as there are clips.
    """
    pools = {what: [item for item in items if kind_of(item) == what and item.seconds > 0
                    and which in ('', side_of(item))]
             for what in dict.fromkeys(MIXTURE)}
    streams = {what: go_round(pool) for what, pool in pools.items() if pool}
    if not streams:
        if which == 'validation':
            return []
        raise MaterialError('expected held-out clips that are no events, found none; add '
                            'backgrounds, harmless sounds or speech to the manifest')
    beds, plans, total = pools['ambience'], list[ScenePlan](), 0.0
    while total < hours * 3600 and not (limit and len(plans) >= limit):
        what = MIXTURE[len(plans) % len(MIXTURE)]
        what = what if what in streams else next(iter(streams))
        parts, seconds = [], 0.0
        while seconds < BACKGROUND_S:
            parts.append(next(streams[what]))
            seconds += parts[-1][1].seconds + (GAP_S if what != 'ambience' else 0.0)
        total += seconds
        name = ' '.join(('background', which, f'{len(plans):04d}', what))
        plans.append(_background_plan(name, what, parts, beds, which))
    return plans


def _background_plan(name: str, what: str, parts: list[tuple[int, HeldOutClip]],
                     beds: Sequence[HeldOutClip], which: str) -> ScenePlan:
    gap = GAP_S if what != 'ambience' else 0.0
    begins = accumulate((item.seconds + gap for _, item in parts), initial=0.0)
    return ScenePlan(name, lambda: background_scene(name, what, parts, beds, which),
                     tuple((begin, item.name) for begin, (_, item) in zip(begins, parts,
                                                                       strict=False)))


def long_scene(items: Sequence[HeldOutClip], known: AlertRules, *, number: int, minutes: float,
               every_s: float, same_s: float, snr_db: float) -> Scene:
    """
    Return a long stream with one event in every ``every_s`` seconds over changing backgrounds.

    The last ``same_s`` seconds are the first ones again, sample by sample: what is heard
    differently there is due to what came between.
    """
    total, same = round(minutes * 60 * RATE), round(same_s * RATE)
    if total < 2 * same:
        raise MaterialError(f'expected a stream of at least twice {same_s:g} s, got {minutes:g} '
                            'minutes; give more --minutes or a shorter --compare')
    samples = _long_bed([item for item in items if kind_of(item) == 'ambience'], number,
                        total - same)
    sounds = list[ExpectedEvent]()
    events = by_label([item for item in items if kind_of(item) == 'event' and not item.generated])
    if not events:
        raise MaterialError('expected held-out event clips, found none; add some to the manifest')
    clips = {label: go_round(events[label]) for label in sorted(events)}
    step = round(every_s * RATE)
    for index, at in enumerate(range(0, total - same, step)):
        label = sorted(clips)[(index + number) % len(clips)]
        event = cut_event(next(islice(clips[label], 1))[1])
        begin = at + round(chance_of('long', number, index) * max(1, step - len(event) - 3 * RATE))
        if begin // same != (begin + len(event) + 3 * RATE) // same:
            continue  # no event across the seam
        samples = mix_in_place(samples, event, begin, snr_db)
        sounds.append(ExpectedEvent(label=label, start=begin / RATE,
                                    end=(begin + len(event)) / RATE,
                                    accepts=accepted_labels(label, known)))
    shift = (total - same) / RATE
    again = [ExpectedEvent(label=sound.label, start=sound.start + shift, end=sound.end + shift,
                           accepts=sound.accepts) for sound in sounds if sound.end <= same_s]
    return Scene(name=f'long {number}', kind='long', events=(*sounds, *again),
                 samples=np.concatenate([samples, samples[:same]]))


def mix_in_place(samples: np.ndarray, event: np.ndarray, at: int, snr_db: float) -> np.ndarray:
    """Mix an event into a place of a long stream, in place."""
    piece = samples[at:at + len(event)]
    samples[at:at + len(event)] = mix_over(event[:len(piece)], 0, piece, snr_db)
    return samples


def _long_bed(beds: Sequence[HeldOutClip], number: int, count: int) -> np.ndarray:
    """Return ``count`` samples of backgrounds one after the other, faded over a second."""
    order = sorted(beds, key=lambda item: chance_of(item.name, 'long', number))
    if not order:
        raise MaterialError('expected background_* clips, found none that is held out; add some '
                            'to the manifest')
    bed, at, fade = np.zeros(count, np.float32), 0, RATE
    for turn, item in go_round(order):
        piece = scale_to(load(item.path), -46.0 + 10.0 * chance_of(item.name, turn, 'long'))
        if len(piece) > 3 * fade:
            ramp = np.linspace(0, 1, fade, dtype=np.float32)
            piece[:fade] *= ramp
            piece[-fade:] *= ramp[::-1]
        piece = piece[:count - at]
        bed[at:at + len(piece)] += piece
        at += max(len(piece) - fade, 1)
        if at >= count - fade:
            return bed + scale_to(np.random.default_rng(number).standard_normal(count), -70.0)
    raise AssertionError('rounds never end')
