"""What was measured of the translation lane as tables and bars, beside who else translates."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure import plots, report
from measure.intervals import Estimate

__all__ = ['draw', 'print_tables']

COLUMNS = ('BLEU streamed', 'BLEU final', 'chrF streamed', 'chrF final')


def table_rows(directions: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, int,
                                                                        dict[str, Any]]]:
    """Yield (direction, who, sentences, scores): the lane first, then who stands beside."""
    for direction, row in directions.items():
        yield direction, 'this model', row['sentences'], row
        new = row['translation_never_heard']
        if 0 < new['sentences'] < row['sentences']:
            yield direction, 'this model, new target', new['sentences'], new
        for name, other in row['beside'].items():
            yield direction, name, row['sentences'], other


def scores_by_column(row: dict[str, Any]) -> dict[str, Estimate]:
    """Return scores by column; who stands beside has all of an utterance, so theirs are final."""
    of_lane = 'sentences' in row
    parts = {'streamed': row if of_lane else {}, 'final': row.get('final', {}) if of_lane else row}
    return {f'{name} {part}': scored[name] for name in ('BLEU', 'chrF')
            for part, scored in parts.items() if name in scored}


def draw(out: Path, directions: dict[str, dict[str, Any]]) -> None:
    """Draw the scores of the lane and of who stands beside."""
    bars = {f'{direction}: {who} ({count})': scores_by_column(row)
            for direction, who, count, row in table_rows(directions)}
    plots.draw_bars(out / 'translation.png', bars, title='Translation of spoken sentences',
                    label='score, 95 % interval', top=100.0)


def print_tables(measured: dict[str, Any]) -> None:
    """Print the tables."""
    directions = measured['directions']
    report.print_table(f'Translation of spoken sentences, threshold {measured["threshold"]:.2f}',
                       ['', 'who', 'sentences', *COLUMNS],
                       [(direction, who, count, *map(scores_by_column(row).get, COLUMNS))
                        for direction, who, count, row in table_rows(directions)])
    for direction, row in directions.items():
        if 'final' in row:
            print(f'{direction}: {row["final"]["kept_as_streamed"]} of {row["final"]["replies"]} '
                  'final translations are kept as streamed')
    report.print_table('This model by voice', ['', 'voice', 'sentences', *COLUMNS],
                       [(direction, voice, scores_of_voice['sentences'],
                         *map(scores_by_column(scores_of_voice).get, COLUMNS))
                        for direction, row in directions.items()
                        for voice, scores_of_voice in row['voices'].items()])
    report.print_table('When it replies', ['', 'no reply', 'replies each', 'first p50 s', 'p95 s',
                                           'before the end'],
                       [(direction, row['without_any_reply'], row['replies_per_sentence'],
                         row['first_reply_s']['p50'], row['first_reply_s']['p95'],
                         row['first_reply_before_the_end']) for direction,
                        row in directions.items()])
    for direction in ('en-zh', 'zh-en'):
        if direction not in directions:
            print(f'NOT MEASURED: {direction}: no held-out speech in that direction')
