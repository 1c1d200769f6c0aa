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
from eval.listening import Hearing, Listener
from eval.live_stream import add_play_arguments, make_play
from eval.shown_words import measure_words, print_words
from eval.word_pictures import draw_words
from held_out.clips import (
    RATE,
    HeldOutClip,
    MaterialError,
    find_sounding,
    load,
    read_held_out,
)
from measure import plots, report
from measure.intervals import Estimate, percentiles
from measure.whisper import Reader, make_reader
from measure.word_errors import (
    UnderstoodUtterance,
    error_ratio,
    measure_erasure,
    normalise,
    word_error_rate,
    word_times,
)

__all__ = ['LEAD_S', 'SpeechClip', 'ReadUtterance', 'add_arguments', 'figures', 'read_speech',
           'run',
           'read_synthetic', 'read_unheard_voices']

LANE = 'transcript'
LEAD_S = 0.6
LONGEST_S = 20.0
WORDS_FROM = ('speech_read', 'speech_addresses', 'speech_names', 'speech_numbers',
              'speech_phrase', 'speech_command', 'background_')
"""Kinds of clips that are read while they are spoken, by the beginning of their label."""


@dataclass(frozen=True)
class SpeechClip:
    """One utterance to understand."""

    name: str
    kind: str
    path: Path
    text: str
    group: str


@dataclass
class ReadUtterance:
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
    report.add_common_arguments(parser)
    parser.add_argument('--speech', type=Path, help='folder with utterances.jsonl (text, path, '
                        'voice, split): its voices of the split "validation"')
    parser.add_argument('--per-kind', type=int, default=150, metavar='CLIPS')
    parser.add_argument('--second-pass', default='whisper', choices=('whisper', 'none'))
    parser.add_argument('--words', type=int, default=40, metavar='CLIPS',
                        help='so many clips of each kind are read while they are spoken, and so '
                        'many in which nobody speaks; 0: none')
    parser.add_argument('--only-words', action='store_true',
                        help='nothing but words while they are spoken')
    parser.add_argument('--words-of', nargs='*', default=[], metavar='KIND',
                        help='only such clips are read while they are spoken: read, command, …')
    add_play_arguments(parser)
    parser.add_argument('--reader', default='whisper', metavar='KIND[:FOLDER]',
                        help='who reads, as transcript.reader (default: %(default)s)')
    parser.add_argument('--partials-reader', default='', metavar='KIND[:FOLDER]',
                        help='who reads while it is spoken (default: the same)')
    parser.add_argument('--language', default='en', metavar='CODE',
                        help='language of the recordings (default: %(default)s); where a script '
                        'has no spaces, characters are counted')
    parser.add_argument('--beside', default='auto', choices=('auto', 'faster-whisper', 'own',
                                                             'none'),
                        help='who reads the whole utterances for comparison')


def read_speech(items: Sequence[HeldOutClip]) -> list[SpeechClip]:
    """Return the utterances of real people that have an English text, by kind of recording."""
    return [SpeechClip(name=item.name, kind=item.label.removeprefix('speech_'), path=item.path,
                       text=item.text, group=item.group) for item in items
            if item.label.startswith('speech_') and item.text and not item.generated
            and item.language in ('en', '') and 0 < item.seconds <= LONGEST_S]


def read_synthetic(folder: Path) -> list[SpeechClip]:
    """Return the utterances of voices that are kept for validation, of sentences as well."""
    return [clip for clip in read_unheard_voices(folder) if clip.kind == 'synthetic']


def read_unheard_voices(folder: Path) -> list[SpeechClip]:
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
    return [SpeechClip(name=f'synthetic/{row["path"]}', path=folder / row['path'],
                       text=row['text'],
                       group=row['text'], kind='synthetic, sentence of training'
                       if row['text'] in known else 'synthetic') for row in rows
            if row['split'] == 'validation']


def choose_clips(clips: Sequence[SpeechClip], per_kind: int, limit: int) -> list[SpeechClip]:
    """Return at most so many clips of each kind, in their order."""
    most, kinds = min(per_kind, limit or per_kind), defaultdict[str, list[SpeechClip]](list)
    for clip in clips:
        if len(kinds[clip.kind]) < most:
            kinds[clip.kind].append(clip)
    return [clip for kind in sorted(kinds) for clip in kinds[kind]]


