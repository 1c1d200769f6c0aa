"""
Many cases of what anybody may send: ``FUZZ_CASES=1000000 make test TESTS=test/fuzz``.

What is read must come out right or end in an error of this package, which says what was expected;
any other exception fails. The cases are divided between the targets, those of files and long
streams getting a share that takes about as long as the others. Without the variable a few thousand
run, always the same ones; with it they are drawn anew in each run.
"""

import os

import hypothesis
import pytest

CASES = int(os.environ.get('FUZZ_CASES', '4000'))


def pytest_collection_modifyitems(items):
    """Give every target of this folder its share of the cases."""
    targets = [item for item in items if 'fuzz' in item.path.parts
               and hasattr(item.obj, 'hypothesis')]
    shares = {item: next(item.iter_markers('share')).args[0] for item in targets}
    for item in targets:
        hypothesis.settings(
            max_examples=max(10, CASES * shares[item] // 100), deadline=None, database=None,
            print_blob=True,
            derandomize='FUZZ_CASES' not in os.environ,
            suppress_health_check=list(hypothesis.HealthCheck))(item.obj)


@pytest.fixture(scope='session', autouse=True)
def whole(request):
    """Hold that the shares of the targets are a whole."""
    shares = [next(item.iter_markers('share')).args[0] for item in request.session.items
              if 'fuzz' in item.path.parts and hasattr(item.obj, 'hypothesis')]
    assert sum(shares) <= 100, shares
