"""The report of the suites as one page that needs nothing else: a table like the paper's."""

import html
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from eval.suites.leaderboard import OURS, rank
from eval.suites.table import SUITES
from measure.intervals import Estimate

__all__ = ['OURS', 'paper_figure', 'write_page']

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #8884; }
td.wide { width: 50%; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.bar { display: block; height: .5rem; background: #0a8; border-radius: .25rem; }
.note { color: #777; }
.ours { font-weight: 600; }
"""


def write_page(path: Path, figures: Mapping[str, Mapping[str, Any]],
               result: Mapping[str, Any]) -> Path:
    """Write the page; ``result`` is what report.write wrote, with machine and model."""
    rows = ''.join(row for name, part in figures.items() for row in _rows(name, part))
    model = str(result.get('model_id', ''))
    boards = ''.join(_board(name, part, model) for name, part in figures.items())
    machine = ', '.join(f'{key}: {value}' for key, value in result.get('machine', {}).items())
    path.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Benchmarks</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        '<h1>Benchmarks</h1><p>Each figure with its 95 % interval, beside what arXiv 2606.05121 '
        'has for its 3B model.</p><table><thead><tr><th>suite<th>figure<th>measured<th>paper'
        f'<tbody>{rows}</table>{boards}<p class="note">Model {_text(model)}. {_text(machine)}.'
        '</p></html>\n', encoding='utf-8')
    return path


def paper_figure(name: str, part: Mapping[str, Any], figure: str) -> float | str:
    """Return what the paper has; nothing where ours was not taken on the benchmark."""
    return '' if OURS in part else SUITES[name].paper.get(figure, '')


def _rows(name: str, part: Mapping[str, Any]) -> Iterator[str]:
    suite = SUITES[name]
    for figure, value in part.items():
        if isinstance(value, Mapping):
            for inner, number in value.items():
                yield _row(suite.title, f'{figure}: {inner}', number, '')
        else:
            yield _row(suite.title, figure, value, paper_figure(name, part, figure))


def _board(name: str, part: Mapping[str, Any], model: str) -> str:
    """Return the places of a suite as bars, best first; nothing where it has none."""
    figure, places = rank(name, part, model)
    most = max((place.value for place in places), default=0.0) or 1.0
    rows = ''.join(
        f'<tr{" class=ours" if place.measured else ""}><td>{_text(place.who)}'
        f'<td class="number">{_text(place.measured or f"{place.value:g}")}<td class="wide">'
        f'<span class="bar" style="width:{100 * place.value / most:.0f}%"></span>'
        for place in places)
    return rows and f'<h2>{_text(SUITES[name].title)}: {_text(figure)}</h2><table>{rows}</table>'


def _row(title: str, figure: str, value: Any, paper: Any) -> str:
    share = value.value if isinstance(value, Estimate) and 0 <= value.value <= 1 else None
    bar = '' if share is None else f'<span class="bar" style="width:{100 * share:.0f}%"></span>'
    shown = f'{value:.3g}' if isinstance(value, float) else value
    return (f'<tr><td>{_text(title)}<td>{_text(figure)}<td class="number">{_text(shown)}{bar}'
            f'<td class="number">{_text(paper)}')


def _text(value: Any) -> str:
    return html.escape(str(value))
