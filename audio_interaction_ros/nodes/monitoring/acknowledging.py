"""Acknowledges alerts for whoever asks in another thread, by the service of the decoder."""

from concurrent.futures import Future, InvalidStateError
from typing import Any

from rclpy.node import Node

from audio_interaction_msgs.srv import AcknowledgeAlert

__all__ = ['Acknowledger']

_SERVICE = 'alerts/acknowledge'


class Acknowledger:
    """A client of ``alerts/acknowledge``."""

    def __init__(self, node: Node) -> None:
        """Create the client."""
        self._client = node.create_client(AcknowledgeAlert, _SERVICE)

    def acknowledge(self, alert_id: str) -> 'Future[tuple[bool, str]]':
        """
        Acknowledge an alert ('': all) as whoever watches the page.

        The future has whether it was done, and the decoder's words; any thread may ask.
        """
        answer: Future[tuple[bool, str]] = Future()
        if not self._client.service_is_ready():
            answer.set_result((False, f'no decoder offers {_SERVICE}; is it running?'))
            return answer
        call = self._client.call_async(AcknowledgeAlert.Request(
            id=alert_id, operator_name='page', response='acknowledged on the page'))
        call.add_done_callback(lambda done: _pass_on(done, answer))
        return answer


def _pass_on(done: Any, answer: 'Future[tuple[bool, str]]') -> None:
    """Give the answer on, unless nobody waits any more."""
    try:
        response = done.result()
        answer.set_result((response.success, response.message))
    except InvalidStateError:
        pass
    except Exception as error:  # noqa: BLE001 - whatever rclpy raises is the answer
        answer.set_result((False, f'the decoder did not answer: {error!r}'))
