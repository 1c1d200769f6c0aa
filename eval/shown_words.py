"""
Words while they are spoken: what is on the screen when, of the second pass alone.

Part of ``python -m eval asr``. Each clip goes chunk by chunk through the same object that serves
the robot (``stream.live_words``), without the streaming model: silence ends every utterance.
Where words end is what Whisper's own attention says of the whole clip; where a clip has no text,
the text that Whisper reads of the whole clip is the reference, and the figure says how far the
words differ from that.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.assembly import build_live_words
from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.config import AssistantConfig, TranscriptConfig
from audio_interaction_ros.protocol import CHUNK_NS, CHUNK_SAMPLES, SAMPLE_RATE_HZ
from audio_interaction_ros.stream.final_text import Draft, read_again
from audio_interaction_ros.stream.span_reader import SpanReader
from held_out.clips import HeldOutClip, load
from measure import report
from measure.intervals import percentiles, quotients
from measure.word_errors import count_erased, count_errors, normalise

__all__ = ['ShownClip', 'figures', 'hear_words', 'measure_words', 'print_words']

AFTER_S = 1.0
"""So long after a word was spoken the screen is looked at."""
TAIL_S = 3.0
NS = 1e9


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


def hear_words(second: Any, samples: np.ndarray, clip: ShownClip,
               settings: TranscriptConfig) -> ShownClip:
    """Play samples [n] at 16 kHz and silence after them, and note what is shown."""
    live = build_live_words(AssistantConfig(transcript=settings), second)
    assert live is not None, 'a second pass that reads speech that goes on'
    reader, ended, stable = SpanReader(seconds=settings.buffer_s), '', ''
    padded = np.pad(samples, (0, round(TAIL_S * SAMPLE_RATE_HZ)))
    padded = np.pad(padded, (0, -len(padded) % CHUNK_SAMPLES))
    for place in range(len(padded) // CHUNK_SAMPLES):
        chunk = AudioChunk(samples=padded[place * CHUNK_SAMPLES:(place + 1) * CHUNK_SAMPLES],
                           stamp_ns=place * CHUNK_NS, lost_samples_before=0)
        reader.remember(chunk)
        live.remember(chunk)
        began, at = time.perf_counter(), (place + 1) * CHUNK_NS / NS
        over = live.hear()
        shown = live.read() if live.due else None
        spent = time.perf_counter() - began
        if shown is not None:
            new = shown.text[:shown.stable_length]
            if shown.revision:
                clip.taken_back += count_erased(stable, new) if not new.startswith(stable) else 0
            stable = new
            clip.shown.append((at, spent, f'{ended} {shown.text}'.strip(),
                               f'{ended} {stable}'.strip()))
        for span in over:
            final = read_again(reader, second, Draft(
                text='', confidence=0.0, start_ns=span.start_ns, end_ns=span.end_ns))
            ended, stable = f'{ended} {final.text}'.strip(), ''
            spent = time.perf_counter() - began
            clip.finals.append((at, spent, final.text))
            clip.shown.append((at, spent, ended, ended))
    return clip


def _text_at(clip: ShownClip, seconds: float) -> str:
    """Return what is on the screen at a time, computing counted."""
    seen = [text for at, spent, text, _ in clip.shown if at + spent <= seconds]
    return seen[-1] if seen else ''


def count_wrong(clip: ShownClip) -> tuple[int, int]:
    """
    Return how many words were not on the screen a second after they were spoken, of how many.

    A word is right where the best alignment of all that was said so far with all that is shown
    has it; words too many in what is shown a second after the last count as well.
    """
    import jiwer
    words, wrong = clip.reference.split(), 0
    for place, end in enumerate(clip.ends):
        said, seen = ' '.join(words[:place + 1]), normalise(_text_at(clip, end + AFTER_S))
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


def make_clip(second: Any, item: HeldOutClip, samples: np.ndarray) -> ShownClip | None:
    """Return a clip with its reference and where its words end; None where there are none."""
    read = second.transcribe(samples)
    placed = [(word, at.end_s) for at in read.words for word in normalise(at.written).split()]
    text = normalise(item.text) if item.text else ' '.join(word for word, _ in placed)
    words = text.split()
    if not words or not placed:
        return None
    # Where a text has other words than were read, in proportion to their places in it.
    ends = [float(end) for end in np.interp(np.linspace(0, 1, len(words)),
                                            np.linspace(0, 1, len(placed)),
                                            [end for _, end in placed])]
    return ShownClip(group=item.group, reference=text, ends=ends, whole=read.text,
                     seconds=len(samples) / SAMPLE_RATE_HZ)


def figures(clips: Sequence[ShownClip]) -> dict[str, Any]:
    """Return what of the words of some clips was on the screen when."""
    wrong = [count_wrong(clip) for clip in clips]
    final = [count_errors(clip.reference, ' '.join(text for *_, text in clip.finals))
             for clip in clips]
    whole = [count_errors(clip.reference, clip.whole) for clip in clips]
    first = [(clip.shown[0][0] - clip.ends[0], clip.shown[0][1]) for clip in clips if clip.shown]
    last = [(clip.finals[-1][0] - clip.ends[-1], clip.finals[-1][1]) for clip in clips
            if clip.finals]
    readings = [spent for clip in clips for _, spent, *_ in clip.shown]
    return {
        'clips': len(clips), 'words': sum(words for _, words in wrong),
        'wer_shown_after_1_s': quotients(*zip(*wrong, strict=True)),
        'wer_final': quotients(*zip(*final, strict=True)),
        'wer_whole': quotients(*zip(*whole, strict=True)),
        'first_word_s': percentiles([at for at, _ in first]),
        'first_word_with_computing_s': percentiles([at + spent for at, spent in first]),
        'final_s': percentiles([at for at, _ in last]),
        'final_with_computing_s': percentiles([at + spent for at, spent in last]),
        'reading_s': percentiles(readings),
        'stable_taken_back': sum(clip.taken_back for clip in clips),
        'stable_changed_by_final': sum(_count_changed(clip) for clip in clips),
        'finals_per_clip': float(np.mean([len(clip.finals) for clip in clips]))}


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


def measure_words(second: Any, items: Sequence[HeldOutClip], most: int,
                  folder: Path | None = None) -> dict[str, Any]:
    """Return the figures by kind of clip, and how much is written where nobody speaks."""
    kinds: dict[str, list[ShownClip]] = {}
    quiet_s, quiet_texts = 0.0, list[str]()
    settings = TranscriptConfig(second_pass='whisper')
    for item in items:
        kind = item.label if item.label.startswith('speech_') else 'nobody speaks'
        if len(kinds.setdefault(kind, [])) >= most:
            continue
        samples = load(item.path)
        if kind == 'nobody speaks':
            clip = ShownClip(item.group, '', [], '', len(samples) / SAMPLE_RATE_HZ)
            kinds[kind].append(hear_words(second, samples, clip, settings))
            quiet_s += clip.seconds
            quiet_texts += [f'{item.name}: {text}' for *_, text in clip.finals if text]
            continue
        spoken = make_clip(second, item, samples)
        if spoken is not None:
            kinds[kind].append(hear_words(second, samples, spoken, settings))
    nobody = kinds.pop('nobody speaks', [])
    return {'kinds': {kind: figures(clips) for kind, clips in kinds.items() if clips},
            'nobody_speaks': {'clips': len(nobody), 'minutes': quiet_s / 60,
                              'finals': len(quiet_texts), 'texts': quiet_texts,
                              'shown': sum(any(text for _, _, text, _ in clip.shown)
                                           for clip in nobody)}}


def print_words(measured: dict[str, Any]) -> None:
    """Print the table of words while they are spoken."""
    report.print_table('Words while they are spoken', [
        'speech', 'clips', 'words', 'wrong 1 s after', 'final', 'whole clip', 'first word p50 s',
        'with computing', 'final p50 s', 'p95', 'with computing p50', 'p95', 'reading p50 s',
        'p95', 'stable taken back', 'changed by final', 'finals per clip'],
        [(kind, row['clips'], row['words'], row['wer_shown_after_1_s'], row['wer_final'],
          row['wer_whole'], row['first_word_s']['p50'],
          row['first_word_with_computing_s']['p50'], row['final_s']['p50'], row['final_s']['p95'],
          row['final_with_computing_s']['p50'], row['final_with_computing_s']['p95'],
          row['reading_s']['p50'], row['reading_s']['p95'], row['stable_taken_back'],
          row['stable_changed_by_final'], row['finals_per_clip'])
         for kind, row in measured['kinds'].items()])
    quiet = measured['nobody_speaks']
    print(f'where nobody speaks: {quiet["finals"]} finals with text and {quiet["shown"]} clips '
          f'with words shown in {quiet["minutes"]:.1f} minutes ({quiet["clips"]} clips)')
