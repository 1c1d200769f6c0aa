"""
Words while they are spoken: what is on the screen when.

Part of ``python -m eval asr``. Each clip is played (``eval.live_stream``) to the same object that
serves the robot, with or without the streaming model. Where words end is what Whisper's own
attention says of the whole clip; where a clip has no text, what Whisper reads of all of it is the
reference, and the figure says how far the words differ from that.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from eval.live_stream import TAIL_S, HeardFinal, HeardStream, Play, Shown
from held_out.clips import HeldOutClip, load
from measure import report
from measure.intervals import percentiles, quotients
from measure.word_errors import count_erased, count_errors, normalise

__all__ = ['ShownClip', 'count_wrong', 'describe', 'figures', 'make_clip', 'measure_words',
           'note_words', 'place_words', 'print_words']

AFTER_S = 1.0
"""So long after a word was spoken the screen is looked at."""


@dataclass
class ShownClip:
    """One clip, and what was shown of it when; seconds of the clip."""

    group: str
    reference: str
    ends: list[float]
    """Where each word of the reference ends."""
    whole: str
    seconds: float
    shown: list[tuple[float, float, str, str]] = field(default_factory=list)
    """Audio time, seconds of computing, text, stable text."""
    finals: list[tuple[float, float, str]] = field(default_factory=list)
    """Audio time, seconds of computing, text."""
    taken_back: int = 0
    """Stable words that a later revision changed."""
    readings: list[float] = field(default_factory=list)
    """Seconds of each reading."""
    busy_s: float = 0.0
    name: str = ''
    has_text: bool = True
    """False where what was read of all of it stands for what was said."""


def note_words(clip: ShownClip, heard: HeardStream) -> ShownClip:
    """Note in a clip what was on the screen, finals before and what goes on together."""
    events: list[tuple[str, Shown | HeardFinal]] = [
        *heard.shown, *(('', final) for final in heard.finals)]
    ended, stable, open_ = '', '', ''
    for name, one in sorted(events, key=lambda event: (event[1].at + event[1].spent,
                                                       isinstance(event[1], HeardFinal))):
        if isinstance(one, HeardFinal):
            ended, stable = f'{ended} {one.text}'.strip(), ''
            clip.finals.append((one.at, one.spent, one.text))
            clip.shown.append((one.at, one.spent, ended, ended))
            continue
        if name == open_ and not one.stable.startswith(stable):
            clip.taken_back += count_erased(stable, one.stable)
        open_, stable = name, one.stable
        clip.shown.append((one.at, one.spent, f'{ended} {one.text}'.strip(),
                           f'{ended} {stable}'.strip()))
    clip.readings += heard.readings
    clip.busy_s += heard.busy_s
    return clip


def _text_at(clip: ShownClip, seconds: float, *, computing: bool, stable: bool) -> str:
    """Return what is on the screen at a time, with the seconds of computing or without."""
    seen = [kept if stable else text for at, spent, text, kept in clip.shown
            if at + spent * computing <= seconds]
    return seen[-1] if seen else ''


def count_wrong(clip: ShownClip, *, computing: bool = True, after_s: float = AFTER_S,
                stable: bool = False) -> tuple[int, int]:
    """
    Return how many words were not on the screen ``after_s`` after they were spoken, of how many.

    A word is right where the best alignment of all that was said so far with all that is shown
    has it; words too many in what is shown so long after the last count as well. ``stable``: only
    what is never taken back counts as shown.
    """
    import jiwer
    words, wrong = clip.reference.split(), 0
    for place, end in enumerate(clip.ends):
        said, seen = ' '.join(words[:place + 1]), normalise(
            _text_at(clip, end + after_s, computing=computing, stable=stable))
        if not seen:
            wrong += 1
            continue
        pieces = jiwer.process_words(said, seen).alignments[0]
        wrong += not any(piece.type == 'equal' and piece.ref_start_idx <= place < piece.ref_end_idx
                         for piece in pieces)
        if place == len(words) - 1:
            wrong += sum(piece.hyp_end_idx - piece.hyp_start_idx for piece in pieces
                         if piece.type == 'insert')
    return wrong, len(words)


def place_words(words: Sequence[str], placed: Sequence[tuple[str, float]],
                seconds: float) -> list[float]:
    """
    Return where each word of a text ends, in seconds of a clip that is ``seconds`` long.

    ``placed`` are the words that were read of it and where they end: where a text has other
    words, in proportion to their places in it; where none was read, evenly over the clip.
    """
    known = [end for _, end in placed] or [seconds * (place + 1) / len(words)
                                           for place in range(len(words))]
    return [float(end) for end in np.interp(np.linspace(0, 1, len(words)),
                                            np.linspace(0, 1, len(known)), known)]


def make_clip(second: Any, item: HeldOutClip, samples: np.ndarray) -> ShownClip | None:
    """Return a clip with its reference and where its words end; None where there are none."""
    read = second.transcribe(samples)
    placed = [(word, at.end_s) for at in read.words for word in normalise(at.written).split()]
    text = normalise(item.text or read.text)
    if not text or not placed:
        return None
    seconds = len(samples) / SAMPLE_RATE_HZ
    return ShownClip(group=item.group, reference=text, whole=read.text, seconds=seconds,
                     ends=place_words(text.split(), placed, seconds), name=item.name,
                     has_text=bool(item.text))


def figures(clips: Sequence[ShownClip]) -> dict[str, Any]:
    """Return what of the words of some clips was on the screen when."""
    wrong = [count_wrong(clip) for clip in clips]
    heard = [count_wrong(clip, computing=False) for clip in clips]
    final = [count_errors(clip.reference, ' '.join(text for *_, text in clip.finals))
             for clip in clips]
    whole = [count_errors(clip.reference, clip.whole) for clip in clips]
    first = [(clip.shown[0][0] - clip.ends[0], clip.shown[0][1]) for clip in clips if clip.shown]
    last = [(clip.finals[-1][0] - clip.ends[-1], clip.finals[-1][1]) for clip in clips
            if clip.finals]
    readings = [spent for clip in clips for spent in clip.readings]
    return {
        'clips': len(clips), 'words': sum(words for _, words in wrong),
        'wer_shown_after_1_s': quotients(*zip(*wrong, strict=True)),
        'wer_shown_after_1_s_without_computing': quotients(*zip(*heard, strict=True)),
        'wer_final': quotients(*zip(*final, strict=True)),
        'wer_whole': quotients(*zip(*whole, strict=True)),
        'wrong_final': sum(count for count, _ in final),
        'wrong_whole': sum(count for count, _ in whole),
        'final_over_whole': quotients(*([count for count, _ in counts]
                                        for counts in (final, whole))),
        'first_word_s': percentiles([at for at, _ in first]),
        'first_word_with_computing_s': percentiles([at + spent for at, spent in first]),
        'final_s': percentiles([at for at, _ in last]),
        'final_with_computing_s': percentiles([at + spent for at, spent in last]),
        'reading_s': percentiles(readings),
        'stable_taken_back': sum(clip.taken_back for clip in clips),
        'stable_changed_by_final': sum(_count_changed(clip) for clip in clips),
        'finals_per_clip': float(np.mean([len(clip.finals) for clip in clips])),
        'latencies': {'first word': [at + spent for at, spent in first],
                      'final': [at + spent for at, spent in last]},
        'real_time_factor': sum(clip.busy_s for clip in clips) / sum(
            clip.seconds + TAIL_S for clip in clips)}


def _count_changed(clip: ShownClip) -> int:
    """Return how many stable words the text of all finals has not in their place."""
    import jiwer
    stable = [text for *_, text in clip.shown]
    before = normalise(stable[-2]) if len(stable) > 1 else ''
    final = normalise(' '.join(text for *_, text in clip.finals))
    if not before or not final:
        return len(before.split())
    counts = jiwer.process_words(before, final)
    return int(counts.substitutions + counts.deletions)


def measure_words(whole: Any, items: Sequence[HeldOutClip], most: int, play: Play,
                  drawn: int = 3) -> dict[str, Any]:
    """
    Return the figures by kind of clip, and how much is written where nobody speaks.

    ``whole`` reads whole clips: it says where words end, and what was said where there is no
    text. ``play`` plays samples; of ``drawn`` clips of the first kind all that was shown is kept.
    """
    kinds: dict[str, list[ShownClip]] = {}
    quiet_s, quiet_texts = 0.0, list[str]()
    for item in items:
        kind = item.label if item.label.startswith('speech_') else 'nobody speaks'
        if len(kinds.setdefault(kind, [])) >= most:
            continue
        samples = load(item.path)
        if kind == 'nobody speaks':
            clip = ShownClip(item.group, '', [], '', len(samples) / SAMPLE_RATE_HZ)
            kinds[kind].append(note_words(clip, play(samples)))
            quiet_s += clip.seconds
            quiet_texts += [f'{item.name}: {text}' for *_, text in clip.finals if text]
            continue
        spoken = make_clip(whole, item, samples)
        if spoken is not None:
            kinds[kind].append(note_words(spoken, play(samples)))
    nobody = kinds.pop('nobody speaks', [])
    return {'kinds': {kind: figures(clips) for kind, clips in kinds.items() if clips},
            'read': [describe(clip) for clips in kinds.values() for clip in clips],
            'drawn': [asdict(clip) for clip in _pick_drawn(kinds)[:drawn]],
            'nobody_speaks': {'clips': len(nobody), 'minutes': quiet_s / 60,
                              'finals': len(quiet_texts), 'texts': quiet_texts,
                              'shown': sum(any(text for _, _, text, _ in clip.shown)
                                           for clip in nobody)}}


def describe(clip: ShownClip) -> dict[str, Any]:
    """Return what became final of a clip beside what was said and what was read of all of it."""
    finals = ' '.join(text for *_, text in clip.finals)
    return {'clip': clip.name, 'said': clip.reference if clip.has_text else None,
            'whole': clip.whole, 'finals': [text for *_, text in clip.finals],
            'wrong_final': count_errors(clip.reference, finals)[0],
            'wrong_whole': count_errors(clip.reference, clip.whole)[0],
            'final_differs_from_whole': count_errors(clip.whole, finals)[0]}


def _pick_drawn(kinds: dict[str, list[ShownClip]]) -> list[ShownClip]:
    """Return clips of four to twenty seconds with many words, those read from books first."""
    ordered = sorted(kinds, key=lambda kind: kind != 'speech_read')
    return [clip for kind in ordered for clip in kinds[kind]
            if 4 <= clip.seconds <= 20 and 8 <= len(clip.ends) <= 60]


def print_words(measured: dict[str, Any]) -> None:
    """Print the table of words while they are spoken."""
    report.print_table('Words while they are spoken', [
        'speech', 'clips', 'words', 'wrong 1 s after', 'without computing', 'final', 'whole clip',
        'final over whole', 'first word p50 s', 'with computing', 'final p50 s', 'p95',
        'with computing p50', 'p95', 'reading p50 s', 'p95', 'stable taken back',
        'changed by final', 'finals per clip', 'factor'],
        [(kind, row['clips'], row['words'], row['wer_shown_after_1_s'],
          row['wer_shown_after_1_s_without_computing'], row['wer_final'],
          row['wer_whole'], row['final_over_whole'], row['first_word_s']['p50'],
          row['first_word_with_computing_s']['p50'], row['final_s']['p50'], row['final_s']['p95'],
          row['final_with_computing_s']['p50'], row['final_with_computing_s']['p95'],
          row['reading_s']['p50'], row['reading_s']['p95'], row['stable_taken_back'],
          row['stable_changed_by_final'], row['finals_per_clip'], row['real_time_factor'])
         for kind, row in measured['kinds'].items()])
    quiet = measured['nobody_speaks']
    print(f'where nobody speaks: {quiet["finals"]} finals with text and {quiet["shown"]} clips '
          f'with words shown in {quiet["minutes"]:.1f} minutes ({quiet["clips"]} clips)')
