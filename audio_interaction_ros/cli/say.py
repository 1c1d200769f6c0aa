"""`audio-interaction say`: a text aloud, or into a file."""

import argparse
import threading
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.config import SPEECH_ENGINES, SpeechConfig
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.speech.loudspeaker import open_loudspeaker
from audio_interaction_ros.speech.playback import Playback, PlayedBlock
from audio_interaction_ros.speech.voice import Voice, load_voice

__all__ = ['add_parser']

_FILE_RATE_HZ = 24_000


def add_parser(commands: Any) -> None:
    """Add the command to the parser of the program."""
    parser = commands.add_parser('say', help='say a text aloud, or write it to a file')
    parser.add_argument('text', help='what to say')
    parser.add_argument('--engine', default=SpeechConfig.engines, metavar='NAMES',
                        help=f'out of {", ".join(SPEECH_ENGINES)}, with commas; the first that '
                             f'speaks the language (default: %(default)s)')
    parser.add_argument('--language', default='', help='en or zh; by default that of the letters')
    parser.add_argument('--out', type=Path, help='write this WAV file instead')
    parser.add_argument('--device', default='', help='loudspeaker: part of its name or its index')
    parser.add_argument('--speed', type=float, default=1.0, help='2: twice as fast')
    for name, text in (('voice-en', 'English voice'), ('voice-zh', 'Chinese voice'),
                       ('piper-en', 'English Piper voice, a path'),
                       ('piper-zh', 'Chinese Piper voice, a path'),
                       ('kokoro-model', 'ONNX file of Kokoro-82M'),
                       ('kokoro-voices', 'its file of voices')):
        parser.add_argument(f'--{name}', default='', help=text)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    voice = load_voice(SpeechConfig(
        engines=options.engine, speed=options.speed, voice_en=options.voice_en,
        voice_zh=options.voice_zh, piper_en=options.piper_en, piper_zh=options.piper_zh,
        kokoro_model=options.kokoro_model, kokoro_voices=options.kokoro_voices))
    if options.out is not None:
        _write(voice, options)
    else:
        _play(voice, options)
    return 0


def _write(voice: Voice, options: argparse.Namespace) -> None:
    import soundfile
    playback = Playback(rate_hz=_FILE_RATE_HZ)
    playback.begin(1)
    for samples, share in voice.speak(options.text, options.language, rate_hz=_FILE_RATE_HZ):
        playback.put(1, samples, share)
    playback.finish(1)
    blocks = []
    while playback.number:
        blocks.append(playback.take(_FILE_RATE_HZ // 50).samples)
    try:
        soundfile.write(options.out, np.concatenate(blocks), _FILE_RATE_HZ)
    except (OSError, RuntimeError, TypeError) as error:
        raise AudioFormatError(f'--out: expected a file that can be written, such as speech.wav, '
                               f'got {options.out} ({error}); choose another') from error


def _play(voice: Voice, options: argparse.Namespace) -> None:
    speaker = open_loudspeaker(options.device)
    playback, over = Playback(rate_hz=speaker.rate_hz), threading.Event()

    def note(block: PlayedBlock, delay_s: float) -> None:
        if block.over:
            threading.Timer(delay_s + 0.1, over.set).start()  # until it is heard
    playback.begin(1)
    try:
        speaker.start(playback, note)
        for samples, share in voice.speak(options.text, options.language,
                                          rate_hz=speaker.rate_hz):
            playback.put(1, samples, share)
        playback.finish(1)
        while not over.wait(0.5) and speaker.is_alive:
            pass
    finally:
        speaker.close()
