"""Our processes are not reached by the shared memory of Fast DDS, unless somebody chose it."""

import re
from pathlib import Path

import pytest
import rclpy.utilities

from audio_interaction_ros.nodes.lifecycle.transport import leave_out_shared_memory
from audio_interaction_ros.resources import shipped_path
from bench.domain import claim_domain

pytestmark = pytest.mark.ros

NODES = Path(__file__).parents[2] / 'audio_interaction_ros/nodes'
TRANSPORTS, NEWER, OLDER = ('FASTDDS_BUILTIN_TRANSPORTS', 'FASTDDS_DEFAULT_PROFILES_FILE',
                            'FASTRTPS_DEFAULT_PROFILES_FILE')


@pytest.fixture
def unset(monkeypatch):
    for name in (TRANSPORTS, NEWER, OLDER):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize('reach', ['LOCALHOST', 'SUBNET'])
@pytest.mark.parametrize(('chosen', 'expected'), [({}, False), ({TRANSPORTS: 'DEFAULT'}, True)],
                         ids=['ours', 'chosen'])
def test_a_process_has_no_port_of_shared_memory_unless_it_was_chosen(
        robot, unset, capfd, reach, chosen, expected):
    if 'fastrtps' not in rclpy.utilities.get_rmw_implementation_identifier():
        pytest.skip('another middleware than Fast DDS')
    # in a domain of its own, for it opens the ports of others to write to them
    process = robot.process('encoder_node', ROS_AUTOMATIC_DISCOVERY_RANGE=reach,
                            ROS_DOMAIN_ID=str(claim_domain()), **chosen)
    said = []
    robot.wait(lambda: said.append(capfd.readouterr().err) or 'ready' in ''.join(said), 'it runs')
    mapped = Path(f'/proc/{process.pid}/maps').read_text()
    assert ('/dev/shm/fastdds_port' in mapped) == expected


@pytest.mark.parametrize('chosen', [
    {TRANSPORTS: 'LARGE_DATA'}, {NEWER: '/my.xml'}, {OLDER: '/my.xml'}])
def test_what_somebody_chose_is_kept(chosen):
    environment = dict(chosen)
    leave_out_shared_memory(environment)
    assert environment == chosen


def test_a_profile_in_the_working_folder_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'DEFAULT_FASTDDS_PROFILES.xml').touch()
    environment = {}
    leave_out_shared_memory(environment)
    assert environment == {}


@pytest.mark.parametrize(('distribution', 'name'), [
    ('humble', OLDER), ('jazzy', OLDER), ('kilted', NEWER), ('', NEWER)])
def test_the_profile_is_given_under_the_name_that_is_known(distribution, name):
    environment = {'ROS_DISTRO': distribution}
    leave_out_shared_memory(environment)
    assert environment == {'ROS_DISTRO': distribution, TRANSPORTS: 'UDPv4',
                           name: str(shipped_path('config/without_shared_memory.xml'))}


def test_no_other_module_brings_ros_up():
    found = [path.name for path in NODES.rglob('*.py')
             if re.search(r'\brclpy\.init\(', path.read_text(encoding='utf-8'))]
    assert found == ['transport.py']
