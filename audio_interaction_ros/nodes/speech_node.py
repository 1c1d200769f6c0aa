"""
speech_node: says replies, alerts and whatever it is asked to aloud, and tells the ears so.

Publishes ``robot_speaking`` and ``speech/reference``, exactly what goes to the loudspeaker, so
that the encoder can take it out of what it hears. Falls silent when somebody wants that, and for a
CRITICAL alert.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from audio_interaction_msgs.msg import Alert, AudioChunk, Reply, Transcript
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.config import AssistantConfig, SpeechConfig, split_list
from audio_interaction_ros.intents.words import has_other_words
from audio_interaction_ros.nodes.io.audio_messages import audio_message
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import (
    ERROR,
    WARN,
    Diagnostics,
    StatusReport,
)
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.spinning import run
from audio_interaction_ros.nodes.speaking.heard import AlertWatch, WordWatch, alert_priority
from audio_interaction_ros.nodes.speaking.mouth import Listeners, Mouth, Outcome
from audio_interaction_ros.nodes.speaking.say_action import SayAction
from audio_interaction_ros.speech.loudspeaker import Loudspeaker, open_loudspeaker
from audio_interaction_ros.speech.playback import PlayedBlock
from audio_interaction_ros.speech.queue import Priority, Utterance
from audio_interaction_ros.speech.voice import Voice, load_voice

__all__ = ['SpeechNode', 'main']

_LOOK_S = 1.0


class SpeechNode(ManagedNode):
    """The robot's voice."""

    def __init__(self, *, load: Callable[[SpeechConfig], Voice] = load_voice,
                 open_speaker: Callable[[str, int], Loudspeaker] = open_loudspeaker,
                 **options: Any) -> None:
        """Declare parameters; ``load`` and ``open_speaker`` stand in for engine and device."""
        super().__init__('speech_node', groups=('speech', 'assistant'), **options)
        self._load, self._open_speaker = load, open_speaker
        self.mouth: Mouth | None = None
        self._number = 0
        self.played_blocks = 0
        """Published on speech/reference."""
        self._speaking = False
        self._action_group = MutuallyExclusiveCallbackGroup()
        self._action = SayAction(node=self, group=self._action_group, refusal=self._refuse,
                                 take_number=self._take_number, say=self._say_goal,
                                 withdraw=self._withdraw)
        self.diagnostics = Diagnostics(node=self, tasks={'speech': self._make_report},
                                       lock=self.lock)

    def destroy_node(self) -> None:
        """End speech and the action, then the node."""
        self.release()
        self._action.close()
        super().destroy_node()

    def leave(self) -> bool:
        """End every goal, as the node will end."""
        with self.lock:
            if self.mouth is not None:
                self.mouth.shut('the node ends')
        return self.owes_answers

    @property
    def owes_answers(self) -> bool:
        """True while goals that have ended are not told so yet."""
        return self._action.owes_answers

    def set_up(self) -> None:
        """Create topics and start loading the voice."""
        group = MutuallyExclusiveCallbackGroup()
        self._alerts, self._words = AlertWatch(), WordWatch(self.config)
        self._newest_loss = ''
        self._said = deque[str](maxlen=2)  # it rings on while the next one begins
        self._flag = self.managed_publisher(Bool, 'robot_speaking', qos.FLAG)
        self._reference = self.managed_publisher(AudioChunk, 'speech/reference', qos.AUDIO_OUT)
        self._saying = self.managed_publisher(String, 'speech/saying', qos.FINAL_TEXT)
        self.mouth = Mouth(
            node=self, group=group, settings=self.config.speech, load=self._load,
            open_speaker=self._open_speaker, listeners=Listeners(
                on_block=self._publish_block, on_over=self._note_over, on_begin=self._note_begin,
                on_progress=lambda utterance, spoken: self._action.note_progress(
                    utterance.number, spoken), log=self.get_logger().error))
        for kind, topic, callback, profile in (
                (String, 'speech/say', self._on_say, qos.EVENTS),
                (Reply, 'reply', self._on_reply, qos.EVENTS),
                (Alert, 'alerts', self._on_alert, qos.EVENTS),
                (Transcript, 'transcript', self._on_transcript, qos.EVENTS),
                (String, 'speech/overheard', self._on_overheard, qos.EVENTS)):
            self.managed_subscription(kind, topic, callback, profile, callback_group=group)
        self.managed_service(Trigger, 'speech/stop', self._on_stop, callback_group=group)
        self.managed_timer(_LOOK_S, self.mouth.look_after, callback_group=group)

    def start(self) -> None:
        """Open the loudspeaker."""
        assert self.mouth is not None, 'set_up comes first'
        self.mouth.open()

    def stop(self) -> None:
        """Fall silent and close the loudspeaker."""
        assert self.mouth is not None, 'set_up comes first'
        self.mouth.shut('the node is deactivated')
        self._tell_speaking(False)

    def tear_down(self) -> None:
        """End the voice."""
        mouth, self.mouth = self.mouth, None
        if mouth is not None:
            mouth.close()

    def apply(self, config: AssistantConfig) -> None:
        """Take settings that may change while the node works: they are read where they count."""

    def say(self, text: str, **more: Any) -> None:
        """Have a text said, or hear why not; ``more`` as in Utterance."""
        assert self.mouth is not None, 'only a configured node is asked'
        number = more.pop('number', 0) or self._take_number()
        self.mouth.say(Utterance(number=number, text=text, **more))

    def _take_number(self) -> int:
        self._number += 1
        return self._number

    def _on_say(self, message: Any) -> None:
        self.say(message.data)

    def _say_goal(self, number: int, request: Any) -> None:
        self.say(request.text, number=number, language=request.language, origin='action',
                 priority=Priority(min(request.priority, Priority.CRITICAL)))

    def _withdraw(self, number: int) -> None:
        if self.mouth is not None:
            self.mouth.withdraw(number, 'cancelled')

    def _refuse(self) -> str:
        if not self.active or self.mouth is None:
            return f'the node is {self.state}'
        return self.mouth.problem

    def _on_reply(self, message: Any) -> None:
        settings = self.config.speech
        reason = self._words.why_silent_for_reply(message, settings.barge_in)
        if reason:
            self._fall_silent(reason)
        if (message.is_final and message.text and message.intent != 'quiet'
                and message.finish_reason not in ('cancel', 'reset')
                and 'replies' in split_list(settings.says)):
            urgent = message.emotion == Reply.URGENT
            self.say(message.text, origin='reply',
                     priority=Priority.HIGH if urgent else Priority.NORMAL)

    def _on_alert(self, message: Any) -> None:
        if not self._alerts.is_news(message):
            return
        assert self.mouth is not None, 'subscriptions exist only after set_up'
        settings = self.config.speech
        current = self.mouth.current
        if message.severity == Alert.CRITICAL and current and not current.alert:
            self.mouth.hush(f'a critical alert came: {message.label}')
        if 'alerts' in split_list(settings.says) \
                and message.severity >= settings.alerts_min_severity:
            self.say(message.message, origin='alert', alert=message.label,
                     severity=message.severity, priority=alert_priority(message.severity))

    def _on_transcript(self, message: Any) -> None:
        assert self.mouth is not None, 'subscriptions exist only after set_up'
        if self.mouth.busy:
            reason = self._words.why_silent(message.text, self.config.speech.barge_in)
            if reason:
                self._fall_silent(reason)
            elif not message.is_final:  # a final one may be of what was said before
                self._duck_for(message.text)

    def _on_overheard(self, message: Any) -> None:
        assert self.mouth is not None, 'subscriptions exist only after set_up'
        if self.mouth.busy:
            reason = self._words.why_silent_for_overheard(
                message.data, self.config.speech.barge_in, said=' '.join(self._said),
                now_s=time.monotonic())
            if reason:
                self._fall_silent(reason)
            else:
                self._duck_for(message.data)

    def _duck_for(self, text: str) -> None:
        """Speak softer where a text holds words that are not the robot's own."""
        assert self.mouth is not None, 'only a configured node hears'
        decibels = self.config.speech.duck_db
        if decibels and has_other_words(text, said=' '.join(self._said)):
            self.mouth.duck(decibels)

    def _on_stop(self, _request: Any, response: Any) -> Any:
        response.success = self._fall_silent('stopped by speech/stop')
        response.message = 'silent' if response.success else 'nothing was being said'
        return response

    def _fall_silent(self, reason: str) -> bool:
        assert self.mouth is not None, 'only a configured node is asked'
        return self.mouth.fall_silent(reason)

    def _note_begin(self, utterance: Utterance) -> None:
        self._said.append(utterance.text)
        self._saying.publish(String(data=utterance.text))

    def _note_over(self, outcome: Outcome) -> None:
        text = outcome.utterance.text
        if outcome.reason:
            self._newest_loss = f'{text!r} after {outcome.spoken:.0%}: {outcome.reason}'
            self.get_logger().warning(f'not said to its end: {self._newest_loss}')
        if outcome.spoken or not outcome.reason:
            self._saying.publish(String())
        self._action.end(outcome.utterance.number, outcome)

    def _publish_block(self, block: PlayedBlock, stamp_ns: int) -> None:
        self._tell_speaking(block.speaking and not block.over)
        assert self.mouth is not None, 'nothing is played before set_up'
        self._reference.publish(audio_message(AudioBlock(
            samples=block.samples, sample_rate_hz=self.mouth.rate_hz, stamp_ns=stamp_ns),
            seq=self.played_blocks, frame_id='loudspeaker'))
        self.played_blocks += 1

    def _tell_speaking(self, speaking: bool) -> None:
        if speaking != self._speaking:
            self._speaking = speaking
            self._flag.publish(Bool(data=speaking))

    def _make_report(self) -> StatusReport:
        report = StatusReport(values={'state': self.state, 'speaking': self._speaking})
        self.qos_watch.check(report)
        self.name_watch.check(report)
        self.recovery.report(report)
        if self.mouth is None:
            return report
        voice, now = self.mouth.voice, self.mouth.current
        report.values.update(
            vars(self.mouth.counts), waiting=len(self.mouth.queue),
            dropped=self.mouth.queue.dropped, saying=now.text if now else '',
            newest_loss=self._newest_loss, device=self.config.speech.device or 'default',
            engines=', '.join(voice.names) if voice else 'loading')
        if self.mouth.problem:
            report.add(ERROR, self.mouth.problem)
        if not self.active:
            report.add(WARN, f'says nothing: the node is {self.state}')
        for missing in voice.missing if voice else ():
            report.add(WARN, f'an engine is not there: {missing}')
        return report


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop."""
    return run(lambda: [SpeechNode()], args)


if __name__ == '__main__':
    raise SystemExit(main())
