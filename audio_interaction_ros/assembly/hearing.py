"""The listening side: from blocks of audio to encoded chunks, without the robot's own voice."""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.audio.echo import EchoCanceller, EchoProcessor
from audio_interaction_ros.audio.frontend import FrontEnd
from audio_interaction_ros.audio.mel import StreamingMel
from audio_interaction_ros.audio.speex import SpeexEcho
from audio_interaction_ros.audio.webrtc import WebRtcEcho
from audio_interaction_ros.config import AssistantConfig, AudioConfig
from audio_interaction_ros.errors import AudioInteractionError, ConfigurationError
from audio_interaction_ros.runtimes.base import Encoder, SoundHead
from audio_interaction_ros.stream.listening import ListeningPipeline
from audio_interaction_ros.stream.quiet import QuietRoom
from audio_interaction_ros.stream.sound_scores import SoundScorer, TaughtSound
from audio_interaction_ros.taught.folder import list_sounds, sounds_folder

__all__ = ['build_canceller', 'build_pipeline', 'make_echo_processor']

_LOG = logging.getLogger(__name__)


def build_pipeline(config: AssistantConfig, encoder: Encoder, sounds: SoundHead | None = None,
                   taught: Sequence[TaughtSound] | None = None,
                   canceller: EchoCanceller | None = None,
                   on_part: Callable[[AudioChunk], object] = lambda _: None,
                   **options: Any) -> ListeningPipeline:
    """
    Return the listening side for an encoder, with the mel that it was trained with.

    ``sounds`` tells sounds apart; without it only taught sounds are. ``taught`` are those that the
    user taught; None: those in the user's folder that this model can hear. ``canceller`` takes
    the robot's own voice out. ``on_part`` is told each part of a chunk before that is whole.
    """
    select, size = config.audio.channel_select, encoder.spec.chunk_size
    if taught is None:
        taught = _find_taught(encoder, () if sounds is None else sounds.classes)
    return ListeningPipeline(
        frontend=FrontEnd(channel_select=None if select < 0 else select,
                          gap_tolerance_ms=config.audio.gap_tolerance_ms, canceller=canceller,
                          chunk_size=size, on_part=on_part),
        mel=StreamingMel(bins=encoder.spec.mel_bins, decay_per_s=encoder.spec.mel_decay_per_s,
                         maximum_floor=encoder.spec.mel_maximum_floor,
                         magnitudes=encoder.spec.magnitudes, chunk_size=size),
        encoder=encoder,
        quiet=QuietRoom(below_dbfs=config.audio.quiet_below_dbfs, chunk_size=size),
        scorer=SoundScorer(sounds, taught), **options)


def build_canceller(settings: AudioConfig) -> EchoCanceller | None:
    """Return what takes the robot's own voice out; None where nothing is to."""
    if settings.echo == 'none':
        return None
    return EchoCanceller(make_echo_processor(settings.echo), lead_s=settings.echo_lead_ms / 1000)


def make_echo_processor(name: str) -> EchoProcessor:
    """Return webrtc or speex; raises MissingDependencyError where its package is not there."""
    return WebRtcEcho() if name == 'webrtc' else SpeexEcho()


def _find_taught(encoder: Encoder, known: Collection[str]) -> list[TaughtSound]:
    """
    Return the taught sounds that this encoder can hear.

    The others are named in the log, and in the diagnostics of the decoder node: one that was
    taught to another model must not keep a robot from hearing all else.
    """
    spec, found = encoder.spec, list[TaughtSound]()
    for path, sound in list_sounds(sounds_folder()) if spec.embedding_width else ():
        try:
            if isinstance(sound, str):
                raise ConfigurationError(sound)
            sound.check_model(spec.model_id, spec.embedding_width)
            if sound.name in known:
                raise ConfigurationError(f'{path}: expected a name that the model does not give '
                                         f'to a sound, found {sound.name!r}; teach it as another')
            found.append(sound)
        except AudioInteractionError as error:
            _LOG.error('a taught sound is not listened for: %s', error)
    return found
