"""
Words for real speech that came without any, or with words that nobody checked.

Owns which clips are read, when Whisper's reading is good enough to be learnt from, and the file of
labels; knows no scene and no training. Whisper base reads as ``measure.whisper`` sets it up (the
project's pinned files, faster-whisper, int8). Only clips of the licence group ``free`` are read.

    python -m train.edge.label --data DATA --out labels.jsonl

Each clip becomes one line with Whisper's reading and the verdict on it. A clip without text gets
the reading as its text when Whisper was confident, and when the slots that its makers annotated
("light roast") are in it; a slot that was misheard a little ("light rose") is put right. A clip
with the prompt that its speaker was given keeps the prompt when Whisper heard about the same. All
others are ``doubtful``: their ``text`` is empty, and training leaves them out. A killed run goes
on where it stopped; verdicts on what was read before are passed anew, so that a changed limit
needs no second reading.
"""

import argparse
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from audio_interaction_ros.errors import AudioFormatError, AudioInteractionError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import MOST_COMPRESSION
from audio_interaction_ros.whole_file import write_whole
from measure.word_errors import count_errors
from train.speech.style import to_spoken

__all__ = ['LONGEST_S', 'Label', 'LabelError', 'WhisperReading', 'read_labels', 'judge_reading',
           'wants_label']

LEAST_LOG_PROBABILITY = -0.6
"""Mean over the tokens of the clip. Whisper gives up at -1.0; what it writes between -1.0 and
-0.6 is where it replaces rare words by frequent ones."""
MOST_NO_SPEECH = 0.6
"""Whisper's own limit for calling 30 s silent; here it counts however sure the words are."""
MOST_PROMPT_WER = 0.34
"""Of Whisper against the prompt: about what base errs itself on accented numbers and addresses. A
speaker who said something else is far above."""
LEAST_LIKENESS = 0.6
"""Letters in common (0 to 1) between a slot and what was heard in its place, to be its mishearing:
"dark rose" for "dark roast" has 0.84, "marker" for "mocha" 0.36."""
FRAME = {'a', 'an', 'and', 'brew', 'can', 'could', 'get', 'give', 'have', 'i', "i'd", 'in', 'it',
         'like', 'make', 'may', 'me', 'of', 'please', 'pour', 'some', 'the', 'want', 'with'}
"""What may stand in an order besides its slots; another word ("sweetener love") was misheard."""
MISHEARD = {'brue': 'brew', 'brow': 'brew', 'bruce': 'brew', 'oz': 'ounce'}
"""What base wrote of words of the drink orders that are no slots, found by reading its words that
occur once or twice; nobody orders a brow."""

LONGEST_S = 11.0
"""A longer clip is never learnt from, so nobody reads it."""

Words = Callable[[np.ndarray], 'WhisperReading']


class LabelError(AudioInteractionError, ValueError):
    """A file of labels or a manifest is not as expected; whoever made it must change it."""


@dataclass(frozen=True, kw_only=True)
class WhisperReading:
    """What Whisper wrote of one clip, and how sure it was."""

    heard: str
    log_probability: float
    """Mean over all tokens, natural logarithm; 0 is certain."""
    no_speech: float
    """The highest of its segments, 0 to 1."""
    compression: float


@dataclass(frozen=True, kw_only=True)
class Label:
    """What one clip says; ``text`` is empty exactly when training has to leave the clip out."""

    path: str
    """As in the manifest: relative to the data folder."""
    text: str
    origin: str
    """whisper-base | prompt; in the file the field is called ``from``."""
    doubtful: bool
    why: str
    """Why it is doubtful, else empty."""
    confidence: float
    """Mean probability per token, 0 to 1."""
    heard: str


def wants_label(row: dict[str, Any]) -> bool:
    """Tell whether a line of the manifest is free English speech without a checked text."""
    label = row.get('label', '')
    return (row.get('licence_group') == 'free' and row.get('lang') == 'en'
            and label.startswith('speech_') and label != 'speech_nonverbal'
            and row['seconds'] <= LONGEST_S
            and (not row.get('text') or 'not checked' in row.get('text_note', '')))


