"""
One table of what each class is worth at the thresholds of a profile, as the page of sounds shows.

Owns its columns. Knows only the table of curves.
"""

from collections.abc import Mapping
from typing import Any

from train.sound_head.checks import BACKGROUNDS, CONDITIONS
from train.sound_head.choose import rules_of_alerts

__all__ = ['say_classes']

KINDS = (*BACKGROUNDS, 'other_alerts')
HEAD = ('| class | recorded | computed | threshold | recall dry | recall 10 dB | false alarms: '
        + ', '.join(kind.replace('_', ' ') for kind in KINDS) + ' | calibration error |\n'
        '|---|---:|---:|---:|---:|---:|---:|---:|')


def say_classes(table: Mapping[str, Any], thresholds: Mapping[str, float]) -> str:
    """
    Return Markdown: a row per class of ``thresholds``, and below it the hours that were heard.

    A threshold counts as the next higher one of the curves; one above all of them as the highest.
    """
    rules, hours = rules_of_alerts(), dict.fromkeys(KINDS, 0.0)
    rows = [HEAD]
    for name, threshold in thresholds.items():
        told = table['classes'].get(name)
        if told is None or not told['recall']:
            continue
        place = next((place for place, value in enumerate(table['thresholds'])
                      if value >= threshold - 1e-9), len(table['thresholds']) - 1)
        rule = rules.get(name, '1 of 1')
        recall = ' | '.join(f'{told["recall"][kind][rule][place]:.2f}' for kind in CONDITIONS)
        false = ', '.join(str(told['false_alarms'][kind][rule][place]) for kind in KINDS)
        events = told['events'][CONDITIONS[0]]
        rows.append(f'| `{name}` | {events["recorded"]} | {events["computed"] or ""} | '
                    f'{threshold:g} | {recall} | {false} | '
                    f'{table["calibration_error"][name]:.4f} |')
        hours = {kind: max(value, told['hours'][kind]) for kind, value in hours.items()}
    heard = ', '.join(f'{kind.replace("_", " ")} {value:.2f}' for kind, value in hours.items())
    return '\n'.join([*rows, '', f'Hours that were heard: {heard}.'])
