"""
Files of answers as other harnesses read them, so that their own scorers can be run on us.

Forms: ours (``answers``, for people to read), VoiceBench (``result-*.jsonl``: the item with
``response``), MMAU (the item with ``model_output``, which its script reads; its README names
``model_prediction``, so both are there) and UltraEval-Audio (its stored answers).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eval.suites.items import Answered

__all__ = ['EXPORTS', 'export']


def _plain(answered: Answered) -> dict[str, Any]:
    item = answered.item
    return {'id': item.id, 'question': item.question, 'references': item.references,
            'answer': answered.text, 'said': [asdict(part) for part in answered.said]}


def _voicebench(answered: Answered) -> dict[str, Any]:
    return {**answered.item.row, 'response': answered.text}


def _mmau(answered: Answered) -> dict[str, Any]:
    return {**answered.item.row, 'model_output': answered.text, 'model_prediction': answered.text}


def _ultraeval(answered: Answered) -> dict[str, Any]:
    return {'id': answered.item.id, 'type': 'inference',
            'data': {'content': answered.text, **answered.item.row}}


EXPORTS: dict[str, Callable[[Answered], dict[str, Any]]] = {
    'answers': _plain, 'voicebench': _voicebench, 'mmau': _mmau, 'ultraeval': _ultraeval}
"""Name of a form to what makes a row of it."""


def export(answers: Sequence[Answered], form: str, path: Path) -> Path:
    """Write the answers in a form; MMAU's is one JSON list, the others are JSON lines."""
    rows = [EXPORTS[form](answered) for answered in answers]
    text = (json.dumps(rows, ensure_ascii=False, indent=1) if form == 'mmau'
            else '\n'.join(json.dumps(row, ensure_ascii=False) for row in rows))
    path.write_text(text + '\n', encoding='utf-8')
    return path
