"""The pictures of a model's replies: reliability, trade-off and recall per class."""

from pathlib import Path
from typing import Any

from measure import plots

__all__ = ['draw']

GOAL = (1.0, 0.85)
"""False alarms per hour, recall."""


def draw(out: Path, measured: dict[str, Any]) -> None:
    """Draw reliability, trade-off and recall per class."""
    plots.draw_reliability(out / 'reliability.png', measured['calibration'])
    curves = dict(measured['trade_off'])
    if 'beside' in measured:
        curves['test, the model beside'] = measured['beside']['trade_off']['test']
    if 'tagger' in measured:
        curves['AudioSet tagger on the clips, unmixed'] = measured['tagger']
    plots.draw_tradeoff(out / 'tradeoff.png', curves, measured['threshold'], GOAL)
    classes = measured['model']['classes']
    if classes:
        plots.draw_bars(out / 'recall.png', {
            f'{label} ({row["recordings"]})': {'any alert': row['any'], 'named': row['named']}
            for label, row in classes.items()}, title='Recall per class (source recordings)',
            label='recall, 95 % interval')
