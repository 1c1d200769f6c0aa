"""
``python -m eval translation``: BLEU and chrF of the translation lane, by direction.

Owns the run: spoken sentences with a known translation through the lane ``translation``. A model
without such a lane cannot be measured, and the command says so instead of giving a figure.
"""

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.errors import MissingDependencyError
from audio_interaction_ros.runtimes.registry import Runtime
from eval import plots, report
from eval.intervals import bootstrap
from eval.listening import Listener
from eval.material import RATE, Item, MaterialError, chance, held_out, load

__all__ = ['Sentence', 'add_arguments', 'figures', 'lane_of', 'pairs_of', 'run', 'spoken_pairs']

LANE = 'translation'
LEAD_S = 0.6
OTHER = {'en': 'zh', 'zh': 'en'}
ROUNDS = 200


@dataclass
class Sentence:
    """One spoken sentence, its translations and what the lane made of it."""

    name: str
    path: Path
    language: str
    text: str
    references: tuple[str, ...]
    hypothesis: str = ''

    @property
    def direction(self) -> str:
        """Return en-zh or zh-en."""
        return f'{self.language}-{OTHER[self.language]}'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.common_arguments(parser)
    parser.add_argument('--speech', type=Path, help='folder with utterances.jsonl (text, path, '
                        'split, lang): its split "validation"')
    parser.add_argument('--pairs', type=Path, metavar='TSV',
                        help='sentence pairs with the columns en and zh, looked up by text')
    parser.add_argument('--per-direction', type=int, default=300)
    parser.add_argument('--prompt', default='',
                        help='prompt of the lane, for a model that names none')


