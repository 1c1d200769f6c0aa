"""What speech is for the robot, what it means, and who answers it."""

from dataclasses import dataclass

from audio_interaction_ros.config.checks import check_ranges, find_home, require

__all__ = ['AddressConfig', 'IntentsConfig', 'ReplyConfig', 'split_list']

REPLY_SOURCES = ('words', 'model')
REPLY_DTYPES = ('int8', 'int4', 'float32')
OWN_MODEL = 'own'
"""What reply.model is called where the model that listens answers, too."""
REPLY_PROMPT = ('You are a helpful robot. Answer in one short sentence, in the language of the '
                'question. You cannot do anything but talk.')
ADDRESS_MODES = ('always', 'name', 'after_wake')


@dataclass(frozen=True, kw_only=True)
class ReplyConfig:
    """Where answers to speech come from."""

    source: str = 'words'
    """words: from transcripts that a second pass read, where there is one; model: as streamed."""
    min_word_confidence: float = 0.35
    """Words that were read with less confidence are not understood."""
    model: str = ''
    """Text model that answers what no intent explains: name, folder, GGUF, or own; empty: none."""
    dtype: str = 'int8'
    """Arithmetic of that model: int8, int4 (less memory, less sure) or float32."""
    prompt: str = REPLY_PROMPT
    """What that model is told of itself; own has the prompt of its lane."""
    max_tokens: int = 64
    """Tokens that its answer may have."""
    history: int = 3
    """Questions with their answers that it remembers, for two minutes; 0: none."""
    active_topic: str = ''
    """Topic (Bool) that mutes answers while it says false, such as active_listening; or empty."""

    @property
    def names_text_model(self) -> bool:
        """True where a model beside the one that listens is to be loaded."""
        return self.model not in ('', OWN_MODEL)

    def __post_init__(self) -> None:
        """Check names and ranges."""
        check_ranges(self, 'reply')
        find_home(self, 'model')
        require(self.dtype in REPLY_DTYPES, 'reply.dtype', f'one of {", ".join(REPLY_DTYPES)}',
                 self.dtype)
        require(self.source in REPLY_SOURCES, 'reply.source', ' or '.join(REPLY_SOURCES),
                 self.source)


@dataclass(frozen=True, kw_only=True)
class IntentsConfig:
    """What people may want of the robot."""

    file: str = ''
    """Path of a file of your own, asked before the shipped config/intents.yaml; or empty."""
    min_confidence: float = 0.6
    """An intent that is less sure is none."""

    def __post_init__(self) -> None:
        """Check ranges."""
        find_home(self, 'file')
        check_ranges(self, 'intents')


@dataclass(frozen=True, kw_only=True)
class AddressConfig:
    """Which speech is for the robot; counts where answers come from words."""

    address: str = 'always'
    """always; name: said to the robot by name; after_wake: after a message on the topic wake."""
    names: str = 'robot, 机器人'
    """Names by which the robot is called, with commas between them."""
    window_s: float = 8.0
    """For this long after its name, or after wake, what is said is for the robot too."""
    barge_in: str = 'stop, stop talking, be quiet, quiet, shut up, 停, 停下, 安静, 别说了, 闭嘴'
    """What makes it stop talking at once, with commas between; empty: nothing does."""

    def __post_init__(self) -> None:
        """Check names and ranges."""
        check_ranges(self, 'assistant')
        require(self.address in ADDRESS_MODES, 'assistant.address',
                 f'one of {", ".join(ADDRESS_MODES)}', self.address)
        require(self.address != 'name' or bool(split_list(self.names)), 'assistant.names',
                 'a name, for the robot answers to it only', self.names)


def split_list(text: str) -> tuple[str, ...]:
    """Return the entries of a list that is written with commas, without those that are empty."""
    return tuple(part for part in map(str.strip, text.replace('，', ',').split(',')) if part)