def join_hearing(clip: SpeechClip, samples: np.ndarray, hearing: Hearing) -> ReadUtterance:
    """Join an utterance with what was heard of it."""
    first, last = find_sounding(samples)
    utterance = ReadUtterance(name=clip.name, kind=clip.kind, group=clip.group,
                              reference=clip.text,
                              start=LEAD_S + first / RATE, end=LEAD_S + last / RATE)
    before = ''
    for reply in hearing.replies_of(LANE):
        utterance.replies += 1
        utterance.shown += [(reply.at, spent, f'{before} {text}'.strip())
                            for spent, text in reply.shown]
        before = f'{before} {reply.text}'.strip()
        if reply.final is not None:
            utterance.final = f'{utterance.final or ""} {reply.final}'.strip()
    utterance.streamed = before
    return utterance


def listen(listener: Listener, clips: Sequence[SpeechClip],
           beside: Reader | None) -> list[ReadUtterance]:
    """Hear all utterances, each after a short silence, showing how far it is."""
    utterances = []
    with report.progress_bar() as bar:
        task = bar.add_task('utterances', total=len(clips))
        for clip in clips:
            samples = load(clip.path)
            padded = np.concatenate([np.zeros(round(LEAD_S * RATE), np.float32), samples])
            utterance = join_hearing(clip, samples, listener.hear(clip.name, padded))
            if beside is not None:
                utterance.whole, utterance.whole_s = beside.read(clip.name, samples)
            utterances.append(utterance)
            bar.advance(task)
    return utterances


def measure_latency(spoken_: Sequence[ReadUtterance]) -> dict[str, Any]:
    """
    Return seconds from the end of a word to when it is shown, without and with computing.

    The last word is exact. For all words their ends are estimated from their letters, and the
    k-th word shown is taken for the k-th word said, so it counts only utterances with as many.
    """
    last = [(utterance.shown[-1][0] - utterance.end, utterance.shown[-1][1]) for utterance
            in spoken_ if utterance.shown]
    words: list[tuple[float, float]] = []
    for utterance in spoken_:
        said, seen = word_times(utterance.reference, utterance.start, utterance.end), 0
        if not utterance.shown or len(utterance.shown[-1][2].split()) != len(said):
            continue
        for at, spent, text in utterance.shown:
            count = len(text.split())
            words += [(at - said[i], spent) for i in range(seen, count)]
            seen = max(seen, count)
    return {'last_word_s': percentiles([a for a, _ in last]),
            'last_word_with_computing_s': percentiles([a + b for a, b in last]),
            'word_estimate_s': percentiles([a for a, _ in words]),
            'word_estimate_with_computing_s': percentiles([a + b for a, b in words])}


def measure_stability(spoken_: Sequence[ReadUtterance], final: bool) -> float:
    """Return words taken back per word of the last text; ``final``: the second pass is last."""
    taken = words = 0
    for utterance in spoken_:
        texts = [normalise(text) for _, _, text in utterance.shown]
        if final and utterance.final is not None:
            texts.append(normalise(utterance.final))
        a, b = measure_erasure(texts)
        taken, words = taken + a, words + b
    return taken / words if words else float('nan')


def _to_utterances(spoken_: Sequence[ReadUtterance], which: str) -> list[UnderstoodUtterance]:
    return [UnderstoodUtterance(utterance.reference, getattr(utterance, which) or '',
                                utterance.group) for utterance in spoken_]


