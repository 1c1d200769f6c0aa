"""
``python -m eval translation --profiles FILE ...``: translations of whole assistants, side by side.

Owns the run: the same spoken sentences are played, one at a time and each to an assistant that
heard nothing before, as each parameter file configures it. What stands on the screen before the
end of the speech, what becomes final and how late that is, is compared; who translates, a lane or
a thread that follows the words, is the file's choice. Computing is counted as in
``eval.live_stream``: one thing after the other.
"""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.parameter_file import load_configuration
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.stream.events import FinalTranslation, PartialTranslation, ReplyText
from eval.live_stream import CLOCKS, PlayedAssistant, TimedEvent
from held_out.clips import find_sounding, load
from held_out.spoken_sentences import Sentence
from measure import report
from measure.bleu import compare, score
from measure.intervals import percentiles

__all__ = ['TranslatedStream', 'figures', 'measure_profiles', 'note_events']

LEAD_S = 0.6


@dataclass
class TranslatedStream(Sentence):
    """A sentence, and what one assistant showed of its translation; seconds from its end."""

    finals: list[tuple[float, float, str, str]] = field(default_factory=list)
    """When without computing, seconds of computing, name of the utterance, text."""
    shown: list[tuple[float, float, str, str, str]] = field(default_factory=list)
    """The same of what was shown before, and what of the text is stable."""
    read: list[str] = field(default_factory=list)
    """What was read, of each final."""
    busy_s: float = 0.0
    seconds: float = 0.0


def note_events(sentence: TranslatedStream, events: Iterable[TimedEvent], end_s: float,
                lanes: Sequence[str]) -> None:
    """
    Write down what an assistant said of the translation of a sentence that ends at a second.

    ``lanes`` are the names of the lanes that translate as they hear.
    """
    for one in events:
        event, at = one.event, one.at - end_s
        if isinstance(event, FinalTranslation):
            sentence.finals.append((at, one.spent, event.reply_id, event.text))
            sentence.read.append(event.source_text)
        elif isinstance(event, PartialTranslation):
            sentence.shown.append((at, one.spent, event.utterance_id, event.text,
                                   event.text[:event.stable_length]))
        elif isinstance(event, ReplyText) and event.lane in lanes:
            sentence.shown.append((at, one.spent, event.reply_id, event.text, ''))


def _join(sentence: Sentence, texts: Iterable[str]) -> str:
    between = '' if sentence.direction == 'en-zh' else ' '
    return between.join(text.strip() for text in texts).strip()


def _final_of(sentence: TranslatedStream) -> str:
    return _join(sentence, [text for *_, text in sentence.finals])


def figures(sentences: Sequence[TranslatedStream]) -> dict[str, Any]:
    """Return what one assistant made of sentences of one direction."""
    finals = [_final_of(sentence) for sentence in sentences]
    last = [sentence.finals[-1][:2] for sentence in sentences if sentence.finals]
    drafts = [sentence.shown[-1][3] if sentence.shown else '' for sentence in sentences]
    before = [next((at + spent for at, spent, *_ in sentence.shown), None)
              for sentence in sentences]
    return {
        'sentences': len(sentences), 'final': score(sentences, finals),
        'draft': score(sentences, drafts),
        'without_any': sum(not text for text in finals),
        'finals_per_sentence': float(np.mean([len(one.finals) for one in sentences])),
        'final_s': percentiles([at for at, _ in last]),
        'final_with_computing_s': percentiles([at + spent for at, spent in last]),
        'shown_before_the_end': sum(at is not None and at < 0 for at in before),
        'first_shown_s': percentiles([at for at in before if at is not None]),
        'taken_back': sum(_count_taken_back(one) for one in sentences),
        'processor_s_per_s': sum(one.busy_s for one in sentences) / sum(
            one.seconds for one in sentences)}


