"""
Streams as token ids and labels: what the trainer learns from and what the release stores.

The order of ids comes from ``audio_interaction_ros.protocol`` alone, so training and serving
cannot differ.
"""

from train.tokens.command import add_arguments, run
from train.tokens.layout import (
    IGNORE,
    RESPOND,
    SILENCE,
    Layout,
    Said,
    Sample,
    TokensError,
    a_t,
    a_t_t,
    lay_out_online,
    t_t,
)

__all__ = ['IGNORE', 'RESPOND', 'SILENCE', 'Layout', 'Said', 'Sample', 'TokensError', 'a_t',
           'a_t_t', 'add_arguments', 'lay_out_online', 'run', 't_t']
