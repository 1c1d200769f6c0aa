"""The release tree, and the wheel of the package without ROS, built and run as a user does."""

import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

pytest.importorskip('catkin_pkg', reason='comes with colcon of ROS 2')

from scripts.lay_release import PACKAGES, check_release, lay_release  # noqa: E402

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parents[1]
ROS = 'audio_interaction_ros'
KEYS = {'numpy': 'python3-numpy', 'PyYAML': 'python3-yaml', 'soundfile': 'python3-soundfile'}
"""Requirements that rosdep installs as packages of the system."""


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    """Return a folder with both packages side by side."""
    out = tmp_path_factory.mktemp('release')
    lay_release(out)
    return out


@pytest.fixture(scope='module')
def installed(tree, tmp_path_factory):
    """Return the bin folder of an environment that has the wheel, and packages but no sources."""
    place = tmp_path_factory.mktemp('wheel')
    pip = [sys.executable, '-m', 'pip', '-q', '--disable-pip-version-check']
    subprocess.run([*pip, 'wheel', '--no-deps', '--no-build-isolation', '--no-index',
                    str(tree / ROS), '-w', str(place)], check=True)
    venv.create(place / 'env', with_pip=False)
    purelib = place / 'env' / 'lib' / Path(sysconfig.get_path('purelib')).relative_to(
        Path(sysconfig.get_path('purelib')).parents[1])
    (purelib / 'packages.pth').write_text(sysconfig.get_path('purelib') + '\n')
    subprocess.run([*pip, '--python', str(place / 'env/bin/python'), 'install', '--no-deps',
                    '--no-index', *map(str, place.glob('*.whl'))], check=True)
    return place / 'env' / 'bin'


@pytest.fixture
def outside(monkeypatch, tmp_path):
    """Stand where nobody finds the sources: another folder, no search path, no ROS."""
    monkeypatch.chdir(tmp_path)
    for name in ('PYTHONPATH', 'AMENT_PREFIX_PATH'):
        monkeypatch.delenv(name, raising=False)


def run(*command):
    return subprocess.run(list(map(str, command)), text=True, capture_output=True, timeout=300)


def test_nothing_would_be_refused(tree):
    assert check_release(tree) == []


def test_no_package_lies_inside_another_and_each_has_a_licence(tree):
    assert {path.parent.parent for path in tree.rglob('package.xml')} == {tree}
    assert {path.name for path in tree.iterdir()} == set(PACKAGES)
    assert all((tree / name / 'LICENSE').is_file() for name in PACKAGES)


def test_a_package_inside_a_package_and_two_versions_are_faults(tree, tmp_path):
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        text = (tree / name / 'package.xml').read_text()
        (tmp_path / name / 'package.xml').write_text(text)
    said = ' '.join(check_release(tmp_path))
    assert 'CHANGELOG.rst' in said and 'one version' not in said
    manifest = tmp_path / 'audio_interaction_msgs' / 'package.xml'
    manifest.write_text(re.sub('<version>.*<', '<version>9.9.9<', manifest.read_text()))
    assert 'expected one version' in ' '.join(check_release(tmp_path))


def test_a_folder_that_holds_something_is_left_alone(tree):
    with pytest.raises(ValueError, match='name another'):
        lay_release(tree)


def test_the_wheel_says_its_version_and_knows_its_models(installed, outside):
    assert run(installed / 'audio-interaction', '--version').returncode == 0
    listed = run(installed / 'audio-interaction', 'model', 'list')
    assert re.search(rf'^model +edge .*{installed.parent}', listed.stdout, re.M), listed


def test_the_wheel_hears_without_ros(installed, outside, tmp_path):
    noise = np.random.default_rng(0).standard_normal(32_000) * 0.05
    soundfile.write(tmp_path / 'noise.wav', noise, 16_000)
    program = ('import sys; sys.modules["rclpy"] = None; '
               'from audio_interaction_ros.cli.main import main; sys.exit(main())')
    heard = run(installed / 'python', '-c', program, 'stream', 'noise.wav', '--lanes',
                'transcript', '--second-pass', 'none')
    assert heard.returncode == 0, heard.stderr
    assert 'nothing heard in 2' in heard.stdout + heard.stderr


def test_colcon_builds_the_tree(tree, tmp_path):
    built = run('colcon', '--log-base', tmp_path / 'log', 'build', '--base-paths', tree,
                '--packages-select', ROS, '--build-base', tmp_path / 'build',
                '--install-base', tmp_path / 'install')
    assert built.returncode == 0, built.stderr
    share = tmp_path / 'install' / ROS / 'share' / ROS
    assert {'package.xml', 'launch', 'config', 'models', 'samples'} <= {
        path.name for path in share.iterdir()}


def test_every_requirement_has_a_key_of_rosdep_or_a_row_that_says_it_has_none(tree):
    manifest = (tree / ROS / 'package.xml').read_text()
    assert all(f'<exec_depend>{key}</exec_depend>' in manifest for key in KEYS.values())
    assert '-pip<' not in manifest  # the build farm refuses these
    page = (ROOT / 'docs' / 'installing.md').read_text(encoding='utf-8')
    rows = set(re.findall(r'^\| `([\w-]+)` \| (?:none|`[\w-]+-pip`) \|', page, re.M))
    required = re.findall(r'^([\w-]+)', (ROOT / 'requirements/run.txt').read_text(), re.M)
    assert rows == set(required) - set(KEYS)


def test_what_the_images_copy_and_run_exists():
    services = yaml.safe_load((ROOT / 'docker/compose.yaml').read_text())['services']
    for service in services.values():
        assert (ROOT / service['build']['dockerfile']).is_file()
    ignored = (ROOT / '.dockerignore').read_text().split()
    for path in (ROOT / 'docker').glob('Dockerfile*'):
        named = re.findall(r'(?:docker|scripts|requirements)/[\w.]+', path.read_text())
        assert named and all((ROOT / name).is_file() for name in named), path.name
        assert not any(name.startswith(tuple(ignored)) for name in named)


def test_every_distribution_is_tried_on_both_processors():
    jobs = yaml.safe_load((ROOT / '.github/workflows/ci.yaml').read_text())['jobs']
    matrix = jobs['with-ros']['strategy']['matrix']
    assert set(matrix['distribution']) == {'humble', 'jazzy', 'kilted', 'lyrical'}
    assert {machine.endswith('-arm') for machine in matrix['machine']} == {True, False}
    assert '.ci/run' in str(jobs['without-ros'])
