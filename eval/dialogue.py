"""
``python -m eval dialogue``: what is said to it gets the answer it should, other speech gets none.

Owns the run over utterances of synthetic voices that training never heard, and of real speech.
What the answer should be, the catalogue says (train.edge.dialogue). Leaves ``dialogue.json``, a
picture and ``answers.jsonl`` with what was asked, expected and said.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.runtimes.base import Runtime
from eval.hearing.listener import Listener
from eval.hearing.record import Hearing
from eval.replies.listener import LANE, make_lanes
from eval.speech_clips import LEAD_S, SpeechClip, read_speech, read_unheard_voices
from eval.worker_pool import add_pool_arguments, make_pool
from held_out.classes import robot_rules
from held_out.clips import RATE, MaterialError, load, read_held_out
from measure import plots, report
from measure.intervals import poisson, wilson
from measure.word_errors import normalise
from train.edge.dialogue import UNKNOWN, reply_to

__all__ = ['AskedUtterance', 'add_arguments', 'figures', 'run', 'sort_of']

CATALOGUE = ('catalogue, new sentence', 'catalogue, sentence of training')
TO_ROBOT, OTHER, REAL = 'for the robot, unknown', 'other speech', 'real speech'


@dataclass(frozen=True)
class AskedUtterance:
    """One utterance, the answer it should get and the one it got; '' for none."""

    name: str
    sort: str
    text: str
    expected: str
    said: str
    alarm: bool
    """Whether it raised an alert."""
    seconds: float
    withheld: tuple[str, ...] = ()
    """Answers that were not told, as the model was not sure of their words."""

    @property
    def right(self) -> bool:
        """Tell whether the answer has the words it should."""
        return not self.alarm and normalise(self.said) == normalise(self.expected)

    @property
    def withheld_right(self) -> int:
        """Count the answers withheld that have the words they should."""
        return sum(bool(self.expected) and normalise(text) == normalise(self.expected)
                   for text in self.withheld)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser, data=False)
    add_pool_arguments(parser)
    parser.add_argument('--speech', type=Path, required=True, help='folder with utterances.jsonl '
                        '(text, path, voice, split): its voices of the split "validation"')
    parser.add_argument('--per-sort', type=int, default=150, metavar='CLIPS',
                        help='at most so many utterances of each sort')
    parser.add_argument('--threshold', type=float, default=0.0,
                        help='of the assistant lane (default: as the model says)')


def sort_of(clip: SpeechClip) -> str:
    """Return what sort of utterance a clip is."""
    answer = reply_to(clip.text)
    if clip.kind not in ('synthetic', 'synthetic, sentence of training'):
        return REAL
    if answer is None:
        return OTHER
    return TO_ROBOT if answer == UNKNOWN else CATALOGUE[clip.kind != 'synthetic']


def choose_clips(clips: Sequence[SpeechClip], most: int) -> list[SpeechClip]:
    """Return at most so many clips of each sort, in their order."""
    sorts = defaultdict[str, list[SpeechClip]](list)
    for clip in clips:
        mine = sorts[sort_of(clip)]
        if len(mine) < most:
            mine.append(clip)
    return [clip for mine in sorts.values() for clip in mine]


def join_answer(clip: SpeechClip, hearing: Hearing, known: AlertRules) -> AskedUtterance:
    """Join an utterance with what was answered."""
    replies = hearing.replies_of(LANE)
    return AskedUtterance(name=clip.name, sort=sort_of(clip), text=clip.text,
                          expected=reply_to(clip.text) or '',
                          said=' '.join(reply.text for reply in replies),
                          alarm=any(reply.urgent or known.match(reply.text) for reply in replies),
                          seconds=hearing.seconds,
                          withheld=tuple(text for lane, _, text,
                                         _ in hearing.withheld if lane == LANE))


def hear_all(listener: Listener, clips: Sequence[SpeechClip]) -> list[AskedUtterance]:
    """Hear all utterances, each after a short silence, showing how far it is."""
    known, utterances = robot_rules(), dict[int, AskedUtterance]()

    def streams() -> Iterator[tuple[str, np.ndarray]]:
        for clip in clips:
            yield clip.name, np.concatenate([np.zeros(round(LEAD_S * RATE), np.float32),
                                             load(clip.path)])
    with report.progress_bar() as bar:
        task = bar.add_task('utterances', total=len(clips))
        for place, hearing in listener.hear_all(streams()):
            utterances[place] = join_answer(clips[place], hearing, known)
            bar.advance(task)
    return [utterances[place] for place in sorted(utterances)]


def count_withheld(utterances: Sequence[AskedUtterance]) -> dict[str, Any]:
    """Return how many answers were withheld, and which share of the right and the wrong ones."""
    count = sum(len(utterance.withheld) for utterance in utterances)
    right = sum(utterance.withheld_right for utterance in utterances)
    told = sum(bool(utterance.said) for utterance in utterances)
    told_right = sum(utterance.right for utterance in utterances if utterance.said)
    return {'withheld': count,
            'withheld_of_right': wilson(right, right + told_right),
            'withheld_of_wrong': wilson(count - right, count - right + told - told_right)}


def figures(utterances: Sequence[AskedUtterance]) -> dict[str, Any]:
    """Return shares answered, answered rightly and withheld, and answers per hour unasked."""
    due = [utterance for utterance in utterances if utterance.expected]
    quiet = [utterance for utterance in utterances if not utterance.expected]
    hours = sum(utterance.seconds for utterance in quiet) / 3600
    talk = sum(bool(utterance.said) and not utterance.alarm for utterance in quiet)
    return {
        'utterances': len(utterances), 'due': len(due),
        'answered': wilson(sum(bool(utterance.said) for utterance in due), len(due)),
        'right': wilson(sum(utterance.right for utterance in due), len(due)),
        'did_not_catch': wilson(sum(normalise(utterance.said)
                                    == normalise(UNKNOWN) != normalise(utterance.expected)
                                    for utterance in due), len(due)),
        'none_due': len(quiet), 'hours_none_due': hours,
        'answered_without_need': wilson(sum(bool(utterance.said) for utterance in quiet),
                                        len(quiet)),
        'chatter_per_hour': poisson(talk, hours),
        'alarms': sum(utterance.alarm for utterance in utterances), **count_withheld(utterances)}


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0."""
    out, crew = report.make_folder(options, 'dialogue'), make_pool(options, runtime)
    clips = read_unheard_voices(options.speech)
    if options.data:
        clips += read_speech(read_held_out(options.data))
    clips = choose_clips(clips, min(options.per_sort, options.limit or options.per_sort))
    if not clips:
        raise MaterialError(f'{options.speech}: expected utterances of the split validation, '
                            'found none; give another folder in --speech')
    runtime = runtime or report.load_model(options)
    listener = Listener(runtime, make_lanes(options.threshold)[:1], cache=out / 'hearings.jsonl',
                        variant=report.describe_variant(options), crew=crew)
    utterances = hear_all(listener, clips)
    sorts = sorted({utterance.sort for utterance in utterances})
    measured: dict[str, Any] = {
        'threshold': listener.lanes[0].threshold,
        'min_confidence': listener.lanes[0].min_confidence, 'all': figures(utterances),
        'sorts': {sort: figures([utterance for utterance in utterances if utterance.sort == sort])
                  for sort in sorts}}
    (out / 'answers.jsonl').write_text(''.join(
        json.dumps(report.to_json(utterance), ensure_ascii=False) + '\n' for utterance
        in utterances),
        encoding='utf-8')
    draw(out, measured['sorts'])
    path = report.write(out, 'dialogue', options, measured, runtime.encoder.spec.model_id)
    print_tables(measured)
    print(f'written to {path}; what was asked and answered: {out / "answers.jsonl"}')
    return 0