def _count_taken_back(sentence: TranslatedStream) -> int:
    """Return how often an utterance went on, or ended, without what was stable of it."""
    texts: dict[str, list[str]] = {}
    for *_, name, _, stable in sentence.shown:
        texts.setdefault(name, []).append(stable)
    for *_, name, text in sentence.finals:
        texts.setdefault(name, []).append(text)
    return sum(not later.startswith(stable) for one in texts.values()
               for stable, later in pairwise(one))


class _Profile:
    """One parameter file with its model loaded, once."""

    def __init__(self, path: Path, options: argparse.Namespace) -> None:
        config = load_configuration(path)
        config = replace(config, model=replace(config.model, threads=options.threads))
        self.name = path.stem
        self._lanes = [lane.name for lane in config.lanes if lane.kind == 'translation']
        self._make, self._clock = Assistant.maker(config), CLOCKS[options.clock]

    def hear(self, sentence: Sentence) -> TranslatedStream:
        """Return what a new assistant makes of a sentence."""
        samples = load(sentence.path)
        heard = TranslatedStream(**{key: value for key, value in vars(sentence).items()
                                    if key in Sentence.__dataclass_fields__})
        played = PlayedAssistant(self._make(), clock=self._clock)
        lead = np.zeros(round(LEAD_S * SAMPLE_RATE_HZ), np.float32)
        end_s = LEAD_S + find_sounding(samples)[1] / SAMPLE_RATE_HZ
        note_events(heard, played.play(np.concatenate([lead, samples])), end_s, self._lanes)
        heard.busy_s, heard.seconds = played.busy_s, LEAD_S + len(samples) / SAMPLE_RATE_HZ
        return heard


def measure_profiles(options: argparse.Namespace, out: Path,
                     by_direction: Mapping[str, Sequence[Sentence]]) -> int:
    """Measure all profiles on all sentences; return 0. The model is loaded once for each."""
    rows: dict[str, dict[str, Any]] = {}
    first: dict[str, list[str]] = {}
    said: list[dict[str, Any]] = []
    for path in options.profiles:
        profile = _Profile(path, options)
        for direction, sentences in by_direction.items():
            heard = [profile.hear(sentence) for sentence in report.track(
                f'{profile.name}: {direction}', sentences)]
            finals = [_final_of(sentence) for sentence in heard]
            rows.setdefault(direction, {})[profile.name] = {
                **figures(heard), 'above_first': compare(
                    heard, finals, first[direction]) if direction in first else {}}
            first.setdefault(direction, finals)
            said += [{'profile': profile.name, **report.to_json(one)} for one in heard]
        (out / 'profiles.jsonl').write_text(''.join(
            json.dumps(row, ensure_ascii=False) + '\n' for row in said), encoding='utf-8')
    path = report.write(out, 'translation_by_profile', options, {'directions': rows})
    print_profiles(rows)
    print(f'written to {path}; what was said and translated: {out / "profiles.jsonl"}')
    return 0


def print_profiles(rows: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Print the table."""
    report.print_table(
        'Translation by profile; seconds after the end of speech',
        ['', 'profile', 'n', 'BLEU final', 'chrF final', 'BLEU draft', 'chrF draft', 'none'],
        [(direction, name, row['sentences'], row['final']['BLEU'], row['final']['chrF'],
          row['draft']['BLEU'], row['draft']['chrF'], row['without_any'])
         for direction, of in rows.items() for name, row in of.items()])
    report.print_table(
        'Finals above those of the first profile, in pairs', ['', 'profile', 'BLEU', 'chrF'],
        [(direction, name, *row['above_first'].values())
         for direction, of in rows.items() for name, row in of.items() if row['above_first']])
    report.print_table(
        'When', ['', 'profile', 'final p50', 'p95', 'computing too', 'p95', 'shown before the end',
                 'first shown p50', 'taken back', 'processor s/s'],
        [(direction, name, row['final_s']['p50'], row['final_s']['p95'],
          row['final_with_computing_s']['p50'], row['final_with_computing_s']['p95'],
          row['shown_before_the_end'], row['first_shown_s'].get('p50'), row['taken_back'],
          row['processor_s_per_s'])
         for direction, of in rows.items() for name, row in of.items()])
