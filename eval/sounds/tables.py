"""The tables of alerts that sounds decide, on the screen. Knows no metric."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from measure import report

__all__ = ['print_all']

CONDITIONS = ('dry', '10 dB')
CLIP, MOST_MISSES = 44, 60


def print_all(measured: Mapping[str, Any]) -> None:
    """Print all tables; details of the first setting only."""
    settings = measured['settings']
    _print_settings(measured)
    if not settings:
        return
    name, first = next(iter(settings.items()))
    _print_goals(name, first)
    _print_classes(name, first)
    _print_backgrounds(settings)
    _print_false_labels(name, first)
    _print_false_alarms(name, measured['false_alarms'])
    _print_confusion(name, first)
    _print_misses(name, first)
    _print_subset(measured['subset'])
    if measured['classes_without_recordings']:
        print('no test recording of: ' + ', '.join(measured['classes_without_recordings']))


def _print_settings(measured: Mapping[str, Any]) -> None:
    rows = []
    for name, part in {**measured['settings'], **measured['constant']}.items():
        by = [part['by_condition'].get(condition, {}) for condition in CONDITIONS]
        rows.append((name, *(one.get('recall', {}).get('named_mean_of_classes') for one in by),
                     by[0].get('named_later'), part['singles']['share'],
                     part['background']['false_alarms_per_hour'],
                     part['delay']['decision_from_onset_s']['p50']))
    report.print_table('Who decides (test side)', [
        '', *(f'named, {condition}' for condition in CONDITIONS), 'dry, named later',
        'single sounds', 'false alarms/h', 'p50 s'], rows)
    for name in measured['refused']:
        print(f'NOT CHOSEN: {name} has too many false alarms on validation at every threshold, '
              'or there are no backgrounds for validation')


def _print_goals(name: str, part: Mapping[str, Any]) -> None:
    report.print_table(f'Goals: {name}', ['', 'found', 'goal', ''], [
        (row['name'], row['found'], row['goal'], 'met' if row['met'] else 'MISSED')
        for row in part['goals']])


def _print_classes(name: str, part: Mapping[str, Any]) -> None:
    rows = []
    for label, row in part['classes'].items():
        named = [part['by_condition'].get(condition, {}).get('classes', {}).get(label, {}).get(
            'named') for condition in CONDITIONS]
        rows.append((label, row['recordings'], *named, row['any'],
                     row['delay']['decision_from_onset_s']['p50'],
                     row['delay']['decision_from_onset_s']['p95']))
    report.print_table(f'Events: {name}', [
        'class', 'recordings', *(f'named, {condition}' for condition in CONDITIONS), 'any alert',
        'p50 s', 'p95 s'], rows)
    report.print_table(f'Calibration per chunk: {name}', [
        'class', 'ECE', 'ECE of scores ≥ 0.1', 'chunks with it', 'Brier'],
        [(label, row['ece'], row['ece_sure'], row['present'], row['brier'])
         for label, row in part['calibration'].items()])


def _print_backgrounds(settings: Mapping[str, Any]) -> None:
    report.print_table('False alarms per hour', [
        'setting', 'background', 'hours', 'of different recordings', 'false alarms/h'],
        [(name, kind, row['hours'], row['hours_of_different_recordings'],
          row['false_alarms_per_hour']) for name, part in settings.items()
         for kind, row in part['backgrounds'].items()])


def _print_false_labels(name: str, part: Mapping[str, Any]) -> None:
    report.print_table(f'What was raised for nothing: {name}', ['background', 'alerts'], [
        (kind, _tell_counts(row['by_label'])) for kind, row in part['backgrounds'].items()
        if row['by_label']])


def _print_false_alarms(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    found = Counter((row['kind'], row['recording'].rpartition('/')[2], '+'.join(row['alerts']))
                    for row in rows)
    report.print_table(f'In which recording: {name}', [
        'background', 'recording', 'alert', 'times'],
        [(*key, count) for key, count in found.most_common()])


def _print_confusion(name: str, part: Mapping[str, Any]) -> None:
    report.print_table(f'What was named first: {name}', ['class', 'condition', 'alerts'], [
        (label, condition, _tell_counts(row))
        for condition, table in part['confusion'].items() for label, row in table.items()])


def _tell_counts(counts: Mapping[str, int]) -> str:
    return ', '.join(f'{what} {count}' for what, count in counts.items())


def _print_misses(name: str, part: Mapping[str, Any]) -> None:
    def tell(look: Mapping[str, Any]) -> str:
        score, threshold = (f'{value:.3g}' if value is not None else '–'
                            for value in (look['score'], look['threshold']))
        return f'{score} of {threshold}'
    report.print_table(f'Not rightly named: {name}; all are in the JSON', [
        'class', 'clip', 'named', 'its score of threshold', 'highest'],
        [(row['class'], row['clip'].rpartition('/')[2][-CLIP:], '+'.join(row['named']) or '–',
          tell(row['own']), f'{row["top"][0]["class"]} {tell(row["top"][0])}'
          if row['top'] else '–') for row in part['misses'][:MOST_MISSES]])


def _print_subset(subset: Mapping[str, Any]) -> None:
    report.print_table('Classes of ProactiveSound-Bench, on held-out clips; its always-silent: '
                       '58.5 %', ['', 'clips', 'recall', 'specificity', 'balanced accuracy',
                                  'accuracy at its share of RESPOND'],
                       [(name, part['rows'], part['recall'], part['specificity'],
                         part['balanced_accuracy'], part['at_their_share'])
                        for name, part in subset.items()])
