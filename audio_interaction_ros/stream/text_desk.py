"""
Where finished replies of a translation lane come to be translated from what was really said.

What nobody needs to translate is final at once; the rest waits for the decoder's text lane, or
keeps its streamed text where there is none.
"""

from collections.abc import Sequence

from audio_interaction_ros.runtimes.base import StepRequest, StepResult
from audio_interaction_ros.stream.events import Event
from audio_interaction_ros.stream.text_lane import (
    TextJob,
    TextLane,
    finish_empty,
    keep_streamed,
    use_written,
)

__all__ = ['TextDesk']


class TextDesk:
    """Translations from text, with the lane of the decoder that writes them or without one."""

    def __init__(self, lane: TextLane | None) -> None:
        self._lane = lane

    @property
    def busy(self) -> bool:
        """True while a text is being translated or waits for it."""
        return self._lane is not None and self._lane.busy

    def take(self, job: TextJob, *, prompt: Sequence[int], most_tokens: int) -> list[Event]:
        """
        Take a job; return its final where that is known now, none where it comes with a step.

        Raises what the tokenizer does for a text that cannot be encoded.
        """
        if job.said.nobody:
            return [finish_empty(job)]
        if job.said.english is not None:
            return [use_written(job)]
        taken = self._lane is not None and self._lane.put(
            job, prompt=prompt, most_tokens=most_tokens)
        return [] if taken else [keep_streamed(job)]

    def request(self) -> StepRequest | None:
        """Return what the next pass shall compute, None for nothing."""
        return None if self._lane is None else self._lane.request()

    def on_result(self, result: StepResult) -> list[Event]:
        """Take a result; return the finals that it completes."""
        return [] if self._lane is None else [*self._lane.on_result(result)]

    def give_up(self) -> list[Event]:
        """Let the text that is under way keep what was streamed: the lane failed."""
        return [] if self._lane is None else [*self._lane.give_up()]

    def clear(self, lane: str = '') -> list[Event]:
        """Let what waits, of one lane or of all, keep its streamed text."""
        return [] if self._lane is None else [keep_streamed(job) for job in self._lane.clear(lane)]
