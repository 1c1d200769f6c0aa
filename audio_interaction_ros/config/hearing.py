"""What comes in: audio, where it comes from, the queue behind the encoder, what is recorded."""

from dataclasses import dataclass

from audio_interaction_ros.config.checks import check_ranges, find_home, require

__all__ = ['AudioConfig', 'DirectionConfig', 'FifoConfig', 'RecordConfig']

OVERFLOW_POLICIES = ('drop_oldest', 'drop_newest', 'merge_silence')
DRAIN_LAYOUTS = ('A_prime', 'A', 'B', 'C')
DIRECTION_TYPES = ('geometry_msgs/msg/PoseStamped', 'geometry_msgs/msg/Vector3Stamped',
                   'std_msgs/msg/Float32')
ECHO_CANCELLERS = ('none', 'webrtc', 'speex')
WHILE_SPEAKING = ('alerts', 'all')


@dataclass(frozen=True, kw_only=True)
class AudioConfig:
    """What comes in from the audio topic."""

    msg_type: str = 'auto'
    """Type name of the audio messages; auto looks the topic up in the graph."""
    channel_select: int = -1
    """Channel to listen to, from 0; -1 mixes all channels."""
    sample_rate_hz: int = 16_000
    """Sample rate of message types that do not carry one."""
    gap_tolerance_ms: float = 60.0
    """Stamps may be off by this much before missing audio is assumed."""
    mute_holdoff_ms: float = 400.0
    """Replies stay suppressed for this long after the robot stopped speaking."""
    silence_warning_s: float = 10.0
    """Digital silence of this length is reported in diagnostics."""
    quiet_below_dbfs: float = -45.0
    """Softer chunks in which nothing stands out of the noise are not read; -200: all are."""
    idle_flush_s: float = 1.0
    """Without audio for this long the utterance is ended, as at the end of a file; 0: never."""
    robot_speaking_timeout_s: float = 30.0
    """robot_speaking that stays true for longer is not believed; 0: it always is."""
    info_topic: str = ''
    """Topic of AudioInfo (ros-drivers); empty: the name of the audio topic with _info."""
    echo: str = 'none'
    """Who takes the robot's own voice (speech/reference) out: webrtc, speex or none (voice.md)."""
    echo_lead_ms: float = 40.0
    """The reference is given so much early, for its stamps may be late by that."""
    while_speaking: str = 'all'
    """What counts while its own voice is taken out: all that is heard, or alerts as without."""

    def __post_init__(self) -> None:
        """Check ranges and names."""
        check_ranges(self, 'audio')
        require(self.echo in ECHO_CANCELLERS, 'audio.echo',
                 f'one of {", ".join(ECHO_CANCELLERS)}', self.echo)
        require(self.while_speaking in WHILE_SPEAKING, 'audio.while_speaking',
                 ' or '.join(WHILE_SPEAKING), self.while_speaking)


@dataclass(frozen=True, kw_only=True)
class FifoConfig:
    """The bounded queue between encoder and decoder."""

    capacity: int = 32
    """Chunks that the queue holds, of 0.4 s in the edge model."""
    overflow: str = 'drop_oldest'
    """What goes when it is full: drop_oldest, drop_newest or merge_silence."""
    drain: str = 'A_prime'
    """How a backlog is read after a reply: A_prime, A, B or C (docs/protocol.md)."""
    credit_timeout_s: float = 2.0
    """Without credit for this long the decoder is treated as gone."""

    def __post_init__(self) -> None:
        """Check ranges and names."""
        check_ranges(self, 'fifo')
        require(self.overflow in OVERFLOW_POLICIES, 'fifo.overflow',
                 f'one of {", ".join(OVERFLOW_POLICIES)}', self.overflow)
        require(self.drain in DRAIN_LAYOUTS, 'fifo.drain',
                 f'one of {", ".join(DRAIN_LAYOUTS)}', self.drain)


@dataclass(frozen=True, kw_only=True)
class DirectionConfig:
    """Where a microphone array says that sound comes from."""

    topic: str = ''
    """Topic with the directions of an array, such as sound_direction; empty: there is none."""
    msg_type: str = 'geometry_msgs/msg/PoseStamped'
    """Its type: geometry_msgs/msg/PoseStamped, .../Vector3Stamped or std_msgs/msg/Float32."""
    frame_id: str = ''
    """Frame of directions that are taken as they are; empty: only that of the audio, or none."""
    turn_rad: float = 0.0
    """Added to every direction: how the frame of the array is turned in that of the audio."""
    keep_s: float = 60.0
    """Seconds of directions that are kept for what is still to be decided."""

    def __post_init__(self) -> None:
        """Check type and ranges."""
        check_ranges(self, 'direction')
        require(self.msg_type in DIRECTION_TYPES, 'direction.msg_type',
                 f'one of {", ".join(DIRECTION_TYPES)}', self.msg_type)


@dataclass(frozen=True, kw_only=True)
class RecordConfig:
    """Recording for debugging; nothing is written unless a directory is named."""

    directory: str = ''
    """Where audio is written; empty: nothing is ever written."""
    retention_s: float = 3600.0
    """Recordings older than this are deleted, also while running."""

    def __post_init__(self) -> None:
        """Check ranges."""
        find_home(self, 'directory')
        check_ranges(self, 'record')
