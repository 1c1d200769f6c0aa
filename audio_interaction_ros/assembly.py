"""
The parts of an assistant as its configuration wants them: the one place that builds each.

Used by the assistant without ROS, by both nodes and by whoever measures them, so that all hear and
decide alike. Knows neither threads nor topics.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from audio_interaction_ros.alerts.policy import AlertPolicy
from audio_interaction_ros.alerts.rules import AlertRules, load_rules
from audio_interaction_ros.alerts.settings import AlertSettings
from audio_interaction_ros.alerts.thresholds import read_thresholds
from audio_interaction_ros.audio.echo import EchoCanceller, EchoProcessor
from audio_interaction_ros.audio.frontend import FrontEnd
from audio_interaction_ros.audio.mel import StreamingMel
from audio_interaction_ros.audio.speex import SpeexEcho
from audio_interaction_ros.audio.webrtc import WebRtcEcho
from audio_interaction_ros.config import (
    AlertsConfig,
    AssistantConfig,
    AudioConfig,
    LaneConfig,
    ModelConfig,
    resolve_lanes,
    split_list,
)
from audio_interaction_ros.dialogue.chat import Chat
from audio_interaction_ros.dialogue.interpreter import Interpreter
from audio_interaction_ros.dialogue.lane_interpreter import SLOTS, LaneInterpreter
from audio_interaction_ros.dialogue.talker import Talker
from audio_interaction_ros.dialogue.text_writer import TextWriter
from audio_interaction_ros.dialogue.word_interpreter import WordInterpreter
from audio_interaction_ros.errors import AudioInteractionError, ConfigurationError
from audio_interaction_ros.intents.address import Address
from audio_interaction_ros.intents.answers import Answers
from audio_interaction_ros.intents.barge_in import BargeIn
from audio_interaction_ros.intents.intents_file import IntentsFile, join_files, read_intents
from audio_interaction_ros.intents.matching import IntentMatcher
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.runtimes.base import (
    HALVES,
    Decoder,
    Encoder,
    Runtime,
    SoundHead,
    TextModel,
    Tokenizer,
    Transcriber,
)
from audio_interaction_ros.runtimes.reader_pair import pair_readers
from audio_interaction_ros.runtimes.registry import (
    load_runtime,
    load_text_model,
    load_transcriber,
    load_turn_judge,
)
from audio_interaction_ros.stream.listening import ListeningPipeline
from audio_interaction_ros.stream.live_words import LiveWords
from audio_interaction_ros.stream.pause_judge import PauseJudge, TurnJudge
from audio_interaction_ros.stream.quiet import QuietRoom
from audio_interaction_ros.stream.session import Session
from audio_interaction_ros.stream.sound_events import SoundDetector, SoundRule
from audio_interaction_ros.stream.sound_scores import SoundScorer, TaughtSound
from audio_interaction_ros.stream.span_reader import SpanReader
from audio_interaction_ros.stream.turn_end import TurnEnd
from audio_interaction_ros.taught.folder import list_sounds, sounds_folder

__all__ = ['build_answers', 'build_canceller', 'build_detector', 'build_live_words',
           'build_matcher', 'build_pipeline', 'build_policy', 'build_reader', 'build_session',
           'build_talker', 'build_word_interpreter', 'load_judge', 'load_model', 'load_reader',
           'load_reply_model', 'make_echo_processor', 'make_policy_settings', 'read_rules',
           'read_sound_rules', 'resolve_for', 'spoken_language']

_LOG = logging.getLogger(__name__)


def load_model(model: ModelConfig, *, halves: Collection[str] = HALVES) -> Runtime:
    """Load the model that a configuration names, or one half of it."""
    return load_runtime(model.path, runtime=model.runtime, device=model.device,
                        threads=model.threads, dtype=model.dtype,
                        rope_index_dtype=model.rope_index_dtype, halves=halves)


def load_reply_model(config: AssistantConfig) -> TextModel | None:
    """Load the text model that a configuration names; None where it names none."""
    if not config.reply.model:
        return None
    return load_text_model(config.reply.model, threads=config.model.threads,
                           dtype=config.reply.dtype)


def build_talker(config: AssistantConfig, model: TextModel) -> Talker:
    """Return what answers with a text model; its first words are read here."""
    said = config.reply
    chat = Chat(TextWriter(model), prompt=said.prompt, most_turns=said.history,
                most_tokens=said.max_tokens)
    chat.warm_up()
    return Talker(chat)


def build_word_interpreter(config: AssistantConfig, model: TextModel | None, *, decoder: Any,
                           tokenizer: Tokenizer, lanes: Mapping[str, Any]
                           ) -> WordInterpreter | None:
    """
    Return what translates words as they are read; None where lanes translate.

    ``model`` is the text model, ``lanes`` what the model that listens says of its lanes, the one
    that translates among them. Raises ConfigurationError where nobody can translate so.
    """
    if config.translation.source == 'lane':
        return None
    if config.translation.source == 'reply_model' and model is not None:
        return WordInterpreter(Interpreter(TextWriter(model)))
    if not hasattr(decoder, 'open_text_net') or 'translation' not in lanes:
        raise ConfigurationError(
            'translation.source: expected a model on the runtime onnx that was taught to '
            'translate, for it shall translate words, found another; set it to lane and let a '
            'lane translate (config/edge_lanes.yaml)')
    return WordInterpreter(LaneInterpreter(
        decoder.open_text_net(SLOTS), tokenizer, ids=decoder.spec.token_ids,
        prompt=lanes['translation'].prompt))


def resolve_for(runtime: Runtime, lanes: Iterable[LaneConfig]) -> tuple[LaneConfig, ...]:
    """Return lanes with what they leave to the model filled in."""
    return resolve_lanes(lanes, runtime.config.lanes)


def build_pipeline(config: AssistantConfig, encoder: Encoder, sounds: SoundHead | None = None,
                   taught: Sequence[TaughtSound] | None = None,
                   canceller: EchoCanceller | None = None, **options: Any) -> ListeningPipeline:
    """
    Return the listening side for an encoder, with the mel that it was trained with.

    ``sounds`` tells sounds apart; without it only taught sounds are. ``taught`` are those that the
    user taught; None: those in the user's folder that this model can hear. ``canceller`` takes
    the robot's own voice out.
    """
    select, size = config.audio.channel_select, encoder.spec.chunk_size
    if taught is None:
        taught = _find_taught(encoder, () if sounds is None else sounds.classes)
    return ListeningPipeline(
        frontend=FrontEnd(channel_select=None if select < 0 else select,
                          gap_tolerance_ms=config.audio.gap_tolerance_ms, canceller=canceller,
                          chunk_size=size),
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


def build_reader(config: AssistantConfig, *, translates: bool) -> SpanReader:
    """
    Return the audio history that second passes read from.

    ``translates``: one of them is for translations.
    """
    return SpanReader(seconds=config.transcript.buffer_s,
                      interpret=translates and config.translation.to_english == 'whisper')


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


def build_live_words(config: AssistantConfig, reader: Any, *, judge: TurnJudge | None = None,
                     run: str = '0', tell: Callable[[str], object] = _LOG.error
                     ) -> LiveWords | None:
    """
    Return what shows words while they are spoken; None where that is turned off.

    Nor is there any where ``reader``, the second pass, cannot read speech that goes on
    (runtimes.base.WindowReader or StreamReader), or hears no voices. ``judge``
    (registry.load_turn_judge) hears whether a voice is through; ``run`` begins the names of
    utterances. ``tell`` is told once where the judge fails.
    """
    said = config.transcript
    if not said.partial_ms or not (hasattr(reader, 'read_window')
                                   or hasattr(reader, 'open_stream')):
        return None
    voice = reader.open_voice()
    if voice is None:
        return None
    waits = TurnEnd(
        silence_ns=round(said.end_silence_ms * 1e6), sure_ns=round(said.end_sure_ms * 1e6),
        unfinished_ns=round(said.end_unfinished_ms * 1e6), threshold=said.end_threshold)
    return LiveWords(
        reader, voice, period_s=said.partial_ms / 1000, run=run,
        end=PauseJudge(waits, judge, tell=tell), language=spoken_language(config),
        reader_ends=said.reader_ends)


def spoken_language(config: AssistantConfig) -> str:
    """Return the language of what is said as the second pass takes it: empty for any."""
    return '' if config.transcript.language == 'auto' else config.transcript.language


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


def read_rules(settings: AlertsConfig) -> AlertRules:
    """
    Return the rules that a configuration names, with the sounds that the user taught.

    Raises ConfigurationError for bad rules. A taught sound that cannot be read is left out here:
    whoever listens for it refuses it.
    """
    taught = [sound for _, sound in list_sounds(sounds_folder()) if not isinstance(sound, str)]
    return _load_rules(settings).with_taught({sound.name: sound.title for sound in taught},
                                             {sound.name: sound.threshold for sound in taught})


def _load_rules(settings: AlertsConfig) -> AlertRules:
    """Return the rules of the file alone, which several ask for one after the other."""
    path = Path(settings.rules) if settings.rules else shipped_path('config/alerts.yaml')
    try:
        state = path.stat()
    except OSError:
        return load_rules(path)  # says what is wrong
    return _load_unchanged(path, (state.st_ino, state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=1)
def _load_unchanged(path: Path, _state: tuple[int, int, int]) -> AlertRules:
    return load_rules(path)


def read_sound_rules(settings: AlertsConfig, rules: AlertRules) -> dict[str, SoundRule]:
    """
    Return by what sounds begin and end: the profile, and the thresholds that lie over it.

    Raises ConfigurationError for an unknown profile, a damaged file of thresholds, and where
    sounds alone shall raise alerts and no rule has any.
    """
    chosen = _read_chosen(settings.thresholds) if settings.thresholds else {}
    found = rules.rules_of_sounds(settings.profile, chosen)
    if settings.evidence == 'sounds' and not found:
        raise ConfigurationError(
            'alerts.evidence: expected thresholds of sounds, for nothing else shall raise alerts, '
            'found none in the profile; add profiles to the rules file or set both')
    return found


def _read_chosen(path: str) -> Mapping[str, float]:
    try:
        return read_thresholds(path).thresholds
    except ConfigurationError as error:
        raise ConfigurationError(f'alerts.thresholds: {error}') from error.__cause__


def build_detector(settings: AlertsConfig) -> SoundDetector:
    """Return the detector of sounds; raises ConfigurationError for bad rules or thresholds."""
    return SoundDetector(read_sound_rules(settings, read_rules(settings)))


def build_policy(settings: AlertsConfig, lanes: Iterable[LaneConfig]) -> AlertPolicy:
    """
    Return the policy that makes alerts of sounds and of what lanes say.

    Raises ConfigurationError for bad rules.
    """
    rules = read_rules(settings)
    return AlertPolicy(rules, make_policy_settings(settings, lanes, rules))


def build_matcher(config: AssistantConfig) -> IntentMatcher:
    """Return what finds intents in texts; raises ConfigurationError for a bad file."""
    rules = _read_shipped_intents()
    if config.intents.file:
        rules = join_files(rules, read_intents(config.intents.file))
    return IntentMatcher(rules, split_list(config.assistant.names))


@lru_cache
def _read_shipped_intents() -> IntentsFile:
    return read_intents(shipped_path('config/intents.yaml'))


def build_answers(config: AssistantConfig, *, reads: bool) -> Answers | None:
    """
    Return what answers words that were read; None where replies are the model's own.

    ``reads``: a second pass reads transcripts. Raises ConfigurationError for a bad file of
    intents, of an own one also where no answer comes from words.
    """
    lanes = [lane.name for lane in config.lanes if lane.kind == 'reply']
    matcher = build_matcher(config)
    if config.reply.source == 'model' or not reads or not lanes:
        return None
    said, rules = config.assistant, _load_rules(config.alerts)  # taught sounds have no words
    names = split_list(said.names)
    return Answers(
        lane=lanes[0], matcher=matcher,
        address=Address(mode=said.address, names=names, window_s=said.window_s),
        barge_in=BargeIn(split_list(said.barge_in), names),
        min_confidence=config.intents.min_confidence,
        min_word_confidence=config.reply.min_word_confidence,
        converses=bool(config.reply.model),
        tells_of_sound=lambda text: bool(rules.match(text)))


def make_policy_settings(settings: AlertsConfig, lanes: Iterable[LaneConfig],
                         rules: AlertRules) -> AlertSettings:
    """Return what the policy is told; raises ConfigurationError for what the rules lack."""
    return AlertSettings(
        lanes=tuple(lane.name for lane in lanes if lane.alerts),
        while_speaking_min_severity=settings.while_speaking_min_severity,
        evidence=settings.evidence, language=settings.language,
        sounds=frozenset(read_sound_rules(settings, rules)))
