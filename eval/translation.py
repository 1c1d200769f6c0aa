"""
``python -m eval translation``: BLEU and chrF of the translation lane, by direction.

Owns the run: spoken sentences with a known translation through the lane ``translation`` alone,
as it streams and as its second pass makes them final, both from one hearing, and what others make
of the same sentences beside it. A model without such a lane cannot be measured, and the command
says so instead of giving a figure.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.runtimes.base import Runtime, Transcriber
from eval.hearing.listener import Listener
from eval.hearing.playing import TO_ENGLISH
from eval.hearing.record import Hearing
from eval.live_stream import CLOCKS
from eval.text_translation import add_text_arguments, measure_texts, translate_read
from eval.translation_streams import measure_profiles
from eval.translation_tables import draw, print_tables
from eval.translators import stand_beside
from eval.worker_pool import add_pool_arguments, make_pool
from held_out.clips import RATE, MaterialError, find_sounding, load, read_held_out
from held_out.pairs import sentence_key
from held_out.spoken_sentences import Sentence, SentencePairs, pair_spoken
from measure import report
from measure.bleu import score
from measure.intervals import percentiles

__all__ = ['TranslatedSentence', 'add_arguments', 'choose_sentences', 'figures', 'make_lane',
           'run', 'note_hearing']

LANE = 'translation'
LEAD_S = 0.6


@dataclass
class TranslatedSentence(Sentence):
    """A sentence and what the second pass made of it; ``hypothesis`` is what was streamed."""

    final: str | None = None
    """The final translation; None when there was no second pass."""
    read: str = ''
    """What the second pass read of it."""
    kept: int = 0
    """Replies whose final text is the streamed one, for want of a better one."""

    @classmethod
    def of(cls, sentence: Sentence) -> 'TranslatedSentence':
        """Return a sentence that nothing was made of yet."""
        return cls(**vars(sentence))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser, data=False)
    add_pool_arguments(parser)
    parser.add_argument('--speech', type=Path, nargs='+', default=[], metavar='FOLDER',
                        help='folders with utterances.jsonl (text, path, voice, split; for '
                        'Mandarin translation): their split "validation". What their split '
                        '"train" says is left out, in all of them')
    parser.add_argument('--pairs', type=Path, metavar='TSV', help='all sentence pairs of the '
                        'training, columns en and zh: only what its split holds out counts')
    parser.add_argument('--per-direction', type=int, default=300, metavar='CLIPS')
    parser.add_argument('--prompt', default='',
                        help='prompt of the lane, for a model that names none')
    parser.add_argument('--threshold', type=float, default=0.0,
                        help='of the lane (default: as the model says)')
    parser.add_argument('--second-pass', default='whisper', choices=('whisper', 'none'),
                        help='who reads what was said, for the final translations')
    parser.add_argument('--to-english', default=TO_ENGLISH, choices=('whisper', 'model'),
                        help='who writes the English of final translations')
    add_text_arguments(parser)
    parser.add_argument('--profiles', type=Path, nargs='+', default=[], metavar='FILE',
                        help='parameter files: whole assistants as these configure them hear the '
                        'sentences, instead of the lane alone')
    parser.add_argument('--clock', default='wall', choices=sorted(CLOCKS),
                        help='of --profiles; processor: count the time of the processor, where '
                        'other programs use the machine as well (default: %(default)s)')
    parser.add_argument('--beside', default='auto', choices=('auto', 'faster-whisper', 'own',
                                                             'none'),
                        help='which Whisper base stands beside')


def make_lane(runtime: Runtime, prompt: str, threshold: float = 0.0) -> LaneConfig | None:
    """Return the lane, or None where the model has none and no prompt was given."""
    known = runtime.config.lanes.get(LANE)
    if not prompt and (known is None or not known.prompt):
        return None
    return LaneConfig(name=LANE, kind='translation', prompt=prompt, threshold=threshold)


def make_second_pass(options: argparse.Namespace) -> Callable[[], Transcriber] | None:
    """Return what makes the second pass, None where none is wanted."""
    if options.second_pass == 'none':
        return None
    from audio_interaction_ros.runtimes.registry import load_transcriber
    return load_transcriber


def choose_sentences(sentences: Sequence[Sentence], most: int) -> dict[str,
                                                                       list[TranslatedSentence]]:
    """Return at most so many sentences of each direction, in their order."""
    by_direction: dict[str, list[TranslatedSentence]] = defaultdict(list)
    for sentence in sentences:
        mine = by_direction[sentence.direction]
        if len(mine) < most:
            mine.append(TranslatedSentence.of(sentence))
    return dict(sorted(by_direction.items()))


def _score_final(sentences: Sequence[Sentence]) -> dict[str, Any]:
    """Return the scores of final translations under ``final``; nothing where one lacks."""
    finals = [sentence for sentence in sentences
              if isinstance(sentence, TranslatedSentence) and sentence.final is not None]
    if len(finals) < len(sentences):
        return {}
    return {'final': {**score(finals, [sentence.final or '' for sentence in finals]),
                      'replies': sum(sentence.replies for sentence in finals),
                      'kept_as_streamed': sum(sentence.kept for sentence in finals)}}


def _score_lane(some: Sequence[Sentence]) -> dict[str, Any]:
    return {'sentences': len(some), **score(some, [sentence.hypothesis for sentence in some]),
            **_score_final(some)}


def figures(sentences: Sequence[Sentence]) -> dict[str, Any]:
    """Return the scores of one direction, of the lane and of who stands beside."""
    result = {
        **_score_lane(sentences),
        'texts': len({sentence_key(sentence.text) for sentence in sentences}),
        'without_any_reply': sum(not sentence.hypothesis for sentence in sentences),
        'replies_per_sentence': float(np.mean([sentence.replies for sentence in sentences])),
        'first_reply_s': percentiles([sentence.first_s for sentence in sentences
                                      if sentence.first_s is not None]),
        'first_reply_before_the_end': sum(sentence.first_s is not None and sentence.first_s < 0
                                          for sentence in sentences),
        'beside': {name: score(sentences, [sentence.beside[name] for sentence in sentences])
                   for name in sentences[0].beside}}
    voices = sorted({sentence.voice for sentence in sentences})
    result['voices'] = {voice: _score_lane([sentence for sentence in sentences
                                            if sentence.voice == voice]) for voice in voices}
    new = [sentence for sentence in sentences if sentence.new]
    result['translation_never_heard'] = _score_lane(new) if new else {'sentences': 0}
    return result


def note_hearing(sentence: TranslatedSentence, hearing: Hearing, samples: np.ndarray, *,
                 second_pass: bool = False) -> None:
    """Write down what the lane, and its second pass, made of the samples [n] of a sentence."""
    replies = hearing.replies_of(LANE)
    between = '' if sentence.direction == 'en-zh' else ' '

    def join(texts: Sequence[str]) -> str:
        return between.join(text.strip() for text in texts).strip()
    sentence.hypothesis = join([reply.text for reply in replies])
    sentence.final = join([reply.final or '' for reply in replies]) if second_pass else None
    sentence.read = ' '.join(reply.read for reply in replies).strip()
    sentence.replies, sentence.kept = len(replies), sum(reply.kept for reply in replies)
    sentence.first_s = (replies[0].at - LEAD_S - find_sounding(samples)[1] / RATE
                        if replies else None)


def listen(listener: Listener, sentences: Sequence[TranslatedSentence]) -> None:
    """Fill in what the lane says, showing how far it is."""
    clips: dict[int, np.ndarray] = {}

    def streams() -> Iterator[tuple[str, np.ndarray]]:
        for place, sentence in enumerate(sentences):
            clips[place] = load(sentence.path)
            yield sentence.name, np.concatenate([np.zeros(round(LEAD_S * RATE), np.float32),
                                                 clips[place]])
    with report.progress_bar() as bar:
        task = bar.add_task('sentences', total=len(sentences))
        for place, hearing in listener.hear_all(streams()):
            note_hearing(sentences[place], hearing, clips[place],
                         second_pass=listener.translates_again)
            bar.advance(task)


def report_not_measured(options: argparse.Namespace, out: Path, why: str) -> int:
    """Say and write why there is no figure; return 1."""
    report.write(out, 'translation', options, {'measured': False, 'why': why})
    print(f'NOT MEASURED: {why}')
    return 1


def choose_material(options: argparse.Namespace,
                    pairs: SentencePairs | None) -> dict[str, list[TranslatedSentence]]:
    """Return the sentences to hear by direction."""
    items = read_held_out(options.data) if options.data else []
    return choose_sentences(pair_spoken(items, options.speech, pairs),
                            min(options.per_direction, options.limit or options.per_direction))


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0, or 1 where the model cannot translate or there is nothing to say."""
    out = report.make_folder(options, 'translation')
    for option in ('texts', 'speech'):
        if getattr(options, option) and options.pairs is None:
            raise MaterialError(f'--{option} without --pairs: expected the sentence pairs of the '
                                'training, for they tell what is held out; give both')
    if options.texts:
        return measure_texts(options, out, runtime)
    pairs = SentencePairs.read(options.pairs) if options.pairs else None
    if options.profiles:
        return measure_profiles(options, out, choose_material(options, pairs))
    return measure_lane(options, out, pairs, runtime)


