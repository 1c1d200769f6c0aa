"""`audio-interaction teach NAME CLIP…`: a class of its own for the sound of one device."""

import argparse
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from audio_interaction_ros.assembly import build_pipeline, load_model
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.cli.calibrate import describe_bound
from audio_interaction_ros.cli.numbers import above_zero
from audio_interaction_ros.cli.recording import open_recording, open_recordings, print_notice
from audio_interaction_ros.cli.sounds import hear_blocks, make_configuration, tell_minutes
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioFormatError, ConfigurationError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import Encoder, Encoding, Runtime
from audio_interaction_ros.taught.fit import Background, Lesson, learn, whiten
from audio_interaction_ros.taught.folder import (
    add_sound,
    export_sound,
    import_sound,
    list_sounds,
    remove_sound,
    sounds_folder,
)
from audio_interaction_ros.taught.head import TaughtSound, make_name
from audio_interaction_ros.taught.recordings import (
    Bed,
    Embed,
    hear_recording,
    read_chunks,
    read_samples,
)
from audio_interaction_ros.terminal import print_result

__all__ = ['add_parser', 'make_embedder', 'teach']

Hear = Callable[[Iterable[np.ndarray]], Iterator[np.ndarray]]
"""An embedding [width] of each chunk of samples that come in pieces [n] of a stream."""
LEAST_CLIPS, MOST_CLIPS = 3, 10
LEAST_RECALL = 0.5
"""Where less than half of the recordings that were left out are heard, nothing is stored."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        'teach', help='teach a sound of this home from three to ten recordings',
        description='Needs recordings of one device, and a recording of the place in which it is '
                    'not heard. The sound is then a class like any other. Its file lies in '
                    '~/.audio_interaction/sounds (AUDIO_INTERACTION_SOUNDS names another folder) '
                    'and holds no audio.')
    parser.add_argument('name', nargs='?', help='what the sound is called: "our doorbell"')
    parser.add_argument('clips', nargs='*', metavar='CLIP', help='one recording of it each')
    parser.add_argument('--background', type=Path, metavar='BAG|FOLDER|FILE',
                        help='the place without the sound: ten minutes or more')
    parser.add_argument('--rate', type=above_zero, default=1.0,
                        help='false alarms per hour (default: %(default)s)')
    parser.add_argument('--force', action='store_true',
                        help='store also what cannot be told from the background')
    for option, text, metavar in (
            ('--remove', 'forget a sound', 'NAME'),
            ('--import', 'take a sound from a file of another robot', 'FILE')):
        parser.add_argument(option, help=text, metavar=metavar, dest=option[2:] + '_')
    parser.add_argument('--export', nargs=2, metavar=('NAME', 'FILE'), dest='export_',
                        help='copy a sound to a file for another robot')
    parser.add_argument('--list', action='store_true', dest='list_', help='list what was taught')
    parser.add_argument('--config', type=Path,
                        help='YAML file of an assistant (default: config/edge.yaml)')
    parser.add_argument('--model', help='folder of a model (default: the one of --config)')
    parser.add_argument('--topic', default='', help='audio topic, where a bag has several')
    parser.set_defaults(run=_run, profile=None)


def _run(options: argparse.Namespace) -> int:
    folder = sounds_folder()
    if options.list_:
        for line in _describe_all(folder):
            print(line)
    elif options.remove_:
        print(f'removed {remove_sound(folder, options.remove_)}')
    elif options.export_:
        title, target = options.export_
        print(f'exported to {export_sound(folder, title, Path(target))}')
    elif options.import_:
        spec = load_model(make_configuration(options).model, halves=('encoder',)).encoder.spec
        sound = import_sound(folder, Path(options.import_), model_id=spec.model_id,
                             width=spec.embedding_width)
        print(f'imported {sound.title!r} as {sound.name}')
    else:
        return _teach(options, folder)
    return 0


def _describe_all(folder: Path) -> Iterator[str]:
    found = list_sounds(folder)
    if not found:
        yield f'no sound was taught ({folder})'
    for path, sound in found:
        if isinstance(sound, str):
            yield f'{path.name}: {sound}'
        else:
            yield (f'{sound.name:<24} {sound.title!r}, from {sound.made.get("clips", "?")} '
                   f'recordings, recall {sound.made.get("recall", "?")}, '
                   f'{sound.made.get("when", "")}')


def _teach(options: argparse.Namespace, folder: Path) -> int:
    _check(options)
    name = make_name(options.name)
    clips = [_read(path, open_recording(path, options.topic)) for path in options.clips]
    room = open_recordings(options.background, options.topic)
    config = make_configuration(options)
    print_notice(f'loading the model {config.model.path}')
    runtime = load_model(config.model, halves=('encoder',))
    _check_name(name, runtime)
    hear, bed = _make_hearer(config, runtime.encoder), Bed()
    background = _hear_background(room, hear, bed)
    sound, lesson = teach(options.name, clips, whiten(background), bed.samples,
                          _embed_with(hear), runtime.encoder, options.rate)
    print_result(_describe(lesson, len(clips)))
    print_result(describe_bound(lesson.false_alarms, lesson.hours, options.rate))
    if lesson.recall < LEAST_RECALL and not options.force:
        raise ConfigurationError(
            f'{options.name!r} cannot be told from the background: expected {LEAST_RECALL:g} of '
            f'the recordings that were left out to be heard, {lesson.recall:.2f} were; nothing is '
            'stored. Record it nearer and longer, look whether it sounds in the background, or '
            'give --force')
    if lesson.as_recorded <= LEAST_RECALL and not options.force:
        raise ConfigurationError(
            f'{options.name!r} cannot be told from the background: it is heard when it is made '
            f'louder, but of the recordings as loud as they are {lesson.as_recorded:.2f} were '
            f'heard, expected more than {LEAST_RECALL:g}; nothing is stored. The background '
            'sounds like it: record the place without it, or give --force')
    print(f'stored in {add_sound(folder, sound)}; it is the class {name} from the next start on')
    return 0


def _check(options: argparse.Namespace) -> None:
    if not options.name or not LEAST_CLIPS <= len(options.clips) <= MOST_CLIPS:
        raise ConfigurationError(
            f'expected a name and {LEAST_CLIPS} to {MOST_CLIPS} recordings of the sound, got '
            f'{repr(options.name) if options.name else "no name"} and {len(options.clips)}; add '
            'what is missing: teach "our doorbell" bell_1.wav bell_2.wav bell_3.wav --background '
            'home.wav')
    if options.background is None:
        raise ConfigurationError('expected --background, a recording of the place without the '
                                 'sound, got none; record ten minutes')


def _check_name(name: str, runtime: Runtime) -> None:
    if runtime.sounds is not None and name in runtime.sounds.classes:
        raise ConfigurationError(f'expected a name of its own, the model has a class {name}; '
                                 'choose another name')
    if not runtime.encoder.spec.embedding_width:
        raise ConfigurationError('expected a model with embeddings of sounds, this one has none; '
                                 'use the edge model')


def _read(path: str | Path, blocks: Iterator[AudioBlock]) -> np.ndarray:
    samples = read_samples(blocks)
    if not len(samples):
        raise _explain_empty(path)
    return samples


def _explain_empty(path: str | Path) -> AudioFormatError:
    return AudioFormatError(f'{path}: expected a recording, found no samples; name another')


def _hear_background(room: Iterable[tuple[Path, Iterable[AudioBlock]]], hear: Hear, bed: Bed
                     ) -> np.ndarray:
    """
    Return embeddings [chunks, width] float16 of recordings, one after the other; ``bed`` keeps
    some of the samples.

    They lie in a file without a name, for those of a day are gigabytes, and go with the array.
    """
    with _make_spool() as file:
        for embedding in tell_minutes(hear(_read_all(room, bed))):
            with _explain_no_room():
                file.write(embedding.astype(np.float16).tobytes())
        return np.memmap(file, np.float16, 'r').reshape(-1, len(embedding))


def _make_spool() -> IO[bytes]:
    with _explain_no_room():
        return tempfile.TemporaryFile(buffering=0)


@contextmanager
def _explain_no_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            'expected room among the temporary files for what is heard of the background, 0.1 GB '
            f'an hour, found none ({error}); free some, or name another folder in TMPDIR'
        ) from error


def _read_all(room: Iterable[tuple[Path, Iterable[AudioBlock]]], bed: Bed
              ) -> Iterator[np.ndarray]:
    for path, blocks in room:
        empty = True
        for chunk in bed.keep(read_chunks(blocks)):
            empty = False
            yield chunk
        if empty:
            raise _explain_empty(path)


class _Tap:
    """An encoder that remembers what it embedded."""

    def __init__(self, encoder: Encoder) -> None:
        self.spec, self._encoder = encoder.spec, encoder
        self.heard = deque[np.ndarray]()

    def encode(self, mel: np.ndarray) -> Encoding:
        """Encode a chunk."""
        encoding = self._encoder.encode(mel)
        self.heard.append(encoding.embedding)
        return encoding

    def skip(self, mel: np.ndarray) -> None:
        """Let a chunk be."""
        self._encoder.skip(mel)

    def reset(self) -> None:
        """Forget all left context."""
        self._encoder.reset()


def make_embedder(config: AssistantConfig, encoder: Encoder) -> Embed:
    """Return what makes embeddings of samples as the pipeline would hear them."""
    return _embed_with(_make_hearer(config, encoder))


def _embed_with(hear: Hear) -> Embed:
    return lambda samples: np.stack([*hear(
        samples[start:start + SAMPLE_RATE_HZ]
        for start in range(0, len(samples), SAMPLE_RATE_HZ))])


def _make_hearer(config: AssistantConfig, encoder: Encoder) -> Hear:
    # No chunk is passed over for being quiet, so that each has its embedding.
    config = replace(config, audio=replace(config.audio, quiet_below_dbfs=-200.0))
    tap = _Tap(encoder)
    pipeline = build_pipeline(config, tap, taught=())

    def hear(pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        tap.heard.clear()
        pipeline.reset(epoch=1)
        for _ in hear_blocks(pipeline, _stamp(pieces)):
            yield tap.heard.popleft()
        assert not tap.heard, 'each embedding has its chunk'
    return hear


def _stamp(pieces: Iterable[np.ndarray]) -> Iterator[AudioBlock]:
    start = 0
    for samples in pieces:
        yield AudioBlock(samples=samples, sample_rate_hz=SAMPLE_RATE_HZ,
                         stamp_ns=start * 1_000_000_000 // SAMPLE_RATE_HZ)
        start += len(samples)


def teach(title: str, clips: list[np.ndarray], room: Background, bed: np.ndarray, embed: Embed,
          encoder: Encoder, rate: float) -> tuple[TaughtSound, Lesson]:
    """
    Return the sound of recordings [n] each, and how well it is told from the background.

    ``bed`` [n] is of that background what they are mixed into.
    """
    recordings = [hear_recording(clip, bed, embed, seed)
                  for seed, clip in enumerate(clips)]
    lesson = learn(recordings, room, rate)
    made = {'when': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()), 'clips': len(clips),
            'recall': round(lesson.recall, 3), 'as_recorded': round(lesson.as_recorded, 3),
            'background_hours': round(lesson.hours, 3),
            'false_alarms': lesson.false_alarms, 'rate': rate}
    return TaughtSound(
        name=make_name(title), title=title, model_id=encoder.spec.model_id, basis=room.basis,
        offset=room.offset, direction=lesson.direction, middle=lesson.middle,
        slope=lesson.slope, made=made), lesson


def _describe(lesson: Lesson, clips: int) -> str:
    return (f'each of {clips} recordings was left out once and heard in {lesson.trials // clips} '
            f'surroundings: {lesson.recall:.0%} of {lesson.trials} were heard; as loud as they '
            f'were recorded: {lesson.as_recorded:.0%} of {clips}; '
            f'{lesson.false_alarms} false alarms in {lesson.hours * 60:.1f} minutes of background')

