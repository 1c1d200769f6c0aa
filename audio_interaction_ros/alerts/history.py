"""
What became of alerts, for whoever asks again: who acknowledged, who cleared, what expired.

Owns the sentences that answer a person. Knows neither the policy nor a clock: the time of a
change comes as text.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from audio_interaction_ros.alerts.alert import Alert, AlertChange, AlertState, ChangeKind
from audio_interaction_ros.terminal import one_line

__all__ = ['MOST_CHARACTERS', 'AlertHistory']

_REMEMBERED = 100
MOST_CHARACTERS = 200
"""Of what a person or a client sent, as it stands in a sentence or the log."""
_TOLD = (ChangeKind.ACKNOWLEDGED, ChangeKind.CLEARED, ChangeKind.EXPIRED)


class AlertHistory:
    """Remembers the last ends and acknowledgements, and answers requests with them."""

    def __init__(self) -> None:
        """Begin without a past."""
        self._fates: OrderedDict[str, tuple[AlertState, str]] = OrderedDict()

    def note(self, changes: Iterable[AlertChange], at: str) -> None:
        """Take in what happened at a time (as text)."""
        for change in changes:
            if change.kind is ChangeKind.ESCALATED:
                self._fates.pop(change.alert.id, None)  # the acknowledgement no longer holds
            if change.kind in _TOLD:
                who = f' by {change.operator}' if change.operator else ''
                self._fates[change.alert.id] = (
                    change.alert.state, f'{change.kind.value}{who} at {at}')
                self._fates.move_to_end(change.alert.id)
        while len(self._fates) > _REMEMBERED:
            self._fates.popitem(last=False)

    def answer(self, kind: ChangeKind, alert_id: str, changes: Sequence[AlertChange],
               still_open: Sequence[Alert]) -> tuple[bool, str]:
        """
        Return whether what was asked for is so now, and a sentence.

        ``kind`` is what was asked for (acknowledged or cleared), of one alert or, with an empty
        id, of all; ``changes`` is what that did.
        """
        done = [change.alert.id for change in changes if change.kind is kind]
        if done:
            return True, f'{kind.value}: {", ".join(done)}'
        if not alert_id and not still_open:
            return True, 'none is open'
        noted = [alert.id for alert in still_open if alert_id in ('', alert.id)]
        if noted:  # open and not changed: acknowledged before
            return True, 'already ' + '; '.join(self._describe_acknowledgement(known_id)
                                                for known_id in noted)
        if alert_id in self._fates:
            return False, f'{alert_id} is over: {self._fates[alert_id][1]}'
        asked = one_line(alert_id, MOST_CHARACTERS)
        return False, (f"no alert '{asked}' is open; the ids of those that are stand in "
                       'alerts/active')

    def _describe_acknowledgement(self, alert_id: str) -> str:
        state, words = self._fates.get(alert_id, (None, ''))
        known = state is AlertState.ACKNOWLEDGED
        return f'{words if known else "acknowledged before the last start"}: {alert_id}'
