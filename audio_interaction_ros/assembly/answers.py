"""What is made of words that were read: intents, answers and translations."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from audio_interaction_ros.alerts.label_rule import LabelRule
from audio_interaction_ros.assembly.alerts import load_file_rules
from audio_interaction_ros.config import OWN_MODEL, AssistantConfig, resolve_lanes, split_list
from audio_interaction_ros.dialogue.chat import Chat
from audio_interaction_ros.dialogue.interpreter import Interpreter
from audio_interaction_ros.dialogue.lane_interpreter import SLOTS, LaneInterpreter
from audio_interaction_ros.dialogue.talker import Talker
from audio_interaction_ros.dialogue.text_writer import TaskWriter, TextWriter, TokenWriter
from audio_interaction_ros.dialogue.word_interpreter import WordInterpreter
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.intents.address import Address
from audio_interaction_ros.intents.answers import Answers
from audio_interaction_ros.intents.barge_in import BargeIn
from audio_interaction_ros.intents.intents_file import IntentsFile, join_files, read_intents
from audio_interaction_ros.intents.matching import IntentMatcher
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.runtimes.base import TextModel, Tokenizer

__all__ = ['OWN_SLOTS', 'build_answers', 'build_matcher', 'build_talker',
           'build_word_interpreter']

OWN_SLOTS = 512
"""Ids that a chat with the model that listens may have, answers included (24 MB more)."""


def build_answers(config: AssistantConfig, *, reads: bool) -> Answers | None:
    """
    Return what answers words that were read; None where replies are the model's own.

    ``reads``: a second pass reads transcripts. Raises ConfigurationError for a bad file of
    intents, of an own one also where no answer comes from words.
    """
    lanes = [lane.name for lane in config.lanes if lane.kind == 'reply']
    matcher, rules = build_matcher(config), load_file_rules(config.alerts)
    _refuse_unknown(rules.of_intent, matcher.names)
    if config.reply.source == 'model' or not reads or not lanes:
        return None
    said = config.assistant
    names = split_list(said.names)
    return Answers(
        lane=lanes[0], matcher=matcher,
        address=Address(mode=said.address, names=names, window_s=said.window_s),
        barge_in=BargeIn(split_list(said.barge_in), names),
        min_confidence=config.intents.min_confidence,
        min_word_confidence=config.reply.min_word_confidence,
        converses=bool(config.reply.model),
        tells_of_sound=lambda text: bool(rules.match(text)))  # taught sounds have no words


def _refuse_unknown(of_intent: Mapping[str, LabelRule], names: Collection[str]) -> None:
    """Raise ConfigurationError where an alert waits for an intent that nothing can be."""
    for intent, rule in of_intent.items():
        if intent not in names:
            raise ConfigurationError(
                f'labels.{rule.label}.intents: expected intents of config/intents.yaml or of '
                f'intents.file, found {intent!r}; change alerts.rules, or add the intent')


def build_matcher(config: AssistantConfig) -> IntentMatcher:
    """Return what finds intents in texts; raises ConfigurationError for a bad file."""
    shipped, own = _read_shipped_intents(), config.intents.file
    names = split_list(config.assistant.names)
    if not own:
        return IntentMatcher(shipped, names)
    joined = join_files(shipped, read_intents(own))
    try:
        return IntentMatcher(joined, names)
    except ConfigurationError as error:  # of what both have together
        raise ConfigurationError(f'{own}: {error}') from error


def build_talker(config: AssistantConfig, model: TextModel | None, *, decoder: Any,
                 tokenizer: Tokenizer, lanes: Mapping[str, Any]) -> Talker | None:
    """
    Return what answers what no intent explains; None where nobody does.

    ``model`` is the text model; with ``reply.model: own`` the model that listens is asked, with
    the prompt of its lane, of which ``lanes`` tell. The first words are read here. Raises
    ConfigurationError where that model cannot be asked in text.
    """
    said = config.reply
    if said.model == OWN_MODEL:
        prompt = _own_prompt(config, decoder, lanes)
        writer: TokenWriter = TaskWriter(decoder.open_text_net(OWN_SLOTS), tokenizer,
                                         decoder.spec.token_ids)
    elif model is not None:
        prompt, writer = said.prompt, TextWriter(model)
    else:
        return None
    chat = Chat(writer, prompt=prompt, most_turns=said.history, most_tokens=said.max_tokens)
    chat.warm_up()
    return Talker(chat)


def _own_prompt(config: AssistantConfig, decoder: Any, lanes: Mapping[str, Any]) -> str:
    """Return the prompt of the lane that answers; ConfigurationError where it cannot be asked."""
    prompt = next((lane.prompt for lane in resolve_lanes(config.lanes, lanes)
                   if lane.kind == 'reply'), '')
    if not prompt or not hasattr(decoder, 'open_text_net'):
        raise ConfigurationError(
            'reply.model: expected a model on the runtime onnx with a lane of kind reply, for own '
            'asks the model that listens, found another; name a text model, or leave it empty')
    return prompt


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
    drafts = ('en',) if config.writes_english else ()
    if config.translation.source == 'reply_model' and model is not None:
        return WordInterpreter(Interpreter(TextWriter(model)), drafts=drafts)
    if not hasattr(decoder, 'open_text_net') or 'translation' not in lanes:
        raise ConfigurationError(
            'translation.source: expected a model on the runtime onnx that was taught to '
            'translate, for it shall translate words, found another; set it to lane and let a '
            'lane translate (config/edge_lanes.yaml)')
    return WordInterpreter(LaneInterpreter(
        decoder.open_text_net(SLOTS), tokenizer, ids=decoder.spec.token_ids,
        prompt=lanes['translation'].prompt), drafts=drafts)


@lru_cache
def _read_shipped_intents() -> IntentsFile:
    return read_intents(shipped_path('config/intents.yaml'))
