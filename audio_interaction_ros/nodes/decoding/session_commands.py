"""
What is asked of a decoder node's session: by services, by the boards and by changed parameters.

Owns the services. All of it is handed to the worker, which does it between two passes, in the
order of what came; the session itself is touched here only to try a prompt.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from std_srvs.srv import Trigger

from audio_interaction_msgs.srv import Cancel, SetPrompt
from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.errors import AudioInteractionError, ConfigurationError
from audio_interaction_ros.nodes.decoding.decoder_task import Command, DecoderTask
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.worker import Worker
from audio_interaction_ros.stream.events import ReplyFinished
from audio_interaction_ros.stream.sound_events import SoundRule
from audio_interaction_ros.stream.text_lane import RecognisedSpeech

__all__ = ['SessionCommands']


class SessionCommands:
    """The commands of one decoder node, for one configuration of it."""

    def __init__(self, *, node: ManagedNode, worker: Worker, lanes: Sequence[LaneConfig],
                 model: Callable[[], DecoderTask | None]) -> None:
        """Offer the services; ``model`` says which one the worker has loaded."""
        self._worker, self._model = worker, model
        self._lanes = {lane.name: lane.kind for lane in lanes}
        node.managed_service(Trigger, '~/reset', self._on_reset)
        node.managed_service(SetPrompt, '~/set_prompt', self._on_set_prompt)
        node.managed_service(Cancel, '~/cancel', self._on_cancel)

    def read_prompts(self) -> None:
        """Have the lanes read their prompts before any audio."""
        self._put(lambda model, _: model.session.read_prompts())

    def translate(self, reply: ReplyFinished, said: RecognisedSpeech) -> bool:
        """Have what was said translated; False where nobody will."""
        return self._put(lambda model, _: model.session.translate(reply, said))

    def let_write(self, lane: str, writes: bool) -> None:
        """Have a lane write its texts, or only say when."""
        self._put(lambda model, _: model.session.let_write(lane, writes))

    def end_all(self) -> None:
        """Have what every lane writes ended, and every sound."""
        self._put(lambda model, _: model.session.cancel())
        self.end_sounds()

    def end_sounds(self) -> None:
        """Have every sound ended; one that goes on begins anew."""
        self._put(lambda model, _: model.session.end_sounds())

    def cancel_replies(self) -> None:
        """Have the lanes that answer end what they write."""
        for name in [name for name, kind in self._lanes.items() if kind == 'reply']:
            self._put(partial(_cancel_lane, name))

    def adjust_sounds(self, rules: Mapping[str, SoundRule]) -> None:
        """Have sounds begin and end by other rules; raises as ``adjust_lanes``."""
        self._put_or_raise(lambda model, _: model.session.adjust_sounds(rules))

    def adjust_lanes(self, lanes: Sequence[LaneConfig]) -> None:
        """Have lanes respond by other settings; raises where too many commands wait."""
        self._put_or_raise(lambda model, emit: model.adjust(lanes, emit))

    def _put(self, command: Command) -> bool:
        """Hand in a command; False where the worker has too many of them, or is closed."""
        return self._worker.put(command, always=True)

    def _put_or_raise(self, command: Command) -> None:
        """Hand in a command of somebody who waits for the answer."""
        if not self._put(command):
            raise AudioInteractionError('too many commands wait for the decoder; try again later')

    def _check_lane(self, name: str) -> None:
        if name not in self._lanes:
            raise ConfigurationError(
                f'no lane is called {name!r}; expected one of {", ".join(self._lanes)}')

    def _on_reset(self, _request: Any, response: Any) -> Any:
        self._put_or_raise(lambda model, _: model.session.reset())
        response.success, response.message = True, 'every lane starts anew'
        return response

    def _on_cancel(self, request: Any, response: Any) -> Any:
        if request.lane:
            self._check_lane(request.lane)
        self._put_or_raise(partial(_cancel_lane, request.lane))
        response.success, response.message = True, 'a running reply is ended'
        return response

    def _on_set_prompt(self, request: Any, response: Any) -> Any:
        """Try the prompt here, which takes a tokenizer and no model, and then have it set."""
        self._check_lane(request.lane)
        model = self._model()
        if model is None:
            raise AudioInteractionError('the model is being loaded; try again when it is ready')
        model.session.try_prompt(request.lane, request.prompt)
        self._put_or_raise(
            lambda model, _: model.session.set_prompt(request.lane, request.prompt))
        response.success, response.message = True, f'lane {request.lane} starts anew'
        return response


def _cancel_lane(name: str, model: DecoderTask, _emit: Any) -> None:
    """End what a lane writes; '' is every lane."""
    model.session.cancel(name)