def pairs_of(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the translations of each sentence of a TSV, in both directions."""
    found: dict[str, list[str]] = defaultdict(list)
    with path.open(encoding='utf-8', newline='') as lines:
        rows = csv.DictReader(lines, delimiter='\t', quoting=csv.QUOTE_NONE)
        if not {'en', 'zh'} <= set(rows.fieldnames or ()):
            raise MaterialError(f'{path}: expected the columns en and zh, found '
                                f'{rows.fieldnames}; give another file in --pairs')
        for row in rows:
            found[row['en']].append(row['zh'])
            found[row['zh']].append(row['en'])
    return {text: tuple(dict.fromkeys(others)) for text, others in found.items()}


def _language(text: str) -> str:
    return 'zh' if any('\u4e00' <= letter <= '\u9fff' for letter in text) else 'en'


def spoken_pairs(items: Sequence[Item], speech: Path | None,
                 pairs: dict[str, tuple[str, ...]]) -> list[Sentence]:
    """Return held-out spoken sentences with a known translation, in a fixed order."""
    found = []
    for item in items:
        references = (item.translation,) if item.translation else pairs.get(item.text, ())
        if item.text and references:
            found.append(Sentence(item.name, item.path, _language(item.text), item.text,
                                  references))
    if speech is not None:
        rows = [json.loads(line) for line in (speech / 'utterances.jsonl').read_text(
            encoding='utf-8').splitlines()]
        known = {row['text'] for row in rows if row['split'] != 'validation'}
        found += [Sentence(f'synthetic/{row["path"]}', speech / row['path'],
                           _language(row['text']), row['text'], pairs[row['text']])
                  for row in rows if row['split'] == 'validation' and row['text'] in pairs
                  and row['text'] not in known]
    return sorted(found, key=lambda sentence: chance(sentence.name))


def lane_of(runtime: Runtime, prompt: str) -> LaneConfig | None:
    """Return the lane, or None where the model has none and no prompt was given."""
    known = getattr(runtime.config, 'prompts', {})
    if LANE not in known and not prompt:
        return None
    return LaneConfig(name=LANE, kind='translation', prompt=prompt)


def _metrics(target: str) -> dict[str, Any]:
    try:
        import sacrebleu
    except ImportError as error:
        raise MissingDependencyError('translation scores need sacrebleu; run: pip install -r '
                                     'requirements/eval.txt') from error
    return {'BLEU': sacrebleu.BLEU(tokenize='zh' if target == 'zh' else '13a'),
            'chrF': sacrebleu.CHRF()}


def _streams(sentences: Sequence[Sentence]) -> list[list[str | None]]:
    """Return references as sacrebleu wants them: one list per rank, None where there is none."""
    most = max(len(sentence.references) for sentence in sentences)
    return [[sentence.references[rank] if rank < len(sentence.references) else None
             for sentence in sentences] for rank in range(most)]


def figures(sentences: Sequence[Sentence]) -> dict[str, Any]:
    """Return BLEU and chrF (0 to 100) of one direction, with a bootstrap over sentences."""
    found: dict[str, Any] = {
        'sentences': len(sentences),
        'without_any_reply': sum(not sentence.hypothesis for sentence in sentences)}
    for name, metric in _metrics(sentences[0].direction[-2:]).items():
        def value(drawn: Sequence[Sentence], metric: Any = metric) -> float:
            return float(metric.corpus_score([sentence.hypothesis for sentence in drawn],
                                             _streams(drawn)).score)
        found[name] = bootstrap(sentences, value, rounds=ROUNDS)
        found[f'{name}_signature'] = str(metric.get_signature())
    return found


def listen(listener: Listener, sentences: Sequence[Sentence]) -> None:
    """Fill in what the lane says, showing how far it is."""
    with report.progress() as bar:
        task = bar.add_task('sentences', total=len(sentences))
        for sentence in sentences:
            samples = np.concatenate([np.zeros(round(LEAD_S * RATE), np.float32),
                                      load(sentence.path)])
            hearing = listener.hear(sentence.name, samples)
            sentence.hypothesis = ' '.join(reply.text for reply in hearing.of(LANE)).strip()
            bar.advance(task)


def not_measured(options: argparse.Namespace, out: Path, why: str) -> int:
    """Say and write why there is no figure; return 1."""
    report.write(out, 'translation', options, {'measured': False, 'why': why})
    print(f'NOT MEASURED: {why}')
    return 1


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0, or 1 where the model cannot translate or there is nothing to say."""
    out = report.folder(options, 'translation')
    runtime = runtime or report.model_of(options)
    lane = lane_of(runtime, options.prompt)
    if lane is None:
        return not_measured(options, out, f'the model {options.model} has no lane {LANE!r}: it '
                            'was not trained to translate. --prompt TEXT tries it anyway.')
    pairs = pairs_of(options.pairs) if options.pairs else {}
    by_direction: dict[str, list[Sentence]] = defaultdict(list)
    for sentence in spoken_pairs(held_out(options.data), options.speech, pairs):
        mine = by_direction[sentence.direction]
        if len(mine) < min(options.per_direction, options.limit or options.per_direction):
            mine.append(sentence)
    if not by_direction:
        return not_measured(options, out, 'no held-out spoken sentence has a translation; add '
                            '"translation" to the manifest, or give --speech and --pairs')
    listener = Listener(runtime, (lane,), cache=out / 'hearings.jsonl',
                        variant=report.variant(options))
    for sentences in by_direction.values():
        listen(listener, sentences)
    found = {direction: figures(mine) for direction, mine in sorted(by_direction.items())}
    (out / 'texts.jsonl').write_text(''.join(
        json.dumps(report.plain(sentence), ensure_ascii=False) + '\n'
        for mine in by_direction.values() for sentence in mine), encoding='utf-8')
    plots.bars(out / 'translation.png', {f'{direction} ({row["sentences"]})': {
        name: row[name] for name in ('BLEU', 'chrF')} for direction, row in found.items()},
        title='Translation of spoken sentences', label='score, 95 % interval', top=100.0)
    path = report.write(out, 'translation', options, {'measured': True, 'directions': found},
                        runtime.encoder.spec.model_id)
    report.show('Translation', ['direction', 'sentences', 'BLEU', 'chrF', 'no reply'],
                [(direction, row['sentences'], row['BLEU'], row['chrF'],
                  row['without_any_reply']) for direction, row in found.items()])
    missing = [d for d in ('en-zh', 'zh-en') if d not in found]
    if missing:
        print(f'NOT MEASURED: {", ".join(missing)}: no held-out speech in that direction')
    print(f'written to {path}')
    return 0
