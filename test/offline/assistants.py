"""Assistants on a scripted model, who reads for them, and audio for them to hear."""

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.config import (
    AssistantConfig,
    LaneConfig,
    TranscriptConfig,
    TranslationConfig,
)
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.runtimes.base import Recognition
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)

SCRIPT = {0: {4: (Emotion.NORMAL, 'good morning')}, 1: {6: (Emotion.URGENT, 'Glass breaking.')}}
LANES = (LaneConfig(name='transcript', kind='transcript'),
         LaneConfig(name='assistant', alerts=True))
BOTH = (LANES[0], LaneConfig(name='translation', kind='translation'))


class Reader:
    """A second pass that tells how much it was given."""

    def transcribe(self, samples, languages=()):
        """Return the number of samples."""
        return Recognition(text=f'{len(samples)} samples', language='en')


def assistant(second_pass=None):
    config = AssistantConfig(lanes=LANES, transcript=TranscriptConfig(
        second_pass='whisper' if second_pass else 'none'))
    return Assistant(config=config, encoder=ScriptedEncoder(),
                     decoder=ScriptedDecoder(script=SCRIPT), tokenizer=ScriptedTokenizer(),
                     second_pass=second_pass)


def noise(seconds=4.0, rate=16_000):
    rng = np.random.default_rng(1)
    return (0.1 * rng.standard_normal(round(seconds * rate))).astype(np.float32)


def blocks(samples, size, rate=16_000):
    for start in range(0, len(samples), size):
        yield AudioBlock(samples=samples[start:start + size], sample_rate_hz=rate, stamp_ns=None)


def told(said):
    """Return what is said, or raise it."""
    if isinstance(said, Exception):
        raise said
    return said


class Whisper:
    """A second pass that says what it is told, or raises it."""

    def __init__(self, text='早上好', language='zh', english=' Morning! '):
        self.text, self.language, self.english, self.asked = text, language, english, []

    def transcribe(self, samples, languages=()):
        self.asked.append((len(samples), tuple(languages)))
        return Recognition(text=told(self.text), language=self.language,
                           write_english=self._translate)

    def _translate(self):
        self.asked.append('English')
        return told(self.english)


def translating(whisper, script, *, transcripts=False, to_english='whisper'):
    return Assistant(
        config=AssistantConfig(lanes=BOTH, translation=TranslationConfig(to_english=to_english)),
        encoder=ScriptedEncoder(), tokenizer=ScriptedTokenizer(),
        decoder=ScriptedDecoder(script=script, translations={
            '早上好': 'Good morning.', 'Good morning.': '早上好。'}),
        second_pass=whisper if transcripts else None, translation_second_pass=whisper)


def heard(one, kind):
    return [event for event in one.listen(blocks(noise(), 1_600)) if isinstance(event, kind)]
