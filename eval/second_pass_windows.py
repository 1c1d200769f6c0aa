"""
How much silence the second pass has to hear after the speech: word errors and processor time.

Owns one part of ``python -m eval second_pass``.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from audio_interaction_ros.runtimes.base import Transcriber
from eval.second_pass_streams import SPEECH_DBFS, make_plain_stream
from held_out.clips import HeldOutClip
from measure import report
from measure.word_errors import UnderstoodUtterance, word_error_rate

__all__ = ['measure_windows']


def measure_windows(clips: Sequence[HeldOutClip], seconds: Sequence[float],
                    precisions: Sequence[str], threads: int) -> dict[str, Any]:
    """Return word errors and processor seconds of a reading by how much silence it hears."""
    from audio_interaction_ros.runtimes.registry import load_transcriber
    return {f'{after_s:g}, {precision}': _read_all(clips, load_transcriber(
        threads=threads, after_s=after_s, precision=precision), f'{after_s:g} s, {precision}')
        for precision in precisions for after_s in seconds}


def _read_all(clips: Sequence[HeldOutClip], reader: Transcriber, name: str) -> dict[str, Any]:
    rows: list[UnderstoodUtterance] = []
    took: list[float] = []
    with report.progress_bar() as bar:
        for clip in bar.track(clips, description=name):
            stream = make_plain_stream(clip, SPEECH_DBFS)
            began = time.process_time()
            text = reader.transcribe(stream).text
            took.append(time.process_time() - began)
            rows.append(UnderstoodUtterance(clip.text, text, clip.group))
    return {'wer': word_error_rate(rows), 'processor_s': {
        'median': float(np.median(took)), 'mean': float(np.mean(took))}}
