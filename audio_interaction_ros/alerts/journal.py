"""
Alerts that wait for a person, as a small file that outlives the process.

Owns the format and how it is written: whole or not at all. Knows no ROS, no threads and no
clock; which file it is and how old it may be is the caller's matter.
"""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from audio_interaction_ros.alerts.alert import Alert, AlertState, Category, Severity
from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.whole_file import write_whole

__all__ = ['JournalError', 'JournalContents', 'read', 'waiting_for_a_person', 'write']

_FORMAT, _VERSION = 'audio_interaction_ros alerts', 1
_MOST_BYTES = 1_000_000
_MOST_TEXT = 10_000
_MOST_NS = (2 ** 31 - 1) * 1_000_000_000
"""The last time that a message can hold."""


class JournalError(AudioInteractionError):
    """A journal cannot be read or written; what it held, or should hold, is not known."""


@dataclass(frozen=True, kw_only=True)
class JournalContents:
    """What a journal holds."""

    alerts: tuple[Alert, ...] = ()
    frame_id: str = ''
    """The microphone that heard them."""
    saved_s: float = 0.0
    """Wall time of writing, seconds since 1970."""


def waiting_for_a_person(alerts: Sequence[Alert]) -> tuple[Alert, ...]:
    """Return the open alerts that only a person ends, or has taken note of."""
    return tuple(alert for alert in alerts if alert.requires_ack and alert.state.open)


def read(path: Path) -> JournalContents:
    """
    Return what a journal holds; nothing where there is none.

    Raises JournalError for everything that ``write`` did not write, whatever its bytes are.
    """
    try:
        if not path.exists():
            return JournalContents()
        if not path.is_file():
            raise JournalError(f'{path}: expected a journal of alerts, found no ordinary file')
        with path.open('rb') as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise JournalError(f'{path}: the journal of alerts cannot be read ({error})') from error
    if len(data) > _MOST_BYTES:
        raise JournalError(f'{path}: expected a journal of alerts, found more than '
                           f'{_MOST_BYTES} bytes')
    return parse(data, source=str(path))


def write(path: Path, kept: JournalContents) -> None:
    """
    Replace a journal as a whole; one without alerts is deleted.

    A reader, and a power cut, find the old or the new one. Raises JournalError when neither
    folder nor file can be written.
    """
    try:
        if not kept.alerts:
            path.unlink(missing_ok=True)
            _require_room(path.parent)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, dump(kept), private=True)
    except OSError as error:
        raise JournalError(f'{path}: the journal of alerts cannot be written ({error})') from error


def _require_room(folder: Path) -> None:
    """Raise OSError where nothing could be written later; make no folder for that."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise PermissionError(f'{folder} is no folder that can be written')


def dump(kept: JournalContents) -> bytes:
    """Return a journal as bytes of JSON."""
    return json.dumps({
        'format': _FORMAT, 'version': _VERSION, 'saved_s': kept.saved_s,
        'frame_id': kept.frame_id, 'alerts': [_to_record(alert) for alert in kept.alerts],
    }, ensure_ascii=True, indent=1).encode()


def _to_record(alert: Alert) -> dict[str, Any]:
    record = dict(vars(alert))
    for key in ('category', 'severity', 'state'):
        record[key] = record[key].name
    record['message'] = alert.message[:_MOST_TEXT]
    return record


def parse(data: bytes, *, source: str) -> JournalContents:
    """Return what the bytes of a journal hold; raises JournalError for all others."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise JournalError(
            f'{source}: expected a journal of alerts, found no JSON ({error})') from error
    return _Reader(source).read_journal(document)


