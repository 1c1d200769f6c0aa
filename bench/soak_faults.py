"""The faults of a soak, each caused and waited out: kills, stops, gaps, bursts, broken audio."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable

from bench.soak_feed import AHEAD, BATCH, PATIENCE_S, Feed

__all__ = ['Faults']


class Faults:
    """Chooses faults at random and counts them."""

    def __init__(self, feed: Feed, chance: random.Random) -> None:
        """Cause nothing yet."""
        self._feed, self._robot, self._chance = feed, feed.robot, chance
        self.counts: Counter[str] = Counter()
        self.left_behind = 0
        """Chunks that a killed encoder had published and that were never taken."""

    def choose(self) -> str:
        """Return the name of a fault, and count it."""
        names = set(self._all())
        if self._feed.realtime:
            names.remove('decoder slow')  # only the scripted model can be told to be
        name = self._chance.choice(sorted(names))
        self.counts[name] += 1
        return name

    def cause(self, name: str) -> None:
        """Let it happen."""
        self._all()[name]()

    def _all(self) -> dict[str, Callable[[], None]]:
        return {
            'gap': lambda: self._feed.speak(1, skip_s=self._chance.uniform(0.1, 20.0)),
            'burst': lambda: self._feed.speak(self._chance.randint(33, 120), pace=False),
            'NaN': lambda: self._feed.speak(1, 'nan'),
            'foreign chunk': self._send_foreign,
            'encoder killed': self._kill_encoder,
            'decoder killed': self._kill_decoder,
            'encoder stopped': lambda: self._stop_for_a_while('encoder_node'),
            'decoder stopped': lambda: self._stop_for_a_while('decoder_node'),
            'decoder slow': self._slow_decoder,
            'encoder reset': lambda: self._feed.call('encoder_node/reset'),
            'decoder reset': lambda: self._feed.call('decoder_node/reset'),
            'prompt': lambda: self._feed.call('decoder_node/set_prompt', lane='assistant', prompt=(
                'Say what you hear. ' * self._chance.randint(1, 30))),
            'muted': self._mute_encoder}

    def _send_foreign(self) -> None:
        seen, count = self._robot.seen, self._robot.seen.foreign
        self._robot.tell('foreign')
        self._feed.expect(lambda: seen.foreign > count, 'a foreign chunk was sent')

    def _kill_encoder(self) -> None:
        seen = self._robot.seen
        self._feed.speak(BATCH, pace=False)
        self._robot.kill('encoder_node')
        self._feed.expect(lambda: seen.listeners == 0, 'the killed encoder is gone')
        epoch = max(seen.published, default=0)
        if epoch and not seen.wait(
                lambda: seen.consumed.get(epoch, 0) >= seen.published[epoch], PATIENCE_S):
            self.left_behind += seen.published[epoch] - seen.consumed.get(epoch, 0)
        self._robot.start('encoder_node')
        self._feed.speak(BATCH, pace=False)  # nobody hears these
        self._feed.expect(lambda: seen.listeners > 0, 'the encoder is back')
        self._feed.forget_owed()

    def _kill_decoder(self) -> None:
        seen, before = self._robot.seen, self._robot.seen.consumer
        self._feed.speak(BATCH, pace=False)
        self._robot.kill('decoder_node')
        self._feed.speak(2 * BATCH, pace=False)
        self._robot.start('decoder_node')
        self._feed.expect(lambda: seen.consumer != before, 'the decoder is back')

    def _stop_for_a_while(self, name: str) -> None:
        self._robot.send(name, signal.SIGSTOP)
        self._feed.speak(self._chance.randint(1, 60), pace=False)
        time.sleep(self._chance.uniform(0.2, 4.0))
        self._robot.send(name, signal.SIGCONT)

    def _slow_decoder(self) -> None:
        self._robot.send('decoder_node', signal.SIGUSR1)
        self._feed.speak(2 * AHEAD, pace=False)
        time.sleep(2.0)
        self._robot.send('decoder_node', signal.SIGUSR2)

    def _mute_encoder(self) -> None:
        self._feed.call('encoder_node/set_listening', data=False)
        self._feed.speak(BATCH, pace=False)
        self._feed.call('encoder_node/set_listening', data=True)
        self._feed.expect(lambda: self._robot.seen.listeners > 0, 'the encoder listens again')