def measure_lane(options: argparse.Namespace, out: Path, pairs: SentencePairs | None,
                 runtime: Runtime | None) -> int:
    """Measure the lane alone and who stands beside it; return 0, or 1 where it cannot be."""
    crew = make_pool(options, runtime)
    runtime = runtime or report.load_model(options)
    lane = make_lane(runtime, options.prompt, options.threshold)
    if lane is None:
        return report_not_measured(options, out,
                                   f'the model {options.model} has no lane {LANE!r}: it '
                                   'was not trained to translate. --prompt TEXT tries it anyway.')
    by_direction = choose_material(options, pairs)
    if not by_direction:
        return report_not_measured(options, out,
                                   'no held-out spoken sentence has a translation; add '
                                   '"translation" to the manifest, or give --speech and --pairs')
    every = [sentence for mine in by_direction.values() for sentence in mine]
    listener = Listener(runtime, (lane,), cache=out / 'hearings.jsonl',
                        variant=report.describe_variant(options), crew=crew,
                        translator=make_second_pass(options), to_english=options.to_english)
    listen(listener, every)
    readers = {direction: stand_beside(
        mine, pairs.train if pairs else (), out / 'whisper.jsonl', threads=options.threads,
        choice=options.beside) for direction, mine in by_direction.items()}
    translate_read(options, every)
    measured: dict[str, Any] = {
        'measured': True, 'threshold': listener.lanes[0].threshold,
        'second_pass': options.second_pass, 'to_english': options.to_english,
        'whisper': readers,
        'directions': {direction: figures(mine) for direction, mine in by_direction.items()}}
    (out / 'texts.jsonl').write_text(''.join(
        json.dumps(report.to_json(sentence), ensure_ascii=False) + '\n'
        for sentence in every), encoding='utf-8')
    draw(out, measured['directions'])
    path = report.write(out, 'translation', options, measured, runtime.encoder.spec.model_id)
    print_tables(measured)
    print(f'written to {path}; what was said and translated: {out / "texts.jsonl"}')
    return 0
