"""
A public subset of the classes that ProactiveSound-Bench asks about.

Its audio is not there, so the held-out clips of the same classes stand in: what is an event here
is due an answer, what is harmless is not. Owns which label belongs to which of its domains. The
shares of the two differ from the benchmark's, so accuracy is also given for its own share; there
always-silent has 58.5 %. Knows no model.
"""

from collections.abc import Sequence
from typing import Any

from eval.alert_figures import SINGLE, StreamOutcome
from eval.psb import score
from eval.psb_rows import BenchmarkClip
from measure.intervals import Estimate

__all__ = ['DOMAINS', 'RESPOND_SHARE', 'domain_of', 'public_subset']

RESPOND_SHARE = 0.4146
"""Of the benchmark's rows: always RESPOND is right so often."""
DOMAINS: dict[str, frozenset[str]] = {
    'Human Sound Signals': frozenset({
        'baby_cry', 'cough', 'scream', 'laughter', 'clapping', 'crowd', 'crowd_cheering',
        'breathing', 'sneeze', 'snoring', 'footsteps', 'whistling', 'drinking', 'eating'}),
    'Daily Living Sounds': frozenset({
        'door_knock', 'doorbell', 'glass_break', 'dish_break', 'water_flow', 'water_pouring',
        'door_bang', 'impact_hard', 'door', 'door_creak', 'brushing_teeth', 'keyboard_typing',
        'mouse_click', 'can_opening', 'vacuum_cleaner', 'window_curtain', 'zipper', 'paper',
        'water_drip', 'coins', 'keys', 'clock_tick'}),
    'Equipment': frozenset({
        'smoke_alarm', 'fire_alarm', 'appliance', 'appliance_beep', 'microwave', 'ui_beep',
        'phone_ring', 'washing_machine', 'camera_shutter', 'chainsaw', 'hand_saw', 'tool_use',
        'radio_static', 'gear_shift', 'reversing_beep'}),
    'Music': frozenset({'music'}),
    'Nature & Environment': frozenset({
        'dog_bark', 'fire_crackling', 'birds', 'cat', 'cow', 'crow', 'crickets', 'frog', 'hen',
        'insects', 'pig', 'rooster', 'sheep', 'duck', 'goose', 'horse', 'rain', 'sea_waves',
        'wind', 'other_weather', 'woodpecker'}),
    'Traffic': frozenset({
        'car_alarm', 'car_horn', 'siren', 'airplane', 'engine', 'helicopter', 'train'}),
    'Impulses': frozenset({'gunshot', 'explosion', 'gun_handling', 'whoosh'})}
"""Domains of the benchmark; shots and explosions, which it spreads, have a row of their own."""


def domain_of(label: str) -> str:
    """Return the domain of a label, '' where the benchmark has nothing like it."""
    return next((name for name, labels in DOMAINS.items() if label in labels), '')


def public_subset(heard: Sequence[StreamOutcome]) -> dict[str, Any]:
    """
    Return scores of dry events and single sounds as answered or not, of one setting.

    ``at_their_share``: accuracy if as many rows were due an answer as in the benchmark.
    """
    rows, decisions = [], dict[str, bool | None]()
    for stream in heard:
        label = stream.events[0].label if stream.events else stream.label
        domain = domain_of(label)
        if domain and (stream.kind == SINGLE or stream.condition == 'dry' and stream.events):
            rows.append(BenchmarkClip(id=stream.name, path='', domain=domain, category=label,
                                      description='', respond=bool(stream.events)))
            decisions[stream.name] = any(said.alarm for said in stream.replies)
    found = score(rows, decisions)
    return {**found, 'at_their_share': _reweigh(found['recall'], found['specificity'])}


def _reweigh(recall: Estimate, specificity: Estimate) -> Estimate:
    """Return accuracy where RESPOND_SHARE of the rows are due an answer."""
    due, quiet = RESPOND_SHARE, 1 - RESPOND_SHARE

    def at(end: str) -> float:
        return due * float(getattr(recall, end)) + quiet * float(getattr(specificity, end))
    value = at('value')
    half = 0.5 * ((due * (recall.high - recall.low)) ** 2
                  + (quiet * (specificity.high - specificity.low)) ** 2) ** 0.5
    return Estimate(value=value, low=max(0.0, value - half), high=min(1.0, value + half),
                    n=recall.n + specificity.n)
