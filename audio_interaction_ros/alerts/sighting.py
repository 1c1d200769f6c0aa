"""
A sighting: one time that a label was seen: in a sound, in words, in what a model replies.

Owns what of a sighting becomes part of an alert. Whether it counts is the matter of ``policy``.
"""

from dataclasses import dataclass, replace

from audio_interaction_ros.alerts.alert import Alert, AlertState, Severity
from audio_interaction_ros.alerts.label_rule import LabelRule
from audio_interaction_ros.stream.events import FinalReply, ReplyFinished, SoundEnded, SoundStarted

__all__ = ['Sighting', 'note_end']

_WORTH = {'model': 0, 'words': 1, 'sound': 2}


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What was seen, by whom, and when."""

    severity: Severity
    message: str
    confidence: float
    start_ns: int
    """Onset in audio time."""
    end_ns: int
    """Up to where it was seen by now, audio time."""
    evidence: str
    """sound, words or model, as in ``Alert``."""
    sound: str = ''
    """The class of a sound; else empty."""
    score: float = 0.0
    threshold: float = 0.0

    @classmethod
    def of_reply(cls, reply: ReplyFinished, severity: Severity) -> 'Sighting':
        """Return what a reply says; how severe that is depends on its tone, too."""
        return cls(severity=severity, message=reply.text, confidence=reply.p_respond,
                   evidence='model', start_ns=reply.start_ns, end_ns=reply.end_ns)

    @classmethod
    def of_sound(cls, heard: SoundStarted, rule: LabelRule, language: str) -> 'Sighting':
        """Return what a sound says: its label's sentence, as severe as its label."""
        return cls(severity=rule.severity, message=rule.say.choose(language),
                   confidence=heard.score, start_ns=heard.onset_ns, end_ns=heard.stamp_ns,
                   evidence='sound', sound=heard.sound, score=heard.score,
                   threshold=heard.threshold)

    @classmethod
    def of_words(cls, answer: FinalReply, rule: LabelRule, language: str) -> 'Sighting':
        """Return what an intent says that was understood: its label's sentence, as of a sound."""
        return cls(severity=rule.severity, message=rule.say.choose(language),
                   confidence=answer.intent_confidence, evidence='words',
                   start_ns=answer.start_ns, end_ns=answer.end_ns)

    def open_alert(self, alert_id: str, rule: LabelRule, *, count: int) -> Alert:
        """Return the alert that this sighting, the last of ``count``, raises."""
        return Alert(
            id=alert_id, label=rule.label, category=rule.category, severity=self.severity,
            state=AlertState.ACTIVE, message=self.message, confidence=self.confidence,
            count=count, stamp_ns=self.start_ns, last_seen_ns=self.end_ns,
            ttl_ns=round(rule.timing.ttl_s * 1e9), requires_ack=rule.requires_ack,
            evidence=self.evidence, sound=self.sound, score=self.score, threshold=self.threshold)

    def merge_into(self, alert: Alert) -> Alert:
        """
        Return an open alert with this sighting.

        A more severe one makes it active again. Its sound is the one with the largest score, for
        a sound says more than words that were read, and these more than the words of a model.
        """
        escalates = self.severity > alert.severity
        merged = replace(
            alert, count=alert.count + 1, message=self.message,
            severity=max(self.severity, alert.severity),
            state=AlertState.ACTIVE if escalates else alert.state,
            confidence=max(alert.confidence, self.confidence), last_seen_ns=self.end_ns)
        if _WORTH[alert.evidence] > _WORTH[self.evidence] or alert.score > self.score:
            return merged
        return replace(merged, evidence=self.evidence, sound=self.sound, score=self.score,
                       threshold=self.threshold)


def note_end(alert: Alert, ended: SoundEnded) -> Alert:
    """Return an alert that was seen up to the end of a sound, with its largest score."""
    alert = replace(alert, last_seen_ns=max(alert.last_seen_ns, ended.offset_ns),
                    confidence=max(alert.confidence, ended.score))
    if alert.sound != ended.sound:
        return alert
    return replace(alert, score=max(alert.score, ended.score))
