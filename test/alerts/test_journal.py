"""The journal: what is written comes back; what nobody wrote is refused, whatever it is."""

import json
import os
import stat
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.alerts.alert import Alert, AlertState, Category, Severity
from audio_interaction_ros.alerts.journal import (
    JournalContents,
    JournalError,
    dump,
    parse,
    read,
    waiting_for_a_person,
    write,
)
from audio_interaction_ros.alerts.keeper import AlertKeeper

pytestmark = pytest.mark.unit

S = 1_000_000_000
ALERT = Alert(
    id='smoke_alarm-1700-3', label='smoke_alarm', category=Category.ALARM,
    severity=Severity.CRITICAL, state=AlertState.ACTIVE, message='There is a smoke alarm! 烟',
    confidence=0.75, count=3, stamp_ns=1_700 * S, last_seen_ns=1_710 * S, ttl_ns=60 * S,
    requires_ack=True)
HEARD = replace(ALERT, id='fire-1-1', label='fire', state=AlertState.ACKNOWLEDGED,
                evidence='sound', sound='fire_crackling', score=0.96875, threshold=0.625)
KEPT = JournalContents(alerts=(ALERT, HEARD), frame_id='mic', saved_s=1_700_000_000.5)


def test_words_that_were_read_are_evidence_too(tmp_path):
    spoken = replace(ALERT, evidence='words')
    write(tmp_path / 'a.json', replace(KEPT, alerts=(spoken,)))
    assert read(tmp_path / 'a.json').alerts == (spoken,)


def test_what_is_written_comes_back(tmp_path):
    path = tmp_path / 'deep' / 'alerts.json'
    write(path, KEPT)
    assert read(path) == KEPT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ['alerts.json']


def test_a_journal_from_before_there_were_sounds_is_read():
    document = json.loads(dump(KEPT))
    for record in document['alerts']:
        for key in ('evidence', 'sound', 'score', 'threshold'):
            del record[key]
    old = parse(json.dumps(document).encode(), source='test')
    assert old.alerts == (ALERT, replace(HEARD, evidence='model', sound='', score=0.0,
                                         threshold=0.0))


@pytest.mark.parametrize(('key', 'value'), [
    ('evidence', 'ears'), ('evidence', None), ('sound', 3), ('score', 'high'),
    ('threshold', None)])
def test_evidence_that_nobody_wrote_is_refused(key, value):
    document = json.loads(dump(KEPT))
    document['alerts'][1][key] = value
    with pytest.raises(JournalError, match=rf'alerts\[1\]\.{key}'):
        parse(json.dumps(document).encode(), source='test')


def test_without_alerts_there_is_no_file_and_no_folder(tmp_path):
    path = tmp_path / 'deep' / 'alerts.json'
    assert read(path) == JournalContents()
    write(path, JournalContents())
    assert not path.parent.exists()
    write(path, KEPT)
    write(path, JournalContents())
    assert not path.exists()


def test_only_open_alerts_that_ask_for_a_person_are_kept():
    mild = replace(ALERT, requires_ack=False)
    ended = replace(ALERT, state=AlertState.CLEARED)
    noted = replace(ALERT, state=AlertState.ACKNOWLEDGED)
    assert waiting_for_a_person([mild, ALERT, ended, noted]) == (ALERT, noted)


@pytest.mark.parametrize('blocker', ['file', 'folder'])
def test_a_place_that_cannot_be_written_is_named(tmp_path, blocker):
    if blocker == 'file':
        (tmp_path / 'home').write_text('')
        path = tmp_path / 'home' / 'alerts.json'
    else:
        path = tmp_path / 'alerts.json'
        path.mkdir()
        (path / 'x').write_text('')
    for kept in (KEPT, JournalContents()):
        with pytest.raises(JournalError, match='cannot be written'):
            write(path, kept)


def test_a_full_disk_leaves_the_old_journal_whole(tmp_path, monkeypatch):
    path = tmp_path / 'alerts.json'
    write(path, KEPT)

    def full(_number):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(JournalError, match='No space left'):
        write(path, replace(KEPT, alerts=(ALERT,)))
    assert read(path) == KEPT
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_decoder_left_of_a_journal_goes_at_the_next_start(tmp_path):
    path = tmp_path / 'alerts.json'
    write(path, KEPT)
    (tmp_path / '.alerts.json.abc.unfinished').write_bytes(b'half')
    keeper = AlertKeeper(place=lambda: path, lifetime_s=1e9)
    assert keeper.recall() == KEPT
    keeper.close()
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_ordinary_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / 'alerts.json')  # to open it would wait for ever
    with pytest.raises(JournalError, match='no ordinary file'):
        read(tmp_path / 'alerts.json')


def test_a_file_too_large_is_not_read_whole(tmp_path):
    (tmp_path / 'alerts.json').write_bytes(b' ' * 2_000_000)
    with pytest.raises(JournalError, match='more than'):
        read(tmp_path / 'alerts.json')


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(
    lambda text: text.encode('utf-8', 'surrogatepass')),
    st.integers(1, 100_000).map(lambda depth: b'[' * depth)))
def test_no_bytes_do_harm(data):
    with pytest.raises(JournalError):
        parse(data, source='test')


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
    | st.sampled_from([2 ** 31 * S, -1, 1e300, '\ud800', 'a\0b', 'ACTIVE', 'CLEARED', 'INFO']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=3), max_leaves=5)
KEYS = [*vars(ALERT), 'format', 'version', 'saved_s', 'frame_id', 'alerts']


@given(st.lists(st.tuples(st.sampled_from(KEYS), VALUES), min_size=1, max_size=3))
def test_a_damaged_journal_is_refused_or_holds_sound_alerts(changes):
    document = json.loads(dump(KEPT))
    for key, value in changes:
        (document if key in document else document['alerts'][0] if isinstance(
            document['alerts'], list) and document['alerts'] and isinstance(
                document['alerts'][0], dict) else {})[key] = value
    try:
        kept = parse(json.dumps(document).encode(), source='test')
    except JournalError as error:
        assert str(error).startswith('test: ')
        return
    assert parse(dump(kept), source='test') == kept
    for alert in kept.alerts:
        assert alert.state.open and alert.requires_ack and 0 <= alert.confidence <= 1
        (alert.message + alert.id + alert.label).encode()


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_a_journal_cut_short_or_overwritten_in_part_is_refused_or_whole(start, length):
    data = dump(KEPT)
    for damaged in (data[:start], data[:start] + data[start + length:]):
        try:
            assert parse(damaged, source='test').alerts
        except JournalError:
            assert damaged != data
