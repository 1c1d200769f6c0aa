"""The whole assistant in one object without ROS; whoever needs a name takes it from here."""

from audio_interaction_ros.offline.assistant import TAIL_S, Assistant, AssistantStats

__all__ = ['TAIL_S', 'Assistant', 'AssistantStats']
