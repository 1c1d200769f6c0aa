"""Robots of tests and benchmarks: each in a domain in which nobody else of this machine is."""

import socket
import subprocess
import sys

import pytest

from bench import domain

pytestmark = pytest.mark.unit


@pytest.fixture
def three(monkeypatch):
    """Leave three domains to choose from, that were free a moment ago: others run beside us."""
    monkeypatch.setattr(domain, '_claims', [])
    free = sorted(domain.claim_domain() for _ in range(3))
    _release()
    monkeypatch.setattr(domain, '_SAFE_DOMAINS', free)
    yield free
    _release()


def _release():
    while domain._claims:
        domain._claims.pop().close()


def test_no_domain_is_claimed_twice_and_a_full_machine_says_so(three):
    assert sorted(domain.claim_domain() for _ in range(3)) == three
    with pytest.raises(RuntimeError, match=f'found all 3 of {three[0]} to {three[2]} taken'):
        domain.claim_domain()


def test_a_domain_in_which_a_robot_is_is_left_to_it(three):
    first, robot, last = three
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as participant:
        participant.bind(('', 7400 + 250 * robot + 10))
        assert sorted(domain.claim_domain() for _ in range(2)) == [first, last]


def test_another_process_gets_another_domain(three):
    mine = domain.claim_domain()
    script = (f'from bench import domain; domain._SAFE_DOMAINS = {three}; '
              'print(domain.claim_domain(), domain.claim_domain())')
    theirs = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert {mine, *map(int, theirs.stdout.split())} == set(three)
