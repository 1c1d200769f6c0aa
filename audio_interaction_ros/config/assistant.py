"""All that a running assistant is told, group by group."""

import dataclasses
from dataclasses import dataclass, field

from audio_interaction_ros.config.alerts import AlertsConfig, SoundsConfig
from audio_interaction_ros.config.answers import AddressConfig, IntentsConfig, ReplyConfig
from audio_interaction_ros.config.checks import require
from audio_interaction_ros.config.hearing import (
    AudioConfig,
    DirectionConfig,
    FifoConfig,
    RecordConfig,
)
from audio_interaction_ros.config.lanes import LaneConfig
from audio_interaction_ros.config.model import ModelConfig
from audio_interaction_ros.config.outlets import MonitorConfig, SpeechConfig
from audio_interaction_ros.config.words import TranscriptConfig, TranslationConfig

__all__ = ['AssistantConfig']

def _default_lanes() -> tuple[LaneConfig, ...]:
    return (LaneConfig(name='transcript', kind='transcript'),
            LaneConfig(name='translation', kind='translation'),
            LaneConfig(name='assistant', kind='reply', alerts=True))


@dataclass(frozen=True, kw_only=True)
class AssistantConfig:
    """Everything that a running assistant is told."""

    audio: AudioConfig = field(default_factory=AudioConfig)
    fifo: FifoConfig = field(default_factory=FifoConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    transcript: TranscriptConfig = field(default_factory=TranscriptConfig)
    translation: TranslationConfig = field(default_factory=TranslationConfig)
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    sounds: SoundsConfig = field(default_factory=SoundsConfig)
    reply: ReplyConfig = field(default_factory=ReplyConfig)
    intents: IntentsConfig = field(default_factory=IntentsConfig)
    assistant: AddressConfig = field(default_factory=AddressConfig)
    record: RecordConfig = field(default_factory=RecordConfig)
    speech: SpeechConfig = field(default_factory=SpeechConfig)
    direction: DirectionConfig = field(default_factory=DirectionConfig)
    monitor: MonitorConfig = field(default_factory=MonitorConfig)
    lanes: tuple[LaneConfig, ...] = field(default_factory=_default_lanes)

    def __post_init__(self) -> None:
        """Check that lanes have different names."""
        names = [lane.name for lane in self.lanes]
        require(bool(names) and len(set(names)) == len(names), 'lanes',
                 'at least one lane, all names different', names)

    @property
    def uses_text(self) -> bool:
        """True where words that were read are answered by a text model, or translated."""
        return bool(self.reply.model) or self.translation.source != 'lane'

    def check_translation(self) -> None:
        """
        Check that words can be translated where they shall be; raises ConfigurationError.

        Only who has all groups can ask: a node knows no more than its own.
        """
        if self.translation.source == 'lane':
            return
        why = f', for translation.source is {self.translation.source}'
        require(self.translation.source == 'words' or self.reply.names_text_model, 'reply.model',
                 f'a text model{why}', self.reply.model)
        require(self.transcript.second_pass != 'none', 'transcript.second_pass',
                 f'a reader of words{why} (with lane, what streams is translated)',
                 self.transcript.second_pass)
        require(all(lane.kind != 'translation' for lane in self.lanes), 'lanes',
                 f'no lane of kind translation{why}', [lane.name for lane in self.lanes])

    @property
    def drafted(self) -> frozenset[str]:
        """Kinds of lanes whose finished replies are drafts, to be read again."""
        by_lane = self.translation.source == 'lane'
        return self.second_passes if by_lane else self.second_passes - {'translation'}

    @property
    def writes_english(self) -> bool:
        """True where the English of words that follow no lane is written by who reads."""
        return (self.translation.source != 'lane' and self.translation.to_english == 'whisper'
                and 'translation' in self.second_passes)

    @property
    def second_passes(self) -> frozenset[str]:
        """What is read again: transcript, translation."""
        return frozenset(kind for kind, part in (('transcript', self.transcript),
                                                 ('translation', self.translation))
                         if part.second_pass != 'none')

    def with_second_pass(self, name: str) -> 'AssistantConfig':
        """
        Return the same with this second pass for transcripts and translations alike.

        With none nobody reads words, so none are translated: a lane translates, or nobody does.
        """
        source = 'lane' if name == 'none' else self.translation.source
        return dataclasses.replace(
            self, transcript=dataclasses.replace(self.transcript, second_pass=name),
            translation=dataclasses.replace(self.translation, second_pass=name, source=source))
