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
from eval import plots, report
from eval.alerts import LANE, lanes
from eval.asr import LEAD_S, Clip, read_speech, unheard_voices
from eval.classes import rules
from eval.intervals import poisson, wilson
from eval.listening import Hearing, Listener
from eval.material import RATE, MaterialError, held_out, load
from eval.words import normal
from train.edge.dialogue import UNKNOWN, reply_to

__all__ = ['Asked', 'add_arguments', 'figures', 'run', 'sort_of']

CATALOGUE = ('catalogue, new sentence', 'catalogue, sentence of training')
TO_ROBOT, OTHER, REAL = 'for the robot, unknown', 'other speech', 'real speech'


@dataclass(frozen=True)
class Asked:
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
        return not self.alarm and normal(self.said) == normal(self.expected)

    @property
    def withheld_right(self) -> int:
        """Count the answers withheld that have the words they should."""
        return sum(bool(self.expected) and normal(text) == normal(self.expected)
                   for text in self.withheld)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.common_arguments(parser, data=False)
    report.crew_arguments(parser)
    parser.add_argument('--speech', type=Path, required=True, help='folder with utterances.jsonl '
                        '(text, path, voice, split): its voices of the split "validation"')
    parser.add_argument('--per-sort', type=int, default=150, metavar='CLIPS',
                        help='at most so many utterances of each sort')
    parser.add_argument('--threshold', type=float, default=0.0,
                        help='of the assistant lane (default: as the model says)')


def sort_of(clip: Clip) -> str:
    """Return what sort of utterance a clip is."""
    answer = reply_to(clip.text)
    if clip.kind not in ('synthetic', 'synthetic, sentence of training'):
        return REAL
    if answer is None:
        return OTHER
    return TO_ROBOT if answer == UNKNOWN else CATALOGUE[clip.kind != 'synthetic']


def chosen(clips: Sequence[Clip], most: int) -> list[Clip]:
    """Return at most so many clips of each sort, in their order."""
    sorts = defaultdict[str, list[Clip]](list)
    for clip in clips:
        mine = sorts[sort_of(clip)]
        if len(mine) < most:
            mine.append(clip)
    return [clip for mine in sorts.values() for clip in mine]


def asked(clip: Clip, hearing: Hearing, known: AlertRules) -> Asked:
    """Join an utterance with what was answered."""
    replies = hearing.of(LANE)
    return Asked(name=clip.name, sort=sort_of(clip), text=clip.text,
                 expected=reply_to(clip.text) or '',
                 said=' '.join(reply.text for reply in replies),
                 alarm=any(reply.urgent or known.match(reply.text) for reply in replies),
                 seconds=hearing.seconds,
                 withheld=tuple(text for lane, _, text, _ in hearing.withheld if lane == LANE))


def hear(listener: Listener, clips: Sequence[Clip]) -> list[Asked]:
    """Hear all utterances, each after a short silence, showing how far it is."""
    known, found = rules(), dict[int, Asked]()

    def streams() -> Iterator[tuple[str, np.ndarray]]:
        for clip in clips:
            yield clip.name, np.concatenate([np.zeros(round(LEAD_S * RATE), np.float32),
                                             load(clip.path)])
    with report.progress() as bar:
        task = bar.add_task('utterances', total=len(clips))
        for place, hearing in listener.hear_all(streams()):
            found[place] = asked(clips[place], hearing, known)
            bar.advance(task)
    return [found[place] for place in sorted(found)]


def withheld(found: Sequence[Asked]) -> dict[str, Any]:
    """Return how many answers were withheld, and which share of the right and the wrong ones."""
    count = sum(len(one.withheld) for one in found)
    right = sum(one.withheld_right for one in found)
    told = sum(bool(one.said) for one in found)
    told_right = sum(one.right for one in found if one.said)
    return {'withheld': count,
            'withheld_of_right': wilson(right, right + told_right),
            'withheld_of_wrong': wilson(count - right, count - right + told - told_right)}


