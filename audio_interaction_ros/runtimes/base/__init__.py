"""
What a backend must offer: an encoder for one chunk, a decoder for one step, a second reading.

Owns the vocabulary between streaming and backends. Knows numpy only; a backend brings its own
framework. Arrays that a backend returns are owned by the caller and never written again. Whoever
needs a name takes it from here.
"""

from audio_interaction_ros.runtimes.base.halves import (
    HALVES,
    Decoder,
    DecoderSpec,
    Encoder,
    EncoderSpec,
    Encoding,
    NotLoaded,
    Runtime,
    SoundHead,
)
from audio_interaction_ros.runtimes.base.readers import (
    ClosingReader,
    ContinuingReader,
    StreamReader,
    Transcriber,
    VoiceListener,
    WindowReader,
    WordStream,
)
from audio_interaction_ros.runtimes.base.readings import (
    MOST_COMPRESSION,
    ReadWord,
    Recognition,
    WindowReading,
)
from audio_interaction_ros.runtimes.base.steps import Allowed, StepRequest, StepResult
from audio_interaction_ros.runtimes.base.texts import ChatTokenizer, TextModel, TextNet, Tokenizer

__all__ = ['Allowed', 'ChatTokenizer', 'ClosingReader', 'ContinuingReader', 'Decoder',
           'DecoderSpec', 'Encoder', 'EncoderSpec', 'Encoding', 'HALVES', 'MOST_COMPRESSION',
           'NotLoaded', 'ReadWord', 'Recognition', 'Runtime', 'SoundHead', 'StepRequest',
           'StepResult', 'StreamReader', 'TextModel', 'TextNet', 'Tokenizer', 'Transcriber',
           'VoiceListener', 'WindowReader', 'WindowReading', 'WordStream']
