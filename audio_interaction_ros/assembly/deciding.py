"""The deciding side: a session of lanes over a decoder."""

from collections.abc import Iterable

from audio_interaction_ros.assembly.alerts import build_detector
from audio_interaction_ros.config import AssistantConfig, LaneConfig, resolve_lanes
from audio_interaction_ros.runtimes.base import Decoder, Runtime, Tokenizer
from audio_interaction_ros.stream.session import Session

__all__ = ['build_session', 'resolve_for']


def build_session(config: AssistantConfig, lanes: tuple[LaneConfig, ...], *, decoder: Decoder,
                  tokenizer: Tokenizer, translates: bool) -> Session:
    """
    Return the deciding side for a decoder and resolved lanes.

    ``translates``: a second pass of translations will ask for texts to be translated. Raises
    ConfigurationError for lanes that do not fit.
    """
    config.check_translation()
    return Session(decoder=decoder, tokenizer=tokenizer, lanes=lanes, fifo=config.fifo,
                   slots=min(config.model.slots, decoder.spec.max_positions),
                   translate_text=translates, sounds=build_detector(config.alerts))


def resolve_for(runtime: Runtime, lanes: Iterable[LaneConfig]) -> tuple[LaneConfig, ...]:
    """Return lanes with what they leave to the model filled in."""
    return resolve_lanes(lanes, runtime.config.lanes)