class _Reader:
    """Believes nothing of a document and names what is wrong with it."""

    def __init__(self, source: str) -> None:
        self._source = source

    def read_journal(self, document: Any) -> JournalContents:
        if not isinstance(document, dict) or document.get('format') != _FORMAT:
            self._fail('format', repr(_FORMAT), document)
        if document.get('version') != _VERSION:
            self._fail('version', f'version {_VERSION}', document.get('version'))
        records = document.get('alerts')
        if not isinstance(records, list):
            self._fail('alerts', 'a list', records)
        alerts = tuple(self._read_alert(record, f'alerts[{i}]') for i,
                       record in enumerate(records))
        if len({alert.label for alert in alerts}) != len(alerts):
            self._fail('alerts', 'one alert of a label', [alert.label for alert in alerts])
        saved_s = self._read_number(document, 'saved_s', '')
        return JournalContents(alerts=alerts, saved_s=saved_s,
                               frame_id=self._read_text(document, 'frame_id', ''))

    def _read_alert(self, record: Any, at: str) -> Alert:
        if not isinstance(record, dict):
            self._fail(at, 'a mapping', record)
        requires_ack = record.get('requires_ack')
        state = self._read_name(AlertState, record, 'state', at)
        if requires_ack is not True or not state.open:
            self._fail(at, 'an open alert that asks for acknowledgement', record)
        return Alert(
            **self._read_evidence(record, at),
            id=self._read_text(record, 'id', at), label=self._read_text(record, 'label', at),
            category=self._read_name(Category, record, 'category', at),
            severity=self._read_name(Severity, record, 'severity', at), state=state,
            message=self._read_text(record, 'message', at),
            confidence=self._read_share(record, 'confidence', at),
            count=self._read_whole_number(record, 'count', at, 1, 2 ** 32 - 1),
            stamp_ns=self._read_whole_number(record, 'stamp_ns', at, -_MOST_NS, _MOST_NS),
            last_seen_ns=self._read_whole_number(record, 'last_seen_ns', at, -_MOST_NS, _MOST_NS),
            ttl_ns=self._read_whole_number(record, 'ttl_ns', at, 0, _MOST_NS), requires_ack=True)

    def _read_evidence(self, record: dict[str, Any], at: str) -> dict[str, Any]:
        """Return who says so; nothing of that stands in journals from before there were sounds."""
        if 'evidence' not in record:
            return {}
        evidence = record['evidence']
        if evidence not in ('sound', 'words', 'model'):
            self._fail(f'{at}.evidence', 'sound, words or model', evidence)
        return {'evidence': evidence, 'sound': self._read_text(record, 'sound', at),
                'score': self._read_share(record, 'score', at),
                'threshold': self._read_share(record, 'threshold', at)}

    def _read_share(self, record: dict[str, Any], key: str, at: str) -> float:
        return min(max(self._read_number(record, key, at), 0.0), 1.0)

    def _read_text(self, record: dict[str, Any], key: str, at: str) -> str:
        value = record.get(key)
        if (not isinstance(value, str) or len(value) > _MOST_TEXT or '\0' in value
                or any('\ud800' <= character <= '\udfff' for character in value)):
            self._fail(f'{at}.{key}', 'a text that a message can hold', value)
        return value

    def _read_number(self, record: dict[str, Any], key: str, at: str) -> float:
        value = record.get(key)
        if (isinstance(value, bool) or not isinstance(value, int | float)
                or abs(value) > 1e18 or not math.isfinite(value)):
            self._fail(f'{at}.{key}', 'a number', value)
        return float(value)

    def _read_whole_number(self, record: dict[str, Any], key: str, at: str, low: int,
                           high: int) -> int:
        value = record.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self._fail(f'{at}.{key}', f'a whole number from {low} to {high}', value)
        return value

    def _read_name(self, enum: Any, record: dict[str, Any], key: str, at: str) -> Any:
        value = record.get(key)
        if not isinstance(value, str) or value not in enum.__members__:
            self._fail(f'{at}.{key}', f'one of {", ".join(enum.__members__)}', value)
        return enum[value]

    def _fail(self, at: str, expected: str, found: Any) -> NoReturn:
        raise JournalError(f'{self._source}: {at}: expected {expected}, found {found!r:.100}')
