"""
``python -m eval asr``: words of real speech and of synthetic voices that training never heard.

Owns the run: each utterance through the transcript lane alone, its second pass beside, and Whisper
base on the whole utterance next to them. Leaves ``asr.json``, a picture, the texts and the caches.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.runtimes.base import Runtime
from eval import plots, report
from eval.intervals import Estimate, percentiles
from eval.listening import Hearing, Listener
from eval.material import RATE, Item, MaterialError, held_out, load, sounding
from eval.whisper import Reader, reader
from eval.words import Utterance, erasure, normal, ratio, wer, word_times

__all__ = ['LEAD_S', 'Clip', 'Spoken', 'add_arguments', 'figures', 'read_speech', 'run',
           'synthetic', 'unheard_voices']

LANE = 'transcript'
LEAD_S = 0.6
LONGEST_S = 20.0


@dataclass(frozen=True)
class Clip:
    """One utterance to understand."""

    name: str
    kind: str
    path: Path
    text: str
    group: str


@dataclass
class Spoken:
    """One utterance and what was made of it; times are seconds of the stream."""

    name: str
    kind: str
    group: str
    reference: str
    start: float
    end: float
    streamed: str = ''
    final: str | None = None
    whole: str | None = None
    """What the reader of whole utterances read."""
    whole_s: float = 0.0
    shown: list[tuple[float, float, str]] = field(default_factory=list)
    """Each text on the screen: audio time, seconds of computing, all words so far."""
    replies: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.common_arguments(parser)
    parser.add_argument('--speech', type=Path, help='folder with utterances.jsonl (text, path, '
                        'voice, split): its voices of the split "validation"')
    parser.add_argument('--per-kind', type=int, default=150, metavar='CLIPS')
    parser.add_argument('--second-pass', default='whisper', choices=('whisper', 'none'))
    parser.add_argument('--beside', default='auto', choices=('auto', 'faster-whisper', 'own',
                                                             'none'),
                        help='who reads the whole utterances for comparison')


def read_speech(items: Sequence[Item]) -> list[Clip]:
    """Return the utterances of real people that have an English text, by kind of recording."""
    return [Clip(name=item.name, kind=item.label.removeprefix('speech_'), path=item.path,
                 text=item.text, group=item.group) for item in items
            if item.label.startswith('speech_') and item.text and not item.generated
            and item.language in ('en', '') and 0 < item.seconds <= LONGEST_S]


def synthetic(folder: Path) -> list[Clip]:
    """Return the utterances of voices that are kept for validation, of sentences as well."""
    return [clip for clip in unheard_voices(folder) if clip.kind == 'synthetic']


def unheard_voices(folder: Path) -> list[Clip]:
    """
    Return the utterances of voices that are kept for validation.

    The kind tells apart whether a voice of training says the same sentence.
    """
    path = folder / 'utterances.jsonl'
    if not path.is_file():
        raise MaterialError(f'{folder}: expected utterances.jsonl, found none; give the folder '
                            'of synthetic speech in --speech')
    rows = [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]
    known = {row['text'] for row in rows if row['split'] != 'validation'}
    return [Clip(name=f'synthetic/{row["path"]}', path=folder / row['path'], text=row['text'],
                 group=row['text'], kind='synthetic, sentence of training'
                 if row['text'] in known else 'synthetic') for row in rows
            if row['split'] == 'validation']


def chosen(clips: Sequence[Clip], per_kind: int, limit: int) -> list[Clip]:
    """Return at most so many clips of each kind, in their order."""
    most, kinds = min(per_kind, limit or per_kind), defaultdict[str, list[Clip]](list)
    for clip in clips:
        if len(kinds[clip.kind]) < most:
            kinds[clip.kind].append(clip)
    return [clip for kind in sorted(kinds) for clip in kinds[kind]]


def spoken(clip: Clip, samples: np.ndarray, hearing: Hearing) -> Spoken:
    """Join an utterance with what was heard of it."""
    first, last = sounding(samples)
    found = Spoken(name=clip.name, kind=clip.kind, group=clip.group, reference=clip.text,
                   start=LEAD_S + first / RATE, end=LEAD_S + last / RATE)
    before = ''
    for reply in hearing.of(LANE):
        found.replies += 1
        found.shown += [(reply.at, spent, f'{before} {text}'.strip())
                        for spent, text in reply.shown]
        before = f'{before} {reply.text}'.strip()
        if reply.final is not None:
            found.final = f'{found.final or ""} {reply.final}'.strip()
    found.streamed = before
    return found


def listen(listener: Listener, clips: Sequence[Clip], beside: Reader | None) -> list[Spoken]:
    """Hear all utterances, each after a short silence, showing how far it is."""
    found = []
    with report.progress() as bar:
        task = bar.add_task('utterances', total=len(clips))
        for clip in clips:
            samples = load(clip.path)
            padded = np.concatenate([np.zeros(round(LEAD_S * RATE), np.float32), samples])
            one = spoken(clip, samples, listener.hear(clip.name, padded))
            if beside is not None:
                one.whole, one.whole_s = beside.read(clip.name, samples)
            found.append(one)
            bar.advance(task)
    return found


def latency(spoken_: Sequence[Spoken]) -> dict[str, Any]:
    """
    Return seconds from the end of a word to when it is shown, without and with computing.

    The last word is exact. For all words their ends are estimated from their letters, and the
    k-th word shown is taken for the k-th word said, so it counts only utterances with as many.
    """
    last = [(one.shown[-1][0] - one.end, one.shown[-1][1]) for one in spoken_ if one.shown]
    words: list[tuple[float, float]] = []
    for one in spoken_:
        said, seen = word_times(one.reference, one.start, one.end), 0
        if not one.shown or len(one.shown[-1][2].split()) != len(said):
            continue
        for at, spent, text in one.shown:
            count = len(text.split())
            words += [(at - said[i], spent) for i in range(seen, count)]
            seen = max(seen, count)
    return {'last_word_s': percentiles([a for a, _ in last]),
            'last_word_with_computing_s': percentiles([a + b for a, b in last]),
            'word_estimate_s': percentiles([a for a, _ in words]),
            'word_estimate_with_computing_s': percentiles([a + b for a, b in words])}


def stability(spoken_: Sequence[Spoken], final: bool) -> float:
    """Return words taken back per word of the last text; ``final``: the second pass is last."""
    taken = words = 0
    for one in spoken_:
        texts = [normal(text) for _, _, text in one.shown]
        if final and one.final is not None:
            texts.append(normal(one.final))
        a, b = erasure(texts)
        taken, words = taken + a, words + b
    return taken / words if words else float('nan')


def _utterances(spoken_: Sequence[Spoken], which: str) -> list[Utterance]:
    return [Utterance(one.reference, getattr(one, which) or '', one.group) for one in spoken_]


def figures(spoken_: Sequence[Spoken]) -> dict[str, Any]:
    """Return word errors, what was missed, stability and latency of some utterances."""
    streamed = _utterances(spoken_, 'streamed')
    found: dict[str, Any] = {
        'utterances': len(spoken_), 'groups': len({one.group for one in spoken_}),
        'words': sum(len(normal(one.reference).split()) for one in spoken_),
        'wer_streamed': wer(streamed), 'wer_always_silent': 1.0,
        'without_any_reply': sum(not one.replies for one in spoken_),
        'replies_per_utterance': float(np.mean([one.replies for one in spoken_])),
        'erasure_streamed': stability(spoken_, final=False), 'latency': latency(spoken_)}
    if any(one.final is not None for one in spoken_):
        found['wer_second_pass'] = wer(_utterances(spoken_, 'final'))
        found['erasure_by_second_pass'] = stability(spoken_, final=True)
    if all(one.whole is not None for one in spoken_):
        whole = _utterances(spoken_, 'whole')
        found['wer_whisper_whole'] = wer(whole)
        found['whisper_s_per_clip'] = float(np.mean([one.whole_s for one in spoken_]))
        found['streamed_over_whisper'] = ratio(streamed, whole)
        found['second_pass_over_whisper'] = ratio(_utterances(spoken_, 'final'), whole)
    return found


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0."""
    out = report.folder(options, 'asr')
    clips = read_speech(held_out(options.data))
    if options.speech:
        clips += synthetic(options.speech)
    clips = chosen(clips, options.per_kind, options.limit)
    if not clips:
        raise MaterialError('expected held-out speech with text, found none; add speech_* rows '
                            'with text to the manifest or give --speech')
    second = None
    if options.second_pass == 'whisper':
        from audio_interaction_ros.runtimes.registry import load_transcriber
        second = load_transcriber(language='en')
    runtime = runtime or report.model_of(options)
    listener = Listener(runtime, (LaneConfig(name=LANE, kind='transcript'),),
                        cache=out / 'hearings.jsonl',
                        variant=report.variant(options), second_pass=second)
    beside = reader(out / 'whisper.jsonl', options.threads, options.beside)
    found = listen(listener, clips, beside)
    measured = measure(found, beside.name if beside else 'none')
    (out / 'texts.jsonl').write_text(''.join(
        json.dumps(report.plain(one), ensure_ascii=False) + '\n' for one in found),
        encoding='utf-8')
    draw(out, measured)
    path = report.write(out, 'asr', options, measured, runtime.encoder.spec.model_id)
    tell(measured)
    print(f'written to {path}; what was said and understood: {out / "texts.jsonl"}')
    return 0