def to_sentence(text: str) -> str:
    """Return a text as transcripts are written: with a capital and a full stop."""
    text = ' '.join(text.split())
    return text[:1].upper() + text[1:] + ('' if text[-1:] in tuple('.?!') else '.')


def _capitalise_like(word: str, like: str) -> str:
    return word.capitalize() if like[0].isupper() else word


def mend_slots(row: dict[str, Any], heard: str) -> tuple[str, list[str]]:
    """Return a reading with misheard slots put right, and the slots that are still missing."""
    text = re.sub('|'.join(rf'\b{word}\b' for word in MISHEARD), lambda found: _capitalise_like(
        MISHEARD[found[0].lower()], found[0]), to_spoken(heard, 'en').text, flags=re.IGNORECASE)
    missing = []
    for slot in sorted((value.strip() for value in row.get('slots', {}).values()), key=len):
        words = list(re.finditer(r"[A-Za-z']+", text))
        spans = [words[at:at + size] for size in range(1, len(slot.split()) + 2)
                 for at in range(len(words) - size + 1)]
        scored = [(SequenceMatcher(None, slot, ' '.join(w[0].lower() for w in span)).ratio(), span)
                  for span in spans]
        likeness, span = max(scored, key=lambda pair: pair[0], default=(0.0, []))
        if likeness < LEAST_LIKENESS:
            missing.append(slot)
        elif likeness < 1.0:
            text = text[:span[0].start()] + slot + text[span[-1].end():]
    return re.sub(r'\b([Aa]) (?=[aeiou])', r'\1n ', text), missing


def find_strange_words(row: dict[str, Any], text: str) -> list[str]:
    """Return the words of an order that are neither in its slots nor in FRAME."""
    known = FRAME.union(*(value.split() for value in row.get('slots', {}).values()))
    words = re.findall(r"[a-z']+", text.lower())
    return [word for word in words if row.get('slots') and word not in known]


def readings_of(row: dict[str, Any]) -> list[str]:
    """
    Return what a speaker may have said on seeing a prompt.

    A name to be spelled is also said as a name, or said first and then spelled; a number that
    began with zero lost it in the list of prompts.
    """
    text = row['text'].strip()
    if 'spelled' in row:
        return [text, row['spelled'], f'{row["spelled"]}, {text}']
    return [text, f'zero {text}'] if 'digits' in row else [text]


def error_rate(text: str, heard: str) -> float:
    """Return the word error rate, digit by digit and letter by letter; 1.0 where no word is."""
    wrong, words = count_errors(text, heard)
    return wrong / words if words else 1.0


def judge_reading(row: dict[str, Any], reading: WhisperReading) -> Label:
    """Say what a clip (its line of the manifest) is taken to say."""
    if row.get('text'):
        wrong, text = min((error_rate(said, reading.heard), said) for said in readings_of(row))
        why = f'not the prompt (WER {wrong:.2f})' if wrong > MOST_PROMPT_WER else ''
    else:
        text, missing = mend_slots(row, reading.heard)
        why = (_why_not(reading) or ', '.join(f'without {slot}' for slot in missing)
               or ', '.join(f'strange: {word}' for word in find_strange_words(row, text)))
    return Label(path=row['path'], text='' if why else to_sentence(text), doubtful=bool(why),
                 why=why,
                 origin='prompt' if row.get('text') else 'whisper-base',
                 confidence=round(math.exp(reading.log_probability), 4), heard=reading.heard)


def _why_not(reading: WhisperReading) -> str:
    if not re.search(r'\w', reading.heard) or reading.no_speech > MOST_NO_SPEECH:
        return f'no speech ({reading.no_speech:.2f})'
    if reading.log_probability < LEAST_LOG_PROBABILITY:
        return f'unsure ({reading.log_probability:.2f})'
    if reading.compression > MOST_COMPRESSION:
        return f'repeats itself ({reading.compression:.1f})'
    return ''


