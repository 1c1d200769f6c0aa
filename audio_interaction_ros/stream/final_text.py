"""
Which text of an utterance becomes final: what was streamed, what was read again, or none.

Owns when a reading is worth more than what the streaming model wrote, for transcripts and for
what is to be translated; without ROS and in the nodes the same. Knows neither audio nor who asks.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass, replace

from audio_interaction_ros.protocol import TRANSLATION_TARGETS
from audio_interaction_ros.runtimes.base import MOST_COMPRESSION, Recognition, Transcriber
from audio_interaction_ros.stream.span_reader import SURE_LOG_PROB, SpanReader, SpanReading
from audio_interaction_ros.stream.spoken_word import SpokenWord
from audio_interaction_ros.stream.text_lane import RecognisedSpeech

__all__ = ['Draft', 'FinalText', 'agreement', 'choose_final', 'nobody', 'read_again',
           'read_for_translation', 'why_doubtful', 'write_english']

SURE = 0.6
"""A streamed text as sure as this stands against a reading that says nobody spoke."""
ALIKE = 0.5
"""A streamed text that has so many words in common with a reading takes away all doubt."""
MUCH_DOUBT_LOG_PROB = -1.5
DOUBT_LOG_PROB, DOUBT_NO_SPEECH = SURE_LOG_PROB, 0.5
MOST_WORDS_PER_S = 8.0


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a lane wrote of an utterance as it heard it."""

    text: str
    confidence: float
    start_ns: int
    end_ns: int


@dataclass(frozen=True, kw_only=True)
class FinalText:
    """The last word on an utterance."""

    text: str
    """Empty: nobody said anything."""
    language: str
    """BCP-47 code; empty when unknown."""
    source: str
    """second_pass or streamed: whose word it is."""
    confidence: float
    """How sure that one was of its words, 0 to 1; NaN where there are none."""
    start_ns: int
    end_ns: int
    words: tuple[SpokenWord, ...] = ()
    """Those of the text; none where it was streamed."""


_REMARK = re.compile(r'^\([^()]*\)$')
"""What a model writes of speech of which it knows no words: "(Chinese)"."""
_WITHOUT_SPACES = r'[\u3040-\u30ff\u3400-\u9fff]'


def split_words(text: str) -> list[str]:
    """Return words without case and punctuation; of Chinese and Japanese, the characters."""
    return re.findall(rf"{_WITHOUT_SPACES}|(?:(?!{_WITHOUT_SPACES})[^\W_]|')+", text.lower())


def words_per_s(text: str, seconds: float) -> float:
    """Return how fast a text was said; two characters of Chinese or Japanese are a word."""
    characters = len(re.findall(_WITHOUT_SPACES, text))
    return (len(split_words(text)) - characters / 2) / max(1.0, seconds)


def agreement(one: str, other: str) -> float:
    """Return the share of the words of the longer text that both have; 0 without any."""
    a, b = Counter(split_words(one)), Counter(split_words(other))
    longer = max(sum(a.values()), sum(b.values()))
    return sum((a & b).values()) / longer if longer else 0.0


def why_doubtful(read: Recognition, seconds: float) -> str:
    """Return why what was read in some seconds of speech is not to be believed; '' if it is."""
    if not split_words(read.text):
        return 'no words'
    if read.mean_log_prob < MUCH_DOUBT_LOG_PROB:
        return 'guessed'
    if read.no_speech > DOUBT_NO_SPEECH and read.mean_log_prob < DOUBT_LOG_PROB:
        return 'no speech'
    if read.broken:
        return 'broken'
    if read.compression_ratio > MOST_COMPRESSION or read.loops and read.confidence < SURE:
        return 'in circles'
    if words_per_s(read.text, seconds) > MOST_WORDS_PER_S:
        return 'too fast'
    return ''


def choose_final(draft: Draft, reading: SpanReading | None) -> FinalText:
    """
    Choose between what was streamed and what was read; None: nobody could read it.

    A reading in doubt counts where the streamed text agrees with it. Where it does not, a
    streamed text that is sure of itself stays, and else nobody said anything. In doubt is also
    what is unsure and in a language that nobody here speaks: of a noise Whisper writes a word or
    two of any.
    """
    if reading is None:
        return FinalText(text=draft.text, language='', source='streamed',
                         confidence=draft.confidence, start_ns=draft.start_ns, end_ns=draft.end_ns)
    start_ns, end_ns = _locate(draft, reading)
    read = reading.recognition
    doubted = why_doubtful(read, (end_ns - start_ns) / 1e9) or (
        reading.strange and read.mean_log_prob < DOUBT_LOG_PROB)
    if not doubted or agreement(draft.text, reading.text) >= ALIKE:
        return FinalText(text=reading.text, language=reading.language, source='second_pass',
                         confidence=read.confidence, start_ns=start_ns, end_ns=end_ns,
                         words=reading.words)
    if split_words(_REMARK.sub('', draft.text)) and draft.confidence >= SURE:
        return FinalText(text=draft.text, language='', source='streamed',
                         confidence=draft.confidence, start_ns=start_ns, end_ns=end_ns)
    return nobody(replace(draft, start_ns=start_ns, end_ns=end_ns))


def nobody(draft: Draft) -> FinalText:
    """Return the last word on a draft of which nobody said anything that is not final already."""
    return FinalText(text='', language='', source='second_pass', confidence=math.nan,
                     start_ns=draft.start_ns, end_ns=draft.end_ns)


def _locate(draft: Draft, reading: SpanReading) -> tuple[int, int]:
    """Return where the utterance was: in the audio where somebody looked, else as guessed."""
    if reading.speech_ns is None:
        return draft.start_ns, draft.end_ns
    return min(reading.speech_ns[0], draft.end_ns), min(reading.speech_ns[1], draft.end_ns)


def read_again(reader: SpanReader, transcriber: Transcriber, draft: Draft) -> FinalText:
    """Return what becomes of a transcript. Raises what the transcriber raises."""
    return choose_final(draft, reader.read(transcriber, draft.start_ns, draft.end_ns))


def read_for_translation(reader: SpanReader, transcriber: Transcriber,
                         draft: Draft) -> RecognisedSpeech:
    """
    Return what was said, to be translated. Raises what the transcriber raises.

    A streamed translation shares no words with the speech, so only its confidence speaks for it.
    """
    reading = reader.read(transcriber, draft.start_ns, draft.end_ns,
                          languages=tuple(TRANSLATION_TARGETS))
    final = choose_final(draft, reading)
    if reading is None or final.source == 'streamed':
        return RecognisedSpeech(start_ns=final.start_ns, end_ns=final.end_ns)
    if not final.text:
        return RecognisedSpeech(nobody=True, start_ns=final.start_ns, end_ns=final.end_ns)
    return RecognisedSpeech(text=final.text, language=final.language, english=reading.in_english(),
                            confidence=final.confidence, start_ns=final.start_ns,
                            end_ns=final.end_ns)


def write_english(reader: SpanReader, transcriber: Transcriber, language: str, start_ns: int,
                  end_ns: int) -> str:
    """
    Return the English of speech in a language, as the transcriber writes it of the audio.

    Empty where it does not, or the audio is gone. Raises what the transcriber raises.
    """
    reading = reader.read(transcriber, start_ns, end_ns, languages=(language,))
    return (reading.in_english() or '') if reading is not None else ''