def figures(spoken_: Sequence[ReadUtterance]) -> dict[str, Any]:
    """Return word errors, what was missed, stability and latency of some utterances."""
    streamed = _to_utterances(spoken_, 'streamed')
    values: dict[str, Any] = {
        'utterances': len(spoken_), 'groups': len({utterance.group for utterance in spoken_}),
        'words': sum(len(normalise(utterance.reference).split()) for utterance in spoken_),
        'wer_streamed': word_error_rate(streamed), 'wer_always_silent': 1.0,
        'without_any_reply': sum(not utterance.replies for utterance in spoken_),
        'replies_per_utterance': float(np.mean([utterance.replies for utterance in spoken_])),
        'erasure_streamed': measure_stability(spoken_, final=False),
        'latency': measure_latency(spoken_)}
    if any(utterance.final is not None for utterance in spoken_):
        values['wer_second_pass'] = word_error_rate(_to_utterances(spoken_, 'final'))
        values['erasure_by_second_pass'] = measure_stability(spoken_, final=True)
    if all(utterance.whole is not None for utterance in spoken_):
        whole = _to_utterances(spoken_, 'whole')
        values['wer_whisper_whole'] = word_error_rate(whole)
        values['whisper_s_per_clip'] = float(np.mean([utterance.whole_s for utterance in spoken_]))
        values['streamed_over_whisper'] = error_ratio(streamed, whole)
        values['second_pass_over_whisper'] = error_ratio(_to_utterances(spoken_, 'final'), whole)
    return values


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0."""
    out, second = report.make_folder(options, 'asr'), None
    if options.second_pass == 'whisper':
        second = _load_reader(options)
    if not options.only_words or options.as_shipped:
        runtime = runtime or report.load_model(options)
    measured: dict[str, Any] = {}
    if not options.only_words:
        assert runtime is not None, 'it was loaded'
        measured = _measure_utterances(options, runtime, second, out)
    if options.words and second is not None:
        from audio_interaction_ros.runtimes.registry import load_transcriber
        # Who is measured does not say what was said.
        whole = load_transcriber(language=options.language, threads=options.threads)
        measured['reader'] = ' and '.join(filter(None, (options.reader, options.partials_reader)))
        measured['words'] = measure_words(whole, choose_spoken(options), options.words,
                                          make_play(options, second, runtime))
        draw_words(out, measured['words'])
    path = report.write(out, 'asr', options, measured,
                        runtime.encoder.spec.model_id if runtime is not None else '')
    if 'kinds' in measured:
        print_tables(measured)
    if 'words' in measured:
        print_words(measured['words'])
    print(f'written to {path}, with pictures; what was said and understood: {out / "texts.jsonl"}')
    return 0


def _load_reader(options: argparse.Namespace) -> Any:
    from audio_interaction_ros.assembly import load_reader
    from audio_interaction_ros.config import AssistantConfig, TranscriptConfig
    return load_reader(AssistantConfig(transcript=TranscriptConfig(
        reader=options.reader, partials_reader=options.partials_reader,
        language=options.language)), threads=options.threads)


def choose_spoken(options: argparse.Namespace) -> list[HeldOutClip]:
    """Return the clips that are read while they are spoken, and those in which nobody speaks."""
    items = [item for item in read_held_out(options.data) if item.language in (
        options.language, '') and item.label.startswith(WORDS_FROM) and item.seconds <= LONGEST_S]
    if options.speech:
        items += [HeldOutClip(path=clip.path, label=f'speech_{clip.kind}', group=clip.group,
                              seconds=0.0, text=clip.text, language=options.language)
                  for clip in read_synthetic(options.speech)]
    return items


def _measure_utterances(options: argparse.Namespace, runtime: Runtime, second: Any,
                        out: Path) -> dict[str, Any]:
    """Return word errors of finished utterances, and leave their texts and a picture."""
    clips = read_speech(read_held_out(options.data))
    if options.speech:
        clips += read_synthetic(options.speech)
    clips = choose_clips(clips, options.per_kind, options.limit)
    if not clips:
        raise MaterialError('expected held-out speech with text, found none; add speech_* rows '
                            'with text to the manifest or give --speech')
    listener = Listener(runtime, (LaneConfig(name=LANE, kind='transcript'),),
                        cache=out / 'hearings.jsonl',
                        variant=report.describe_variant(options), second_pass=second)
    beside = make_reader(out / 'whisper.jsonl', options.threads, options.beside)
    utterances = listen(listener, clips, beside)
    measured = measure(utterances, beside.name if beside else 'none')
    (out / 'texts.jsonl').write_text(''.join(
        json.dumps(report.to_json(utterance), ensure_ascii=False) + '\n' for utterance
        in utterances), encoding='utf-8')
    draw(out, measured)
    return measured


def measure(utterances: Sequence[ReadUtterance], beside: str) -> dict[str, Any]:
    """Return the figures of each kind of speech, and of all real speech together."""
    kinds = {kind: [utterance for utterance in utterances if utterance.kind == kind]
             for kind in sorted({utterance.kind for utterance in utterances})}
    real = [utterance for utterance in utterances if utterance.kind != 'synthetic']
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