def draw(out: Path, sorts: dict[str, dict[str, Any]]) -> None:
    """Draw the shares of each sort."""
    plots.draw_bars(out / 'dialogue.png', {
        f'{sort} ({row["utterances"]})': {'answered': row['answered'], 'right': row['right']}
        if row['due'] else {'answered without need': row['answered_without_need']}
        for sort, row in sorts.items()}, title='Answers to speech (utterances)',
        label='share, 95 % interval')


def print_tables(measured: dict[str, Any]) -> None:
    """Print the tables."""
    sorts, bar = measured['sorts'], measured['min_confidence']
    report.print_table(f'Speech that asks for an answer, threshold {measured["threshold"]:.2f}',
                       ['', 'utterances', 'answered', 'right words', 'did not catch that'],
                       [(sort, row['due'], row['answered'], row['right'], row['did_not_catch'])
                        for sort, row in sorts.items() if row['due']])
    report.print_table('Speech that asks for none',
                       ['', 'utterances', 'hours', 'answered', 'chatter/h', 'alarms'],
                       [(sort, row['none_due'], row['hours_none_due'],
                         row['answered_without_need'],
                         row['chatter_per_hour'], row['alarms'])
                        for sort, row in sorts.items() if row['none_due']])
    report.print_table(f'Answers withheld, confidence below {bar:.2f}' if bar > 0 else
                       'Answers withheld: none, the model names no min_confidence',
                       ['', 'withheld', 'of the right ones', 'of the wrong ones'],
                       [(sort, row['withheld'], row['withheld_of_right'], row['withheld_of_wrong'])
                        for sort, row in (*sorts.items(), ('all', measured['all']))])
