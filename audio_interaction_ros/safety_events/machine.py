"""
Which rules are on, which outputs follow, and what happens once: all from what was heard and when.

Owns the state of every rule. Knows no topic: whoever owns those tells it what came, at steady
times in seconds, and asks ``step`` what follows. Fails closed: until the ears are known to work,
and whenever they are lost, each output is what the file says for that.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from audio_interaction_ros.alerts.alert import AlertState, Severity
from audio_interaction_ros.safety_events.rules_file import (
    ANY,
    LEVELS,
    Rule,
    SafetyEventsFile,
)

__all__ = ['OpenAlert', 'Pulse', 'RuleChange', 'SafetyMachine', 'Step']

_NEVER = float('-inf')
_NOTHING_YET = 'nothing was heard of the decoder yet'


@dataclass(frozen=True, kw_only=True)
class OpenAlert:
    """As much of an alert as rules ask for."""

    id: str
    label: str
    severity: Severity
    state: AlertState


@dataclass(frozen=True, kw_only=True)
class RuleChange:
    """A rule went on or off."""

    rule: str
    on: bool
    cause: str


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """Something that happens once on an output."""

    rule: str
    output: str
    cause: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """What follows from all that came so far."""

    changes: tuple[RuleChange, ...]
    pulses: tuple[Pulse, ...]
    levels: Mapping[str, bool]
    """Of every output that is on or off."""
    lost: str
    """Why nothing is known of what is heard; empty while the ears work."""


@dataclass
class _RuleState:
    on: bool = False
    causes: dict[str, str] = field(default_factory=dict)
    """What keeps it on now: key -> words."""
    until: float = _NEVER
    """It stays on up to here without a cause."""
    cause: str = ''
    pulsed_at: float = _NEVER
    new: list[str] = field(default_factory=list)
    """Causes that came since the last step, for what happens once."""
    suppressed: int = 0


class SafetyMachine:
    """The rules of one file."""

    def __init__(self, file: SafetyEventsFile) -> None:
        """Start with nothing heard."""
        self._file = file
        self._states = {name: _RuleState() for name in file.rules}
        self._alerts_at = self._heard_at = _NEVER
        self._sounds: dict[str, float] = {}
        self._lost = _NOTHING_YET
        # What keeps its state while the ears are lost has none before they first worked.
        self._kept = {name: output.kind == 'lock' and output.when_lost != 'release'
                      for name, output in file.outputs.items() if output.kind in LEVELS}

    @property
    def suppressed(self) -> dict[str, int]:
        """How often each rule's events came too soon after the last one, where they did."""
        return {name: state.suppressed for name, state in self._states.items()
                if state.suppressed}

    @property
    def on(self) -> dict[str, str]:
        """The rules that are on, and why."""
        return {name: state.cause for name, state in self._states.items() if state.on}

    def note_alerts(self, alerts: Sequence[OpenAlert], now: float) -> None:
        """Take in all alerts that are open."""
        self._alerts_at = now
        for name, rule in self._file.rules.items():
            if rule.alerts:
                self._set_causes(name, {
                    f'{alert.id} {alert.severity.name}':
                        f'alert {alert.label} {alert.severity.name}'
                    for alert in alerts if _concerns(rule, alert)}, now)

    def note_sound(self, sound: str, started: bool, now: float) -> None:
        """Take in that a sound began or ended."""
        if started:
            self._sounds[sound] = now
        else:
            self._sounds.pop(sound, None)
        self._follow_sounds(now)

    def note_intent(self, intent: str, confidence: float, now: float) -> None:
        """Take in what somebody wants."""
        for name, rule in self._file.rules.items():
            if _names(rule.intents, intent) and confidence >= rule.min_confidence:
                state = self._states[name]
                state.until = now + rule.hold_s
                state.new.append(f'intent {intent} {confidence:.2f}')

    def note_heard(self, now: float) -> None:
        """Take in that a chunk of audio was decided on."""
        self._heard_at = now

    def step(self, now: float) -> Step:
        """Return what follows at a steady time; call it after anything came, and now and then."""
        self._follow_sounds(now)
        self._lost = self._why_lost(now)
        for name, rule in self._file.rules.items():
            if rule.lost:
                self._set_causes(name, {'lost': self._lost} if self._lost else {}, now)
        changes, pulses = list[RuleChange](), list[Pulse]()
        for name, rule in self._file.rules.items():
            state = self._states[name]
            pulses += self._take_pulses(name, rule, state, now)
            on = bool(state.causes) or now < state.until
            if on != state.on:
                changes.append(RuleChange(rule=name, on=on, cause=state.cause))
            state.on = on
        return Step(changes=tuple(changes), pulses=tuple(pulses), levels=self._find_levels(),
                    lost=self._lost)

    def _set_causes(self, name: str, causes: Mapping[str, str], now: float) -> None:
        """Let these be what keeps a rule on; new ones happen, gone ones leave it on a while."""
        state, rule = self._states[name], self._file.rules[name]
        state.new += [words for key, words in causes.items() if key not in state.causes]
        if state.causes and not causes:
            state.until = now + rule.hold_s
        state.causes = dict(causes)

    def _follow_sounds(self, now: float) -> None:
        for name, rule in self._file.rules.items():
            if rule.sounds:
                self._set_causes(name, {
                    f'{sound} {since}': f'sound {sound}' for sound, since in self._sounds.items()
                    if _names(rule.sounds, sound) and now - since < rule.longest_s}, now)

    def _take_pulses(self, name: str, rule: Rule, state: _RuleState, now: float) -> list[Pulse]:
        """Return what happens now of the causes that came; the rest came too soon."""
        pulses: list[Pulse] = []
        for cause in state.new:
            state.cause = cause
            if now - state.pulsed_at < rule.at_most_every_s:
                state.suppressed += 1
                continue
            state.pulsed_at = now
            pulses += [Pulse(rule=name, output=output, cause=cause) for output in rule.to
                       if self._file.outputs[output].kind not in LEVELS]
        state.new.clear()
        return pulses

    def _find_levels(self) -> dict[str, bool]:
        for name in self._kept:
            output = self._file.outputs[name]
            wanted = any(state.on for rule, state in self._states.items()
                         if name in self._file.rules[rule].to)
            if self._lost and output.kind != 'diagnostics':
                wanted = {'engage': True, 'release': False,
                          'keep': self._kept[name]}[output.when_lost]
            self._kept[name] = wanted
        return dict(self._kept)

    def _why_lost(self, now: float) -> str:
        watch = self._file.watch
        if self._alerts_at == _NEVER:
            return _NOTHING_YET
        if now - self._alerts_at > watch.decoder_silent_s:
            self._sounds.clear()  # nobody will say that they ended
            return (f'no alerts/active for {watch.decoder_silent_s:g} s: the decoder is busy or '
                    'gone')
        if watch.deaf_s and now - self._heard_at > watch.deaf_s:
            return (f'no decisions for {watch.deaf_s:g} s: no audio, muted, or a model that is '
                    'being loaded')
        return ''


def _names(names: Collection[str], one: str) -> bool:
    return bool(one) and (one in names or ANY in names)


def _concerns(rule: Rule, alert: OpenAlert) -> bool:
    wanted = alert.state is AlertState.ACTIVE or rule.until == 'ended' and alert.state.open
    return wanted and _names(rule.alerts, alert.label) and alert.severity >= rule.min_severity
