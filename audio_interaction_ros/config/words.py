"""How what was said becomes text: final transcripts and translations."""

from dataclasses import dataclass

from audio_interaction_ros.config.checks import check_ranges, require
from audio_interaction_ros.reading import SPOKEN_LANGUAGES, ReaderChoice

__all__ = ['TranscriptConfig', 'TranslationConfig']

TURN_ENDS = ('silence', 'smart')
TRANSLATION_SOURCES = ('lane', 'words', 'reply_model')


@dataclass(frozen=True, kw_only=True)
class TranscriptConfig:
    """How final transcripts are made."""

    second_pass: str = 'none'
    """whisper: a finished utterance is read again, by transcript.reader; none: as streamed."""
    reader: str = 'whisper'
    """Who reads: whisper, or whisper, faster-whisper, sherpa-onnx or moonshine:FOLDER."""
    partials_reader: str = ''
    """Who reads words while they are spoken, written as transcript.reader; empty: the same."""
    hot_words: str = ''
    """Names that are said here, with commas between them, to be read more easily; or empty."""
    buffer_s: float = 30.0
    """Seconds of audio kept in memory for the second pass."""
    partial_ms: float = 800.0
    """With a second pass, speech is read so often while it goes on; 0: only when it is over."""
    end: str = 'silence'
    """What ends what partial_ms reads: silence, or smart: also how it was said (Smart Turn)."""
    end_silence_ms: float = 1000.0
    """So much silence ends an utterance."""
    end_sure_ms: float = 300.0
    """So much does, with smart, where voice and words both say that it is over."""
    end_unfinished_ms: float = 1700.0
    """So much does where the words say that more is to come: a number, or "and"."""
    end_threshold: float = 0.5
    """From this probability on Smart Turn takes a voice to be through."""
    language: str = 'auto'
    """Language that second passes and partials read: auto, or a code such as en, zh or de."""
    reader_ends: bool = False
    """True: a reader that knows when an utterance is over (sherpa-onnx) ends it too."""

    def __post_init__(self) -> None:
        """Check names and ranges."""
        check_ranges(self, 'transcript')
        require(self.end in TURN_ENDS, 'transcript.end', ' or '.join(TURN_ENDS), self.end)
        require(self.end_sure_ms <= self.end_silence_ms <= self.end_unfinished_ms,
                 'transcript.end_silence_ms', 'no less than end_sure_ms and no more than '
                 'end_unfinished_ms', self.end_silence_ms)
        require(self.language in ('auto', *SPOKEN_LANGUAGES), 'transcript.language',
                 f'auto or one of {", ".join(SPOKEN_LANGUAGES)}', self.language)
        ReaderChoice.parse(self.reader, 'transcript.reader')
        if self.partials_reader:
            ReaderChoice.parse(self.partials_reader, 'transcript.partials_reader')
        require(self.second_pass in ('none', 'whisper'), 'transcript.second_pass',
                 'none or whisper', self.second_pass)


@dataclass(frozen=True, kw_only=True)
class TranslationConfig:
    """How final translations are made."""

    second_pass: str = 'none'
    """whisper: Whisper reads an utterance again for its final translation; none: it does not."""
    to_english: str = 'whisper'
    """Who writes English in a second pass: whisper, from the audio; model, from the text."""
    source: str = 'lane'
    """lane; words, which the model translates as they are read; reply_model: reply.model does."""

    def __post_init__(self) -> None:
        """Check names."""
        require(self.second_pass in ('none', 'whisper'), 'translation.second_pass',
                 'none or whisper', self.second_pass)
        require(self.to_english in ('whisper', 'model'), 'translation.to_english',
                 'whisper or model', self.to_english)
        require(self.source in TRANSLATION_SOURCES, 'translation.source',
                 f'one of {", ".join(TRANSLATION_SOURCES)}', self.source)