def read_labels(path: str | Path) -> dict[str, Label]:
    """Return the labels of a file by the path of the clip; LabelError when it cannot be read."""
    return {label.path: label for label, _ in _read_lines(Path(path))}


def _read_lines(path: Path) -> Iterator[tuple[Label, WhisperReading]]:
    content = path.read_bytes()
    whole = content[:content.rfind(b'\n') + 1]  # what a killed run left of a line is read again
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            row = json.loads(line)
            reading = WhisperReading(heard=row['heard'], **row.pop('reading'))
            yield Label(origin=row.pop('from'), **row), reading
        except (ValueError, KeyError, TypeError) as error:
            raise LabelError(f'{path} line {number}: expected a label as this module writes it, '
                             f'got {line[:80]!r}; delete the line or the file') from error


def _format_line(label: Label, reading: WhisperReading) -> str:
    row = {('from' if name == 'origin' else name): value for name, value in asdict(label).items()}
    numbers = {name: round(value, 4) for name, value in asdict(reading).items() if name != 'heard'}
    return json.dumps({**row, 'reading': numbers}, ensure_ascii=False) + '\n'


def load_whisper(threads: int) -> Words:
    """Return what reads samples [n] float32 at 16 kHz: beam of 5, no sampling."""
    from faster_whisper import WhisperModel

    from measure.whisper import ensure_converted
    model = WhisperModel(str(ensure_converted()), device='cpu', compute_type='int8',
                         cpu_threads=threads)

    def read(samples: np.ndarray) -> WhisperReading:
        parts = list(model.transcribe(samples, language='en', beam_size=5, temperature=0.0)[0])
        tokens = [max(1, len(part.tokens)) for part in parts]
        mean = (sum(n * part.avg_logprob for n, part in zip(tokens, parts, strict=True))
                / max(1, sum(tokens)))
        return WhisperReading(heard=' '.join(part.text.strip() for part in parts),
                              log_probability=mean if parts else -10.0,
                              no_speech=max((part.no_speech_prob for part in parts), default=1.0),
                              compression=max((part.compression_ratio for part in parts),
                                              default=0.0))
    return read


def label(data: Path, out: Path, read: Words) -> Iterator[Label]:
    """Yield the label of every wanted clip, those of an earlier run first; write each at once."""
    text = (data / 'manifest.jsonl').read_text(encoding='utf-8')
    rows = {row['path']: row for row in map(json.loads, text.splitlines()) if wants_label(row)}
    known = {old.path: reading for old, reading in _read_lines(out)} if out.exists() else {}
    write_whole(out, ''.join(
        _format_line(judge_reading(row, known[path]), known[path])
        for path, row in rows.items() if path in known).encode())
    yield from (judge_reading(row, known[path]) for path, row in rows.items() if path in known)
    with out.open('a', encoding='utf-8') as lines:
        for path, row in rows.items():
            if path not in known:
                samples, rate = soundfile.read(data / path, dtype='float32')
                if rate != SAMPLE_RATE_HZ:
                    raise AudioFormatError(f'{path}: expected {SAMPLE_RATE_HZ} Hz, got {rate}; '
                                           'whoever made the folder must resample it')
                reading = read(samples)
                lines.write(_format_line(said := judge_reading(row, reading), reading))
                lines.flush()
                yield said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--data', type=Path, required=True, help='folder with manifest.jsonl')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--threads', type=int, default=1)
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    for number, said in enumerate(label(arguments.data, arguments.out,
                                        load_whisper(arguments.threads)), start=1):
        counts[f'{said.origin} {"doubtful" if said.doubtful else "kept"}'] += 1
        if number % 25 == 0:
            print(number, said.path, said.text or f'- {said.why}', flush=True)
    print(', '.join(f'{name}: {count}' for name, count in sorted(counts.items())))


if __name__ == '__main__':
    main()
