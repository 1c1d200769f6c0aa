"""The tables and the picture of word errors. Knows no metric."""

from pathlib import Path
from typing import Any

from measure import plots, report
from measure.intervals import Estimate

__all__ = ['draw', 'print_tables']

SERIES = {'streamed': 'wer_streamed', 'second pass': 'wer_second_pass',
          'Whisper base, whole': 'wer_whisper_whole'}


def draw(out: Path, measured: dict[str, Any]) -> None:
    """Draw word errors by kind of speech."""
    rows: dict[str, dict[str, Estimate]] = {
        f'{kind} ({row["utterances"]})': {name: row[key] for name, key in SERIES.items()
                                          if key in row}
        for kind, row in measured['kinds'].items()}
    plots.draw_bars(out / 'wer.png', rows, title='Word error rate (utterances); always silent: 1',
                    label='wrong words per word, 95 % interval', top=None)


def print_tables(measured: dict[str, Any]) -> None:
    """Print the tables."""
    kinds = measured['kinds'].items()
    print(f'whole utterances read by: {measured["beside"]}')
    report.print_table('Word error rate', ['speech', 'clips', 'words', 'streamed', 'second pass',
                                           'Whisper, whole', 'streamed / Whisper', 'no reply'],
                       [(kind, row['utterances'], row['words'], row['wer_streamed'],
                         row.get('wer_second_pass'), row.get('wer_whisper_whole'),
                         row.get('streamed_over_whisper'), row['without_any_reply'])
                        for kind, row in kinds])
    report.print_table('What is on the screen', [
        'speech', 'taken back: streamed', 'by second pass', 'last word p50 s', 'p95 s',
        'with computing p50', 'p95', 'per word p50 (est.)', 'p95'],
        [(kind, row['erasure_streamed'], row.get('erasure_by_second_pass'),
          *(row['latency'][name][p] for name in ('last_word_s', 'last_word_with_computing_s',
                                                 'word_estimate_s') for p in ('p50', 'p95')))
         for kind, row in kinds])
