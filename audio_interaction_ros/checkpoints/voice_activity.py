"""
The weights of Silero VAD, out of the wheel ``silero-vad``.

The wheel is never installed, for it brings torch; its one file of weights is all that is needed.
"""

from audio_interaction_ros.checkpoints.arrays import load_arrays
from audio_interaction_ros.checkpoints.base_weights import fetch
from audio_interaction_ros.model.voice_activity import VoiceActivity

__all__ = ['load_voice_activity']


def load_voice_activity() -> VoiceActivity:
    """Return the net with its weights, fetched where they are missing; for errors see fetch."""
    return VoiceActivity(load_arrays([fetch('silero-vad') / 'model.safetensors']))
