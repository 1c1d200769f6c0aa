"""
``python -m eval turns``: utterances that end too early, too late, or run together.

Owns the run and its figures. Recordings that no training took stand in streams with known ends
and pauses between them (``turn_streams``); what becomes final of them is held against that. Also
heard: places in which nobody speaks. Leaves ``turns.json``, a picture and the finals of each clip.
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audio_interaction_ros.runtimes.base import Runtime
from eval.live_stream import HeardFinal, HeardStream, Play, add_play_arguments, make_play
from eval.turn_streams import PlacedClip, TurnStream, join_clips, make_quiet, pick_clips
from eval.word_pictures import draw_latencies
from held_out.clips import MaterialError, read_held_out
from measure import report
from measure.intervals import percentiles, poisson, wilson

__all__ = ['HeardTurn', 'add_arguments', 'figures', 'match', 'run']

OVERLAP_S = 0.15
"""A final that shares so much with an utterance is of it."""
NEAR = 1
"""So many words around a cut the end of a sentence is looked for in what is read of all of it."""
ENDS = tuple('.?!')


@dataclass
class HeardTurn:
    """One utterance and what became final of it; seconds of its stream."""

    clip: PlacedClip
    finals: list[HeardFinal] = field(default_factory=list)
    joined: bool = False
    """One of the finals goes on into the next utterance."""
    last: bool = False
    """No utterance follows it in its stream."""
    in_sentences: list[bool] = field(default_factory=list)
    """Of each place where it was cut: whether that is within a sentence."""

    @property
    def wait_s(self) -> float:
        """The same without computing: how much was heard before it was taken to be over."""
        if not self.finals or self.joined:
            return float('nan')
        return max(final.at for final in self.finals) - self.clip.end

    @property
    def delay_s(self) -> float:
        """Seconds from its end to its last final, computing counted; NaN where it has none."""
        if not self.finals or self.joined:
            return float('nan')
        return max(final.at + final.spent for final in self.finals) - self.clip.end


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    add_play_arguments(parser)
    parser.add_argument('--per-kind', type=int, default=40, metavar='CLIPS')
    parser.add_argument('--per-stream', type=int, default=6, metavar='CLIPS')
    parser.add_argument('--pauses', type=float, nargs=2, default=(1.5, 3.0),
                        metavar=('SHORTEST', 'LONGEST'),
                        help='seconds between two utterances (default: 1.5 3.0)')
    parser.add_argument('--quiet-hours', type=float, default=0.0, metavar='H',
                        help='so long places without speech are heard as well')


def match(stream: TurnStream, heard: HeardStream) -> tuple[list[HeardTurn], list[HeardFinal]]:
    """Return what became final of each utterance, and finals of none."""
    turns, strange = [HeardTurn(clip) for clip in stream.clips], []
    if turns:
        turns[-1].last = True
    for final in sorted((one for one in heard.finals if one.text), key=lambda one: one.start):
        mine = [turn for turn in turns
                if min(final.end, turn.clip.end) - max(final.start, turn.clip.start) >= min(
                    OVERLAP_S, turn.clip.end - turn.clip.start)]
        for turn in mine:
            turn.finals.append(final)
            turn.joined = turn.joined or turn is not mine[-1]
        if not mine:
            strange.append(final)
    return turns, strange


def mark_cuts(turn: HeardTurn, second: Any) -> None:
    """Note of each place where an utterance was cut whether that is within a sentence."""
    if len(turn.finals) < 2:
        return
    whole, count = second.transcribe(turn.clip.samples).text.split(), 0
    for final in turn.finals[:-1]:
        count += len(final.text.split())
        near = whole[max(0, count - 1 - NEAR):count + NEAR]
        turn.in_sentences.append(not any(word.rstrip('"\'').endswith(ENDS) for word in near))


def figures(turns: Sequence[HeardTurn]) -> dict[str, Any]:
    """Return how some utterances ended."""
    heard = [turn for turn in turns if turn.finals]
    followed = [turn for turn in heard if not turn.last]
    delays = [turn.delay_s for turn in heard if not turn.joined]
    return {
        'utterances': len(turns), 'without a final': len(turns) - len(heard),
        'cut': wilson(sum(len(turn.finals) > 1 for turn in heard), len(heard)),
        'cut in a sentence': wilson(sum(any(turn.in_sentences) for turn in heard), len(heard)),
        'joined': wilson(sum(turn.joined for turn in followed), len(followed)),
        'delay_s': percentiles(delays),
        'wait_s': percentiles([turn.wait_s for turn in heard if not turn.joined]),
        'ended_by': dict(Counter(turn.finals[-1].ended_by for turn in heard)),
        'latencies': {'final': delays}}


def hear_all(play: Play, streams: Sequence[TurnStream], second: Any
             ) -> tuple[list[HeardTurn], list[HeardFinal], float]:
    """Return what became of all utterances, finals of none, and computing per second."""
    turns, strange, busy, seconds = list[HeardTurn](), list[HeardFinal](), 0.0, 0.0
    with report.progress_bar() as bar:
        for stream in bar.track(streams, description='streams'):
            heard = play(stream.samples)
            mine, nobodys = match(stream, heard)
            for turn in mine:
                mark_cuts(turn, second)
            turns, strange = turns + mine, strange + nobodys
            busy, seconds = busy + heard.busy_s, seconds + len(stream.samples) / 16_000
    return turns, strange, busy / seconds if seconds else float('nan')


def hear_quiet(play: Play, items: Sequence[Any], hours: float) -> dict[str, Any]:
    """Return what became final where nobody speaks."""
    texts: list[str] = []
    shown, seconds = 0, 0.0
    with report.progress_bar() as bar:
        for name, samples in bar.track(make_quiet(items, 3600 * hours), total=round(60 * hours),
                                       description='nobody speaks'):
            heard = play(samples)
            texts += [f'{name} at {final.start:.1f} s: {final.text}' for final in heard.finals
                      if final.text]
            shown += bool(heard.shown)
            seconds += len(samples) / 16_000
    return {'hours': seconds / 3600, 'finals': len(texts), 'texts': texts,
            'finals_per_hour': poisson(len(texts), seconds / 3600), 'minutes_with_words': shown}


def run(options: argparse.Namespace, runtime: Runtime | None = None) -> int:
    """Measure; return 0."""
    from audio_interaction_ros.runtimes.registry import load_transcriber
    out, items = report.make_folder(options, 'turns'), read_held_out(options.data)
    clips = pick_clips(items, min(options.per_kind, options.limit or options.per_kind))
    if not clips:
        raise MaterialError('expected held-out speech, found none; add speech_* rows to the '
                            'manifest')
    second = load_transcriber(threads=options.threads)
    if options.as_shipped:
        runtime = runtime or report.load_model(options)
    play = make_play(options, second, runtime)
    streams = [join_clips(clips[place:place + options.per_stream], tuple(options.pauses))
               for place in range(0, len(clips), options.per_stream)]
    turns, strange, factor = hear_all(play, streams, second)
    kinds: dict[str, list[HeardTurn]] = defaultdict(list)
    for turn in turns:
        kinds[turn.clip.kind].append(turn)
    measured: dict[str, Any] = {
        'kinds': {**{kind: figures(kinds[kind]) for kind in sorted(kinds)}, 'all': figures(turns)},
        'finals_of_no_utterance': [final.text for final in strange], 'real_time_factor': factor}
    if options.quiet_hours:
        measured['nobody_speaks'] = hear_quiet(play, items, options.quiet_hours)
    write_finals(out / 'finals.jsonl', turns)
    draw_latencies(out / 'turns.png', {kind: row['latencies']
                                       for kind, row in measured['kinds'].items()})
    path = report.write(out, 'turns', options, measured)
    print_tables(measured)
    print(f'written to {path}, with a picture; the finals: {out / "finals.jsonl"}')
    return 0


def write_finals(path: Path, turns: Sequence[HeardTurn]) -> None:
    """Write what became final of each utterance."""
    path.write_text(''.join(json.dumps(report.to_json({
        'clip': turn.clip.name, 'start': turn.clip.start, 'end': turn.clip.end,
        'delay_s': turn.delay_s, 'joined': turn.joined, 'cut_in_sentence': turn.in_sentences,
        'finals': turn.finals}), ensure_ascii=False) + '\n' for turn in turns), encoding='utf-8')


def print_tables(measured: dict[str, Any]) -> None:
    """Print the tables."""
    report.print_table('Ends of utterances', [
        'speech', 'utterances', 'no final', 'cut in two', 'in a sentence', 'run together',
        'final p50 s', 'p95', 'without computing p50', 'p95', 'ended by'],
        [(kind, row['utterances'], row['without a final'], row['cut'], row['cut in a sentence'],
          row['joined'], row['delay_s']['p50'], row['delay_s']['p95'],
          row['wait_s']['p50'], row['wait_s']['p95'],
          ', '.join(f'{by} {count}' for by, count in row['ended_by'].items()))
         for kind, row in measured['kinds'].items()])
    print(f'finals of no utterance: {len(measured["finals_of_no_utterance"])}; computing per '
          f'second of audio: {measured["real_time_factor"]:.2f}')
    if 'nobody_speaks' in measured:
        quiet = measured['nobody_speaks']
        print(f'where nobody speaks: {quiet["finals"]} finals in {quiet["hours"]:.2f} hours '
              f'({quiet["finals_per_hour"]} an hour)')
