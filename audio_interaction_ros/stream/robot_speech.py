"""
Whether the robot itself is speaking, or was just now, and whether to believe it.

Who says so may die with its last word 'true', or forget to say 'false': then the robot would be
deaf for ever. Knows neither ROS nor clocks.
"""

__all__ = ['RobotSpeech']

_LOOKS_WITHOUT_PUBLISHER = 5  # discovery may be behind the message


class RobotSpeech:
    """Remembers robot_speaking, with a hold-off after its end."""

    def __init__(self, *, holdoff_s: float, timeout_s: float = 0.0) -> None:
        """Begin silent; true is believed for ``timeout_s``, 0: as long as it is said."""
        self.holdoff_s, self._timeout_s = holdoff_s, timeout_s
        self._said = False
        self._began_at = self._ended_at = float('-inf')
        self._orphaned = 0  # looks in a row that found no publisher
        self.doubt = ''
        """Why what is said is not believed; empty while it is."""

    def set_speaking(self, speaking: bool, now: float) -> None:
        """Learn that the robot speaks, or no longer does, at steady second ``now``."""
        if not speaking:
            if self._said and not self.doubt:
                self._ended_at = now
            self.doubt = ''
        elif not self._said or self._orphaned:  # it begins, or another publisher says so
            self._began_at = now
            self.doubt = ''
        self._said, self._orphaned = speaking, 0

    def check_doubt(self, now: float, *, publishers: int) -> None:
        """Doubt what was said last when it is too long ago or nobody is left who said it."""
        if not self._said:
            return
        self._orphaned = 0 if publishers else self._orphaned + 1
        if self.doubt:
            return
        if self._orphaned >= _LOOKS_WITHOUT_PUBLISHER:
            self.doubt = 'robot_speaking is true and nobody publishes it any more'
        elif 0 < self._timeout_s <= now - self._began_at:
            self.doubt = (f'robot_speaking has been true for longer than '
                          f'audio.robot_speaking_timeout_s ({self._timeout_s:.0f} s)')
        if self.doubt:
            self._ended_at = now

    @property
    def believed(self) -> bool:
        """True while it is said, and believed, that the robot speaks; without the hold-off."""
        return self._said and not self.doubt

    def is_active(self, now: float) -> bool:
        """Return whether what is heard now may be the robot's own voice."""
        return self.believed or now - self._ended_at < self.holdoff_s
