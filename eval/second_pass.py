"""
``python -m eval second_pass``: where it begins to read, what it makes up, and what its gate costs.

Hears held-out speech (``second_pass_streams``), and sounds in which nobody speaks. Needs no
streaming model: the draft of each utterance is empty, so that nothing but the second pass itself
speaks for a text. Leaves ``second_pass.json`` and a cache of readings.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.audio.speech_span import speech_span
from audio_interaction_ros.protocol import CHUNK_NS, CHUNK_SAMPLES
from audio_interaction_ros.runtimes.base import Recognition
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.final_text import Draft, choose_final
from audio_interaction_ros.stream.onset import OnsetGuess
from audio_interaction_ros.stream.span_reader import SpanReading
from eval.second_pass_streams import CONDITIONS, make_plain_stream, make_stream
from eval.second_pass_windows import measure_windows
from eval.speech_clips import LONGEST_S
from held_out.clips import RATE, HeldOutClip, MaterialError, load, read_held_out
from held_out.splits import chance_of
from measure import report
from measure.kept_lines import keep_rows
from measure.word_errors import UnderstoodUtterance, word_error_rate

__all__ = ['add_arguments', 'run']

ONSET_DB = -22.0
"""Softer is the room before the speaker, in which nothing begins."""
MOST_SOUND_S = 6.0
BEDS = ('background_cafe', 'background_ceiling_fan', 'background_heavy_rain',
        'background_inside_a_train', 'background_office', 'background_restaurant')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    parser.add_argument('--clips', type=int, default=60, metavar='N',
                        help='how many clips of speech')
    parser.add_argument('--after', type=float, nargs='*', default=[30.0, 4.0], metavar='S',
                        help='silence that is heard after the speech, to compare (default 30 4)')
    parser.add_argument('--precision', nargs='*', default=['int8'], choices=('fp32', 'int8'),
                        help='of the weights, for that comparison (default int8)')
    parser.add_argument('--parts', nargs='*', default=[*PARTS], choices=[*PARTS],
                        help='what to measure (default all)')
    parser.add_argument('--levels', type=float, nargs='*', default=[-20.0, -60.0],
                        help='levels of speech at which words are counted, dBFS')


def _guess_onset(stream: np.ndarray) -> float:
    """Return where the lane, which knows levels only, puts the beginning; seconds."""
    onset = OnsetGuess()
    for place, piece in enumerate(stream.reshape(-1, CHUNK_SAMPLES)):
        chunk = AudioChunk(samples=piece, stamp_ns=place * CHUNK_NS, lost_samples_before=0)
        onset.push(EncodedChunk(
            features=np.zeros((1, 1), np.float32), stamp_ns=chunk.stamp_ns, epoch=1, seq=place,
            model_id='', rms_dbfs=chunk.rms_dbfs))
    return onset.take_onset(len(stream) // CHUNK_SAMPLES * CHUNK_NS) / 1e9


def _find_onset(stream: np.ndarray, start: float, voice: Any) -> float:
    """Return where voice activity puts it, from the guess on; the guess where nobody speaks."""
    from audio_interaction_ros.model.voice_activity import HOP
    part = stream[round(start * RATE):]
    level = np.float32(0.5 / max(float(np.abs(part).max()), 1e-6))
    span = speech_span(voice(part * level), HOP / RATE)
    return start if span is None else start + span[0]


def measure_onsets(clips: Sequence[HeldOutClip],
                   beds: Sequence[HeldOutClip]) -> dict[str, dict[str, list[float]]]:
    """Return for each condition by how many ms each beginning is off; negative: too early."""
    from audio_interaction_ros.checkpoints.voice_activity import load_voice_activity
    voice, errors = load_voice_activity(), {}
    for name, condition in CONDITIONS.items():
        if condition[1] == 'real' and not beds:
            continue
        off = defaultdict(list)
        for clip in clips:
            stream, begins = make_stream(load(clip.path), clip.name, condition, beds,
                                         below_db=ONSET_DB)
            guess = _guess_onset(stream)
            off['lane'].append(1_000 * (guess - begins))
            off['second pass'].append(1_000 * (_find_onset(stream, guess, voice) - begins))
        errors[name] = {who: np.percentile(values, [5, 50, 95]).tolist()
                        for who, values in off.items()}
    return errors


class Readings:
    """What Whisper read of pieces of audio, all of it and where somebody speaks, kept."""

    def __init__(self, cache: Path) -> None:
        self._known = keep_rows(cache)
        self._models: dict[bool, Any] = {}

    def has(self, name: str, *, find_speech: bool) -> bool:
        """Tell whether this was read before."""
        return f'{name} {find_speech}' in self._known

    def read(self, name: str, samples: np.ndarray | Callable[[], np.ndarray], *,
             find_speech: bool) -> Recognition:
        """Return what was read in samples [n], or in those that a function makes, or before."""
        row = dict(self._known.find(f'{name} {find_speech}', lambda: self._transcribe(
            samples() if callable(samples) else samples, find_speech)))
        span = row.pop('span_s')
        return Recognition(span_s=None if span is None else (span[0], span[1]), **row)

    def _transcribe(self, samples: np.ndarray, find_speech: bool) -> dict[str, Any]:
        if find_speech not in self._models:
            from audio_interaction_ros.runtimes.registry import load_transcriber
            self._models[find_speech] = load_transcriber(find_speech=find_speech)
        read = replace(self._models[find_speech].transcribe(samples), write_english=None, words=())
        return {key: value for key, value in asdict(read).items()
                if key not in ('write_english', 'words')}

    def final_text(self, name: str, samples: np.ndarray) -> str:
        """Return the text that becomes final where nothing was streamed."""
        read = self.read(name, samples, find_speech=True)
        end_ns = round(len(samples) / RATE * 1e9)
        span = read.span_s and (round(read.span_s[0] * 1e9), round(read.span_s[1] * 1e9))
        return choose_final(Draft(text='', confidence=0.0, start_ns=0, end_ns=end_ns), SpanReading(
            start_ns=0, end_ns=end_ns, recognition=read, any_language=True,
            speech_ns=span)).text


def _pick_sounds(items: Sequence[HeldOutClip], limit: int) -> Iterator[HeldOutClip]:
    """Yield sounds in which nobody speaks, one of each label after the other."""
    by_label: dict[str, list[HeldOutClip]] = defaultdict(list)
    for item in items:
        if not item.label.startswith('speech') and not item.generated:
            by_label[item.label].append(item)
    labels = sorted(by_label, key=lambda label: chance_of(label))
    yield from [by_label[label][0] for label in labels][:limit or None]


def _pick_speech(items: Sequence[HeldOutClip], limit: int) -> list[HeldOutClip]:
    """Return real English speech, as many of each kind."""
    kinds: dict[str, list[HeldOutClip]] = defaultdict(list)
    for item in items:
        if (item.label.startswith('speech_') and item.text and not item.generated
                and item.language in ('en', '') and 0.3 < item.seconds <= LONGEST_S):
            kinds[item.label].append(item)
    turns = [item for turn in range(max(map(len, kinds.values()), default=0))
             for kind in sorted(kinds) for item in kinds[kind][turn:turn + 1]]
    return turns[:limit]


def count_made_up(sounds: Sequence[HeldOutClip], readings: Readings) -> dict[str, Any]:
    """Return how many sounds get a text, without and with the gate, and which still do."""
    ungated, gated = [], {}
    with report.progress_bar() as bar:
        for item in bar.track(sounds, description='sounds'):
            samples = load(item.path)[:round(MOST_SOUND_S * RATE)]
            if readings.read(item.name, samples, find_speech=False).text:
                ungated.append(item.name)
            if text := readings.final_text(item.name, samples):
                gated[item.name] = text
    return {'sounds': len(sounds), 'texts_without_gate': len(ungated), 'texts': len(gated),
            'which': gated}


def measure_cost(clips: Sequence[HeldOutClip], levels: Sequence[float],
                 readings: Readings) -> dict[str, Any]:
    """Return word errors at each level, without and with the gate."""
    costs: dict[str, Any] = {}
    for level in levels:
        rows: dict[str, list[UnderstoodUtterance]] = defaultdict(list)
        with report.progress_bar() as bar:
            for clip in bar.track(clips, description=f'{level:g} dBFS'):
                stream = make_plain_stream(clip, level)
                key = f'{clip.name} at {level:g}'
                for who, text in (
                        ('without gate', readings.read(key, stream, find_speech=False).text),
                        ('with gate', readings.final_text(key, stream))):
                    rows[who].append(UnderstoodUtterance(clip.text, text, clip.group))
        costs[f'{level:g} dBFS'] = {
            'clips': len(clips), 'without a text': sum(
                not utterance.hypothesis for utterance in rows['with gate']),
            **{who: word_error_rate(utterances) for who, utterances in rows.items()}}
    return costs


@dataclass(frozen=True, kw_only=True)
class _Material:
    # What the parts measure with.
    options: argparse.Namespace
    clips: Sequence[HeldOutClip]
    beds: Sequence[HeldOutClip]
    sounds: Sequence[HeldOutClip]
    readings: Readings


def _report_onsets(material: _Material) -> dict[str, Any]:
    figures = measure_onsets(material.clips, material.beds)
    report.print_table('Where an utterance begins: ms off, 5th, 50th and 95th percentile; '
                       'negative is too early',
                       ['stream', 'lane p5', 'p50', 'p95', 'second pass p5', 'p50', 'p95'],
                       [(name, *row['lane'], *row['second pass'])
                        for name, row in figures.items()])
    return figures


def _report_windows(material: _Material) -> dict[str, Any]:
    options = material.options
    figures = measure_windows(material.clips, options.after, options.precision, options.threads)
    report.print_table('Silence heard after the speech',
                       ['s', 'word error rate', 'CPU s, median', 'mean'],
                       [(name, row['wer'], f'{row["processor_s"]["median"]:.2f}',
                         f'{row["processor_s"]["mean"]:.2f}') for name, row in figures.items()])
    return figures


def _report_made_up(material: _Material) -> dict[str, Any]:
    figures = count_made_up(material.sounds, material.readings)
    report.print_table('Texts of sounds in which nobody speaks',
                       ['sounds', 'without gate', 'with gate'],
                       [(figures['sounds'], figures['texts_without_gate'], figures['texts'])])
    return figures


def _report_word_errors(material: _Material) -> dict[str, Any]:
    figures = measure_cost(material.clips, material.options.levels, material.readings)
    report.print_table('Word error rate',
                       ['speech', 'clips', 'without gate', 'with gate', 'no text'],
                       [(name, row['clips'], row['without gate'], row['with gate'],
                         row['without a text']) for name, row in figures.items()])
    return figures


PARTS = {'start_ms': _report_onsets, 'windows': _report_windows, 'made_up': _report_made_up,
         'word_errors': _report_word_errors}


def run(options: argparse.Namespace) -> int:
    """Measure; return 0."""
    import torch
    torch.set_num_threads(options.threads)
    out = report.make_folder(options, 'second_pass')
    material = _read_material(options, out)
    figures = {name: PARTS[name](material) for name in options.parts}
    print(f'written to {report.write(out, "second_pass", options, figures)}')
    return 0


def _read_material(options: argparse.Namespace, out: Path) -> _Material:
    items = read_held_out(options.data)
    clips = _pick_speech(items, min(options.clips, options.limit or options.clips))
    if not clips:
        raise MaterialError('expected held-out speech with text, found none; add speech_* rows '
                            'with text to the manifest')
    return _Material(options=options, clips=clips,
                     beds=[item for item in items if item.label in BEDS],
                     sounds=list(_pick_sounds(items, options.limit)),
                     readings=Readings(out / 'readings.jsonl'))
