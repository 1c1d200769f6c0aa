"""
A public subset of the classes that ProactiveSound-Bench asks about.

Its audio is not there, so the held-out clips of the same classes stand in: what is an event here
is due an answer, what is harmless is not. Owns which label belongs to which of its domains. The
shares of the two differ from the benchmark's, so accuracy is also given for its own share; there
always-silent has 58.5 %. Knows no model.
"""

from collections.abc import Sequence
from typing import Any

from eval.alert_figures.outcome import SINGLE, StreamOutcome
from eval.psb_rows import BenchmarkClip
from eval.psb_scores import score
from measure.intervals import Estimate

__all__ = ['DOMAINS', 'RESPOND_SHARE', 'place_of', 'public_subset']

RESPOND_SHARE = 0.4146
"""Of the benchmark's rows: always RESPOND is right so often."""
DOMAINS: dict[str, dict[str, frozenset[str]]] = {
    'Human Sound Signals': {
        'Body Movements': frozenset({'clapping', 'drinking', 'eating', 'footsteps'}),
        'Collective Ambience': frozenset({'crowd', 'crowd_cheering'}),
        'Emotion Expression': frozenset({'baby_cry', 'laughter', 'scream', 'whistling'}),
        'Physiological states': frozenset({'breathing', 'cough', 'sneeze', 'snoring'})},
    'Daily Living Sounds': {
        'Daily Affairs': frozenset({
            'door_knock', 'doorbell', 'glass_break', 'dish_break', 'door_bang', 'impact_hard',
            'door', 'door_creak', 'keyboard_typing', 'mouse_click', 'can_opening',
            'window_curtain', 'zipper', 'paper', 'coins', 'keys', 'clock_tick'}),
        'Housekeeping': frozenset({
            'vacuum_cleaner', 'water_drip', 'water_flow', 'water_pouring'}),
        'Personal Care': frozenset({'brushing_teeth'})},
    'Equipment': {
        'House Equipment States': frozenset({
            'smoke_alarm', 'fire_alarm', 'appliance', 'appliance_beep', 'microwave', 'ui_beep',
            'phone_ring', 'washing_machine', 'camera_shutter', 'radio_static'}),
        'Industrial Tools & Instruments': frozenset({
            'chainsaw', 'gear_shift', 'hand_saw', 'reversing_beep', 'tool_use'})},
    'Music': {'Artistic': frozenset({'music'})},
    'Nature & Environment': {
        'Ecological & Biological Context': frozenset({
            'dog_bark', 'birds', 'cat', 'cow', 'crow', 'crickets', 'frog', 'hen', 'insects',
            'pig', 'rooster', 'sheep', 'duck', 'goose', 'horse', 'woodpecker'}),
        'Environment background': frozenset({'fire_crackling', 'sea_waves'}),
        'Meteorological Dynamics': frozenset({'rain', 'wind', 'other_weather'})},
    'Traffic': {
        'Large Traffic': frozenset({'airplane', 'helicopter', 'train'}),
        'Traffic': frozenset({'car_alarm', 'car_horn', 'siren'}),
        'Vehicle': frozenset({'engine'})},
    'Impulses': {'Impulses': frozenset({'gunshot', 'explosion', 'gun_handling', 'whoosh'})}}
"""
Domains of the benchmark and their sub-categories; which label belongs where is our judgement.

Shots and explosions, which it spreads, have a row of their own.
"""


def place_of(label: str) -> tuple[str, str]:
    """Return domain and sub-category of a label, both '' where it has nothing like it."""
    return next(((domain, part) for domain, parts in DOMAINS.items()
                 for part, labels in parts.items() if label in labels), ('', ''))


def public_subset(heard: Sequence[StreamOutcome]) -> dict[str, Any]:
    """
    Return scores of dry events and single sounds as answered or not, of one setting.

    ``at_their_share``: accuracy if as many rows were due an answer as in the benchmark.
    """
    rows, decisions = [], dict[str, bool | None]()
    for stream in heard:
        label = stream.events[0].label if stream.events else stream.label
        domain, category = place_of(label)
        if domain and (stream.kind == SINGLE or stream.condition == 'dry' and stream.events):
            rows.append(BenchmarkClip(id=stream.name, path='', domain=domain, category=category,
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