def measure(found: Sequence[Spoken], beside: str) -> dict[str, Any]:
    """Return the figures of each kind of speech, and of all real speech together."""
    kinds = {kind: [one for one in found if one.kind == kind]
             for kind in sorted({one.kind for one in found})}
    real = [one for one in found if one.kind != 'synthetic']
    if real:
        kinds['all real'] = real
    return {'beside': beside, 'kinds': {kind: figures(mine) for kind, mine in kinds.items()}}


SERIES = {'streamed': 'wer_streamed', 'second pass': 'wer_second_pass',
          'Whisper base, whole': 'wer_whisper_whole'}


def draw(out: Path, measured: dict[str, Any]) -> None:
    """Draw word errors by kind of speech."""
    rows: dict[str, dict[str, Estimate]] = {
        f'{kind} ({row["utterances"]})': {name: row[key] for name, key in SERIES.items()
                                          if key in row}
        for kind, row in measured['kinds'].items()}
    plots.bars(out / 'wer.png', rows, title='Word error rate (utterances); always silent: 1',
               label='wrong words per word, 95 % interval', top=None)


def tell(measured: dict[str, Any]) -> None:
    """Print the tables."""
    kinds = measured['kinds'].items()
    print(f'whole utterances read by: {measured["beside"]}')
    report.show('Word error rate', ['speech', 'clips', 'words', 'streamed', 'second pass',
                                    'Whisper, whole', 'streamed / Whisper', 'no reply'],
                [(kind, row['utterances'], row['words'], row['wer_streamed'],
                  row.get('wer_second_pass'), row.get('wer_whisper_whole'),
                  row.get('streamed_over_whisper'), row['without_any_reply'])
                 for kind, row in kinds])
    report.show('What is on the screen', [
        'speech', 'taken back: streamed', 'by second pass', 'last word p50 s', 'p95 s',
        'with computing p50', 'p95', 'per word p50 (est.)', 'p95'],
        [(kind, row['erasure_streamed'], row.get('erasure_by_second_pass'),
          *(row['latency'][name][p] for name in ('last_word_s', 'last_word_with_computing_s',
                                                 'word_estimate_s') for p in ('p50', 'p95')))
         for kind, row in kinds])
