"""The tables of a model's replies, on the screen. Knows no metric."""

from collections.abc import Mapping, Sequence
from typing import Any

from eval.replies.figures import SIDES
from measure import report

__all__ = ['print_all']


def print_all(measured: Mapping[str, Any]) -> None:
    """Print all tables."""
    model = measured['model']
    _print_events(model['classes'])
    _print_policies(measured)
    _print_backgrounds(model)
    _print_recall(model)
    _print_sides(measured)
    if 'picked' in measured:
        _print_picked(measured['picked'])
    _print_delays(model['delay'])
    if 'tagger' in measured:
        _print_tagger(measured['tagger'])
    if measured['classes_without_recordings']:
        print('no held-out recording of: ' + ', '.join(measured['classes_without_recordings']))


def _print_events(classes: Mapping[str, Any]) -> None:
    report.print_table('Events', [
        'class', 'clips heard', 'recordings', 'recall (any alert)', 'recall (named)',
        'p50 from onset s', 'p50 from end s'],
        [(label, row['events'], row['recordings'], row['any'], row['named'],
          row['delay']['decision_from_onset_s']['p50'], row['delay']['decision_from_end_s']['p50'])
         for label, row in classes.items()])


def _print_policies(measured: Mapping[str, Any]) -> None:
    policies = ((_describe_setting(measured), measured['model']),
                *_rows_beside(measured, 'model'),
                ('always silent', measured['always_silent']),
                ('always respond', measured['always_respond']))
    report.print_table('Policies', ['', 'recall, mean of classes', 'named', 'false alarms/h',
                                    'false replies/h', 'balanced accuracy'],
                       [(name, part['recall']['any_mean_of_classes'],
                         part['recall']['named_mean_of_classes'],
                         part['background']['false_alarms_per_hour'],
                         part['background']['false_replies_per_hour'], part['balanced_accuracy'])
                        for name, part in policies])


def _print_backgrounds(model: Mapping[str, Any]) -> None:
    report.print_table('Backgrounds', [
        'kind', 'hours', 'of different recordings', 'false alarms/h', 'alerts raised/h',
        'chatter/h', 'withheld/h'],
        [(kind, row['hours'], row['hours_of_different_recordings'], row['false_alarms_per_hour'],
          row['alerts_raised_per_hour'], row['chatter_per_hour'], row['withheld_per_hour'])
         for kind, row in [*model['backgrounds'].items(), ('all', model['background'])]])


def _print_recall(model: Mapping[str, Any]) -> None:
    report.print_table('Recall by condition and by origin',
                       ['', 'recordings', 'any alert', 'named'],
                       [(name, row['recordings'], row['any'], row['named'])
                        for part in ('conditions', 'origins')
                        for name, row in model[part].items()])


def _print_sides(measured: Mapping[str, Any]) -> None:
    sides = (*measured['sides'].items(), *_rows_beside(measured, 'sides', 'test'))
    report.print_table('Thresholds are chosen on validation', [
        'side', 'hours', 'recall, mean of classes', 'named', 'false alarms/h', 'chatter/h'],
        [(which, row['background']['hours'], row['recall']['any_mean_of_classes'],
          row['recall']['named_mean_of_classes'], row['background']['false_alarms_per_hour'],
          row['background']['chatter_per_hour']) for which, row in sides])


def _print_delays(delays: Mapping[str, Any]) -> None:
    report.print_table('Response delay, s', ['', 'p50', 'p95', 'n'],
                       [(name, row['p50'], row['p95'], row['n'])
                        for name, row in delays.items() if row['n']])


def _print_tagger(points: Sequence[Mapping[str, Any]]) -> None:
    report.print_table('A tagger on the clips themselves (not the mixtures)',
                       ['score', 'recall', 'false alarms/h'],
                       [(point['threshold'], point['recall'], point['false_per_hour'])
                        for point in points if point['threshold'] in (0.1, 0.3, 0.5, 0.7)])


def _describe_setting(measured: Mapping[str, Any]) -> str:
    bar = f', confidence {measured["min_confidence"]:.2f}' if measured['min_confidence'] else ''
    return f'model at {measured["threshold"]:.2f}{bar}'


def _rows_beside(measured: Mapping[str, Any], *keys: str) -> list[tuple[str, Any]]:
    """Return the name and a part of the model beside, nothing if there is none."""
    if 'beside' not in measured:
        return []
    part = measured['beside']
    for key in keys:
        part = part[key]
    return [(f'beside: {measured["beside"]["model_id"][:12]} at '
             f'{measured["beside"]["threshold"]:.2f}',
             part)]


def _print_picked(choice: Mapping[str, Any]) -> None:
    """Print the pairs and the one that was picked."""
    if choice['threshold'] is None:
        print(f'NOT PICKED: no threshold up to 0.999 has {choice["rate"]:g} false alarms an hour '
              'or fewer on validation, or there are no backgrounds for validation')
        return
    columns = ['recall, mean of classes', 'named', 'false alarms/h', 'chatter/h']

    def row(point: Mapping[str, Any]) -> tuple[Any, ...]:
        return (point['recall'], point['named'], point['false_per_hour'],
                point['chatter_per_hour'])
    report.print_table(f'Pairs with at most {choice["rate"]:g} false alarms/h on validation, '
                       'where they were looked for', ['min_confidence', 'threshold', *columns],
                       [(f'{point["min_confidence"]:g}', point['threshold'], *row(point))
                        for point in choice['pairs']])
    report.print_table(f'Picked: threshold {choice["threshold"]:g}, min_confidence '
                       f'{choice["min_confidence"]:g}', ['side', *columns],
                       [(which, *row(choice[which])) for which in SIDES])
