"""
What a run of the tests left out is said at its end, and may not be more than is known.

A test that is skipped where a package is missing rots unseen. Every skip is listed with its
reason; in `.ci/run` (CI=true) one that is not in ``MAY_BE_LEFT_OUT`` fails the run. Nothing that
the README promises may hang on a test that is named there.
"""

import contextlib
import ctypes
import os
import re
from collections import Counter

import pytest

try:
    import hypothesis
except ModuleNotFoundError:  # as in `colcon test` after `make setup`
    pytest.exit('the tests need more than a robot does: run `make workshop`, then try again',
                returncode=4)

# A busy machine is no fault: no property of ours is about time.
hypothesis.settings.register_profile('any machine', deadline=None, suppress_health_check=[
    hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile('any machine')

MAY_BE_LEFT_OUT = {
    'only the stand-in was tried': 'launch is on no package index; a stand-in runs the same tests',
    "could not import 'speechcolab'": 'one corpus, which a person downloads by hand',
    "could not import 'pyarrow'": 'requirements/cluster.txt, for a Ray cluster',
    "could not import 'ray'": 'requirements/cluster.txt, for a Ray cluster',
    'no TensorRT for RTX': "NVIDIA's compiler, of some hundred megabytes; docs/export.md",
    'espeak-ng is not installed': 'a voice of the system, for training',
    'pyaec is not installed': 'an echo canceller whose wheel names no licence; docs/voice.md',
    'flite is not installed': 'a voice of the system, for training',
    'Node is not installed': 'the page is tested in Chromium too; apt install nodejs',
    'Chromium is not installed': 'server and modules of the page are tested without a browser',
    'foxglove_msgs is not installed': 'on no package index; what goes into its fields is tested',
    'audio_interaction_bt is not built': 'needs BehaviorTree.CPP',
    'hri_msgs is not installed': 'on no package index; what goes into its fields is tested',
    'this CPU does not compute in bfloat16': 'weights are packed on such CPUs only',
}


class RosModule(pytest.Module):
    """A module of tests that is imported only where ROS 2 and our messages are there."""

    def collect(self):
        """Leave the module out, or collect it as any other."""
        pytest.importorskip('rclpy', reason='ROS 2 is not installed: run make setup')
        # the sources of the messages look like a package; only built ones have classes
        if not hasattr(pytest.importorskip('audio_interaction_msgs.msg'), 'AudioChunk'):
            pytest.skip('the messages are not built: run make setup', allow_module_level=True)
        return super().collect()


def pytest_pycollect_makemodule(module_path, parent):
    """Take a module for one of ROS 2 by its marker, so that none need guard its imports."""
    if re.search(r'^pytestmark = .*\bmark\.ros\b', module_path.read_text('utf-8'), re.MULTILINE):
        return RosModule.from_parent(parent, path=module_path)
    return None


@pytest.fixture(scope='session', autouse=True)
def _nobody_taught_a_sound(tmp_path_factory):
    """Let no sound that the user of this machine taught be heard in a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('AUDIO_INTERACTION_SOUNDS', str(tmp_path_factory.mktemp('sounds')))
        yield


@pytest.fixture(autouse=True)
def _denormal_numbers_are_numbers():
    """Undo what opening a session did to the test's thread: hypothesis draws such numbers."""
    yield
    with contextlib.suppress(OSError, AttributeError):  # another C library opened no session so
        ctypes.CDLL('libm.so.6').fesetenv(ctypes.c_void_p(-1))  # FE_DFL_ENV


def unknown(reasons):
    """Return the reasons that no entry of MAY_BE_LEFT_OUT is part of."""
    return [reason for reason in reasons if not any(known in reason for known in MAY_BE_LEFT_OUT)]


def reason_of(report):
    where = report.longrepr
    text = where[2] if isinstance(where, tuple) else str(where)
    return text.removeprefix('Skipped: ')


def skipped(reporter):
    return Counter(reason_of(report) for report in reporter.stats.get('skipped', ()))


def pytest_terminal_summary(terminalreporter):
    left_out = skipped(terminalreporter)
    if left_out:
        terminalreporter.section('left out, and why')
    for reason, count in sorted(left_out.items()):
        terminalreporter.line(f'{count:4d}  {reason}')
    for reason in unknown(left_out):
        terminalreporter.line(f'not in MAY_BE_LEFT_OUT of test/conftest.py: {reason}', red=True)


def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin('terminalreporter')
    if os.environ.get('CI') and exitstatus == 0 and unknown(skipped(reporter)):
        session.exitstatus = 1
