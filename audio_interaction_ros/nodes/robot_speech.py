"""Whether the robot itself is speaking, or was just now. Knows neither ROS nor clocks."""

__all__ = ['RobotSpeech']


class RobotSpeech:
    """Remembers robot_speaking, with a hold-off after it turned false."""

    def __init__(self, *, holdoff_s: float) -> None:
        """Begin silent."""
        self.holdoff_s = holdoff_s
        self._speaking = False
        self._ended_at = float('-inf')

    def set(self, speaking: bool, now: float) -> None:
        """Learn that the robot speaks, or no longer does, at steady second ``now``."""
        if self._speaking and not speaking:
            self._ended_at = now
        self._speaking = speaking

    def active(self, now: float) -> bool:
        """Return whether what is heard now may be the robot's own voice."""
        return self._speaking or now - self._ended_at < self.holdoff_s