def figures(found: Sequence[Asked]) -> dict[str, Any]:
    """Return shares answered, answered rightly and withheld, and answers per hour unasked."""
    due = [one for one in found if one.expected]
    quiet = [one for one in found if not one.expected]
    hours = sum(one.seconds for one in quiet) / 3600
    talk = sum(bool(one.said) and not one.alarm for one in quiet)
    return {
        'utterances': len(found), 'due': len(due),
        'answered': wilson(sum(bool(one.said) for one in due), len(due)),
        'right': wilson(sum(one.right for one in due), len(due)),
        'did_not_catch': wilson(sum(normal(one.said) == normal(UNKNOWN) != normal(one.expected)
                                    for one in due), len(due)),
        'none_due': len(quiet), 'hours_none_due': hours,
        'answered_without_need': wilson(sum(bool(one.said) for one in quiet), len(quiet)),
        'chatter_per_hour': poisson(talk, hours),
        'alarms': sum(one.alarm for one in found), **withheld(found)}


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0."""
    out, crew = report.folder(options, 'dialogue'), report.crew_of(options, runtime)
    clips = unheard_voices(options.speech)
    if options.data:
        clips += read_speech(held_out(options.data))
    clips = chosen(clips, min(options.per_sort, options.limit or options.per_sort))
    if not clips:
        raise MaterialError(f'{options.speech}: expected utterances of the split validation, '
                            'found none; give another folder in --speech')
    runtime = runtime or report.model_of(options)
    listener = Listener(runtime, lanes(options.threshold)[:1], cache=out / 'hearings.jsonl',
                        variant=report.variant(options), crew=crew)
    found = hear(listener, clips)
    sorts = sorted({one.sort for one in found})
    measured: dict[str, Any] = {
        'threshold': listener.lanes[0].threshold,
        'min_confidence': listener.lanes[0].min_confidence, 'all': figures(found),
        'sorts': {sort: figures([one for one in found if one.sort == sort]) for sort in sorts}}
    (out / 'answers.jsonl').write_text(''.join(
        json.dumps(report.plain(one), ensure_ascii=False) + '\n' for one in found),
        encoding='utf-8')
    draw(out, measured['sorts'])
    path = report.write(out, 'dialogue', options, measured, runtime.encoder.spec.model_id)
    tell(measured)
    print(f'written to {path}; what was asked and answered: {out / "answers.jsonl"}')
    return 0


def draw(out: Path, sorts: dict[str, dict[str, Any]]) -> None:
    """Draw the shares of each sort."""
    plots.bars(out / 'dialogue.png', {
        f'{sort} ({row["utterances"]})': {'answered': row['answered'], 'right': row['right']}
        if row['due'] else {'answered without need': row['answered_without_need']}
        for sort, row in sorts.items()}, title='Answers to speech (utterances)',
        label='share, 95 % interval')


def tell(measured: dict[str, Any]) -> None:
    """Print the tables."""
    sorts, bar = measured['sorts'], measured['min_confidence']
    report.show(f'Speech that asks for an answer, threshold {measured["threshold"]:.2f}',
                ['', 'utterances', 'answered', 'right words', 'did not catch that'],
                [(sort, row['due'], row['answered'], row['right'], row['did_not_catch'])
                 for sort, row in sorts.items() if row['due']])
    report.show('Speech that asks for none',
                ['', 'utterances', 'hours', 'answered', 'chatter/h', 'alarms'],
                [(sort, row['none_due'], row['hours_none_due'], row['answered_without_need'],
                  row['chatter_per_hour'], row['alarms'])
                 for sort, row in sorts.items() if row['none_due']])
    report.show(f'Answers withheld, confidence below {bar:.2f}' if bar > 0 else
                'Answers withheld: none, the model names no min_confidence',
                ['', 'withheld', 'of the right ones', 'of the wrong ones'],
                [(sort, row['withheld'], row['withheld_of_right'], row['withheld_of_wrong'])
                 for sort, row in (*sorts.items(), ('all', measured['all']))])
