"""The models that a configuration names, loaded: the one that listens, who reads, who answers."""

import logging
from collections.abc import Collection
from typing import Any

from audio_interaction_ros.config import AssistantConfig, ModelConfig, split_list
from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.runtimes.base import HALVES, Runtime, TextModel, Transcriber
from audio_interaction_ros.runtimes.reader_pair import pair_readers
from audio_interaction_ros.runtimes.registry import (
    load_runtime,
    load_text_model,
    load_transcriber,
    load_turn_judge,
)
from audio_interaction_ros.stream.pause_judge import TurnJudge

__all__ = ['load_judge', 'load_model', 'load_reader', 'load_reply_model', 'spoken_language']

_LOG = logging.getLogger(__name__)


def load_model(model: ModelConfig, *, halves: Collection[str] = HALVES) -> Runtime:
    """Load the model that a configuration names, or one half of it."""
    return load_runtime(model.path, runtime=model.runtime, device=model.device,
                        threads=model.threads, dtype=model.dtype,
                        rope_index_dtype=model.rope_index_dtype, halves=halves)


def load_reader(config: AssistantConfig, *, threads: int) -> Transcriber:
    """
    Load who reads words, as a configuration names it, and who reads them while they are spoken.

    Raises what runtimes.registry.load_transcriber raises.
    """
    said = config.transcript
    options: dict[str, Any] = {
        'threads': threads, 'language': spoken_language(config)}
    if said.hot_words:
        options['hot_words'] = split_list(said.hot_words)
    reader = load_transcriber(said.reader, **options)
    if said.partials_reader in ('', said.reader) or not said.partial_ms:
        return reader
    return pair_readers(reader, load_transcriber(said.partials_reader, **options))


def load_judge(config: AssistantConfig) -> TurnJudge | None:
    """
    Load what hears whether a voice is through, for ``transcript.end: smart``; None for others.

    Where it cannot be had the log says so, and silence alone ends utterances.
    """
    if config.transcript.end != 'smart' or not config.transcript.partial_ms:
        return None
    try:
        judge: TurnJudge = load_turn_judge(threads=max(1, config.model.threads - 1))
    except AudioInteractionError as error:
        _LOG.error('transcript.end smart: %s; silence alone ends utterances', error)
        return None
    return judge


def load_reply_model(config: AssistantConfig) -> TextModel | None:
    """Load the text model that a configuration names; None where it names none."""
    if not config.reply.names_text_model:
        return None
    return load_text_model(config.reply.model, threads=config.model.threads,
                           dtype=config.reply.dtype)


def spoken_language(config: AssistantConfig) -> str:
    """Return the language of what is said as the second pass takes it: empty for any."""
    return '' if config.transcript.language == 'auto' else config.transcript.language
