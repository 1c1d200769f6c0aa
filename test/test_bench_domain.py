"""Robots of tests and benchmarks: each in a domain in which nobody else of this machine is."""

import socket
import subprocess
import sys

import pytest

from bench import domain

pytestmark = pytest.mark.unit


@pytest.fixture
def three(monkeypatch):
    monkeypatch.setattr(domain, '_SAFE_DOMAINS', range(90, 93))
    monkeypatch.setattr(domain, '_claims', [])
    yield
    for claim in domain._claims:
        claim.close()


def test_no_domain_is_claimed_twice_and_a_full_machine_says_so(three):
    assert sorted(domain.claim_domain() for _ in range(3)) == [90, 91, 92]
    with pytest.raises(RuntimeError, match='free ROS domain of 90 to 92'):
        domain.claim_domain()


def test_a_domain_in_which_a_robot_is_is_left_to_it(three):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as participant:
        participant.bind(('', 7400 + 250 * 91 + 10))
        assert sorted(domain.claim_domain() for _ in range(2)) == [90, 92]


def test_another_process_gets_another_domain(three):
    mine = domain.claim_domain()
    script = ('from bench import domain; domain._SAFE_DOMAINS = range(90, 93); '
              'print(domain.claim_domain(), domain.claim_domain())')
    theirs = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert {mine, *map(int, theirs.stdout.split())} == {90, 91, 92}
