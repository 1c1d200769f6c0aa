"""
The parts of an assistant as its configuration wants them: the one place that builds each.

Used by the assistant without ROS, by both nodes and by whoever measures them, so that all hear and
decide alike. Knows neither threads nor topics. Whoever needs a part takes it from here.
"""

from audio_interaction_ros.assembly.alerts import (
    build_detector,
    build_policy,
    make_policy_settings,
    read_rules,
    read_sound_rules,
)
from audio_interaction_ros.assembly.answers import (
    build_answers,
    build_matcher,
    build_talker,
    build_word_interpreter,
)
from audio_interaction_ros.assembly.deciding import build_session, resolve_for
from audio_interaction_ros.assembly.hearing import (
    build_canceller,
    build_pipeline,
    make_echo_processor,
)
from audio_interaction_ros.assembly.models import (
    load_judge,
    load_model,
    load_reader,
    load_reply_model,
    spoken_language,
)
from audio_interaction_ros.assembly.words import build_live_words, build_reader

__all__ = ['build_answers', 'build_canceller', 'build_detector', 'build_live_words',
           'build_matcher', 'build_pipeline', 'build_policy', 'build_reader', 'build_session',
           'build_talker', 'build_word_interpreter', 'load_judge', 'load_model', 'load_reader',
           'load_reply_model', 'make_echo_processor', 'make_policy_settings', 'read_rules',
           'read_sound_rules', 'resolve_for', 'spoken_language']
