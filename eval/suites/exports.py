"""
Files of answers as other harnesses read them, so that their own scorers can be run on us.

Forms: ours (``answers``, for people to read), VoiceBench (the item with ``response``), MMAU (the
item with ``model_output``, which its script reads; its README names ``model_prediction``, so both
are there) and UltraEval-Audio (what its ``--inf_file`` reads: answers by their place in the data
set, from 0). docs/suites.md has the commands.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eval.suites.items import Answered

__all__ = ['EXPORTS', 'export']


def _plain(answered: Answered, _: int) -> dict[str, Any]:
    item = answered.item
    return {'id': item.id, 'question': item.question, 'references': item.references,
            'answer': answered.text, 'said': [asdict(part) for part in answered.said]}


def _voicebench(answered: Answered, _: int) -> dict[str, Any]:
    return {**answered.item.row, 'response': answered.text}


def _mmau(answered: Answered, _: int) -> dict[str, Any]:
    return {**answered.item.row, 'model_output': answered.text, 'model_prediction': answered.text}


def _ultraeval(answered: Answered, place: int) -> dict[str, Any]:
    return {'type': 'inference', 'id': place, 'data': {'content': answered.text}}


EXPORTS: dict[str, Callable[[Answered, int], dict[str, Any]]] = {
    'answers': _plain, 'voicebench': _voicebench, 'mmau': _mmau, 'ultraeval': _ultraeval}
"""Name of a form to what makes a row of it, from an answer and its place."""


def export(answers: Sequence[Answered], form: str, stem: Path) -> Path:
    """
    Write the answers in a form, and return the file.

    MMAU's is one JSON list, ``STEM.json``; the others are JSON lines, ``STEM.jsonl``.
    """
    path = stem.with_name(f'{stem.name}.{"json" if form == "mmau" else "jsonl"}')
    rows = [EXPORTS[form](answered, place) for place, answered in enumerate(answers)]
    text = (json.dumps(rows, ensure_ascii=False, indent=1) if form == 'mmau'
            else '\n'.join(json.dumps(row, ensure_ascii=False) for row in rows))
    path.write_text(text + '\n', encoding='utf-8')
    return path
