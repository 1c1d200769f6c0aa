"""
Whether prompt, audio and reply fit the context of a lane: the one place that knows.

A configuration and a prompt that is set at run time are tried here before a lane takes them, so
that the context can never be asked for more than it has. Knows no cache and no tokens' meaning.
"""

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import listening_block, prefix_block
from audio_interaction_ros.runtimes.base import DecoderSpec

__all__ = ['chunks_at_once']


def chunks_at_once(lane: LaneConfig, prompt: list[int], *, spec: DecoderSpec, slots: int,
                   most_slots: int, drain: str) -> int:
    """
    Return how many chunks that wait a lane may take in one pass, at least 1.

    ``slots`` is how many positions the lane keeps, ``most_slots`` how many it could keep without
    more memory for the others. Raises ConfigurationError where prompt (encoded), one chunk and
    the longest reply do not fit: it names the limit in tokens and the parameters to change.
    """
    prefix = len(prefix_block(spec.token_ids, prompt).ids)
    framing = prefix - len(prompt)
    # The first chunk of a unit may bring two ids of the reply before it: its last token, where
    # the budget ended it, and the end. Each further chunk brings the decision on the one before.
    ids = spec.token_ids
    block = len(listening_block(ids, spec.features_per_chunk, [ids.silence]).ids)
    spare = slots - prefix - lane.max_reply_tokens - 1
    if prefix >= slots // 2 or spare < block:
        longest = min(slots // 2 - 1, slots - lane.max_reply_tokens - 1 - block) - framing
        remedies = _list_remedies(
            lane, longest=longest, slots=slots, most_slots=most_slots,
            most_positions=spec.max_positions,
            reply=slots - prefix - 1 - block if prefix < slots // 2 else 0)
        expected = (f'a prompt of at most {longest} tokens' if longest >= 0
                    else 'room for the longest reply')
        raise ConfigurationError(
            f'lane.{lane.name}: expected {expected} (the lane keeps {slots} positions, and its '
            f'replies take up to {lane.max_reply_tokens} of them), found a prompt of '
            f'{len(prompt)} tokens; {" or ".join(remedies)}')
    if drain == 'C':
        return 1
    return max(1, min((slots - prefix) // 3, spare) // block)


def _list_remedies(lane: LaneConfig, *, longest: int, reply: int, slots: int, most_slots: int,
                   most_positions: int) -> list[str]:
    """Return what the operator can do, each for itself enough or on the way to it."""
    remedies = ['shorten the prompt'] if longest >= 0 else []
    if 1 <= reply < lane.max_reply_tokens:
        remedies.append(f'lower lane.{lane.name}.max_reply_tokens to {reply}')
    if slots < most_slots:
        remedies.append(f'raise lane.{lane.name}.slots (up to {most_slots})')
    elif slots < most_positions:
        remedies.append(f'raise model.slots (up to {most_positions})')
    return remedies or ['take a model of more positions']
