"""Who may see the page: addresses, names, origins, tokens."""

import pytest

from audio_interaction_ros.config import MonitorConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.monitor.door import Door, is_loopback

pytestmark = pytest.mark.unit

TOKEN = 'a token of enough letters'


@pytest.mark.parametrize('host', ['127.0.0.1', '127.0.5.1', '::1', 'localhost'])
def test_this_machine_needs_no_token(host):
    assert is_loopback(host) and not Door(MonitorConfig(host=host)).has_lock


@pytest.mark.parametrize('host', ['0.0.0.0', '::', '192.168.1.4', 'robot.local', ''])
def test_another_address_is_refused_without_a_token(host):
    with pytest.raises(ConfigurationError, match='set monitor.token'):
        Door(MonitorConfig(host=host))
    assert Door(MonitorConfig(host=host, token=TOKEN)).has_lock


def test_a_short_token_is_refused_and_not_repeated():
    with pytest.raises(ConfigurationError, match='16 characters') as caught:
        Door(MonitorConfig(token='short secret'))
    assert 'short secret' not in str(caught.value)


@pytest.mark.parametrize('host', ['127.0.0.1:8480', 'localhost', 'LOCALHOST:9', '[::1]:8480',
                                  '10.0.0.7:8480', 'robot.local:8480', 'localhost.'])
def test_an_address_and_a_name_that_was_given_are_known(host):
    assert not Door(MonitorConfig(names='robot.local')).refuse_host(host)


@pytest.mark.parametrize('host', ['', 'evil.example', '127.0.0.1.evil.example', 'localhost.evil',
                                  'evil@localhost.evil', '[', 'robot.local'])
def test_a_foreign_name_is_refused(host):
    """As when somebody lets a name of their own point at this machine."""
    assert Door(MonitorConfig()).refuse_host(host)


@pytest.mark.parametrize('origin', ['http://evil.example', 'null', 'http://127.0.0.1:1',
                                    'file://127.0.0.1:8480', 'http://localhost:8480', ''])
def test_a_foreign_origin_is_refused(origin):
    headers = {'Host': '127.0.0.1:8480', **({'Origin': origin} if origin else {})}
    assert Door(MonitorConfig()).refuse_origin(headers)


@pytest.mark.parametrize('scheme', ['http', 'https'])
def test_the_page_itself_is_no_stranger(scheme):
    """Also where a proxy speaks https for it."""
    assert not Door(MonitorConfig()).refuse_origin(
        {'Host': 'robot.local', 'Origin': f'{scheme}://robot.local'})


def test_token_and_cookie_open_the_door_and_nothing_else_does():
    door = Door(MonitorConfig(token=TOKEN))
    assert not door.refuse_stranger({'Authorization': f'Bearer {TOKEN}'}, '')
    assert not door.refuse_stranger({}, door.cookie)
    assert not door.refuse_origin({'Host': 'x', 'Authorization': f'bearer {TOKEN}'})
    for headers, cookie in (({}, ''), ({}, TOKEN), ({'Authorization': TOKEN}, ''),
                            ({'Authorization': 'Bearer'}, 'é\udcff'),
                            ({'Authorization': 'Bearer another token of length'}, '0' * 64)):
        assert door.refuse_stranger(headers, cookie)
    assert TOKEN not in door.cookie
    assert door.cookie == Door(MonitorConfig(token=TOKEN)).cookie, 'after a new start too'
    assert door.cookie != Door(MonitorConfig(token=f'{TOKEN}!')).cookie


def test_without_a_token_no_authorization_helps():
    door = Door(MonitorConfig())
    assert door.refuse_origin({'Host': 'localhost', 'Authorization': 'Bearer '})
    assert door.try_token('')


def test_ten_wrong_tokens_a_minute_are_enough():
    now = [0.0]
    door = Door(MonitorConfig(token=TOKEN), clock=lambda: now[0])
    for _ in range(10):
        assert door.try_token('wrong') == 'this is not the token'
    assert 'wait a minute' in door.try_token(TOKEN)
    now[0] = 60.0
    assert door.try_token(TOKEN) == ''
