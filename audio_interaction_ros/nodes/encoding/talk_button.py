"""
The button that makes one utterance of all that is said while it is held: ``~/push_to_talk``.

Owns the service and whether the button is held. What becomes of the words is the second pass'.
"""

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from std_srvs.srv import SetBool

from audio_interaction_ros.nodes.encoding.encoder_task import PushToTalk
from audio_interaction_ros.nodes.encoding.live_words_link import LiveWordsLink
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode

__all__ = ['TalkButton']


class TalkButton:
    """The button of one encoder node, for one configuration of it."""

    def __init__(self, *, node: ManagedNode, group: CallbackGroup, words: LiveWordsLink | None,
                 listens: Callable[[], bool], put: Callable[[PushToTalk], bool]) -> None:
        """Offer the service; ``put`` hands it to the worker, False where there is none."""
        self._words, self._listens, self._put = words, listens, put
        self.held = False
        node.managed_service(SetBool, '~/push_to_talk', self._on_button, callback_group=group)

    def let_go(self) -> None:
        """Take it that the button was let go, where nothing more is heard."""
        if self.held:
            self._put(PushToTalk(False))
        self.held = False

    def _on_button(self, request: Any, response: Any) -> Any:
        held = bool(request.data)
        refusal = self._why_not(held)
        if not refusal and not self._put(PushToTalk(held)):
            refusal = 'the encoder has stopped; see its diagnostics'
        response.success = not refusal
        response.message = refusal or (
            'held: all is one utterance' if held else 'let go: the utterance ends')
        self.held = held and not refusal
        return response

    def _why_not(self, held: bool) -> str:
        """Return why the button does nothing; empty where it does."""
        if self._words is None:
            return ('expected words while they are spoken, found them turned off; set '
                    'transcript.second_pass and transcript.partial_ms')
        if not self._words.working:
            return 'the model that reads words is being loaded; try again'
        if held and not self._listens():
            return 'not listening; activate the node, and call ~/set_listening with true'
        return ''
