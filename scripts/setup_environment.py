"""
Sets up the project's environment: packages in ``.venv``, the messages built into ``install``.

A robot needs the packages of ``run.txt``; with ``--workshop`` come those of training, export,
tests and linters, PyTorch among them, which are several times as large.

On a machine without ROS the ROS 2 wheels are installed too; where a distribution is sourced
(``ROS_DISTRO``), its rclpy, messages and colcon are used. Each step leaves a stamp with the hash
of what it was made from, so a second run does nothing. Knows nothing of models and their weights.

Standard library only, and plain syntax: it must reach its own error message on an old Python.
"""

import argparse
import collections
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / '.venv'
PYTHON = ENVIRONMENT / 'bin' / 'python'
MESSAGES = ROOT / 'audio_interaction_msgs'
INSTALLED_MESSAGES = ROOT / 'install' / 'audio_interaction_msgs'
REQUIREMENTS = ROOT / 'requirements'
MONITOR = REQUIREMENTS / 'monitor.txt'
WORKSHOP = [*(REQUIREMENTS / f'{name}.txt' for name in (
    'train', 'dev', 'docs', 'examples', 'readers', 'replay', 'voice')), MONITOR]
FORBIDDEN = ':;"\'$\\`#()&|<>*?\t\n'
"""Letters of a path, beside those outside of ASCII, where CMake or a search path would cut it."""
TELL_EVERY_S = 5.0
REMEDIES = (
    ('No space left on device', 'the disk is full: 2 GB are needed, 5 GB for the tests'),
    ('Disk quota exceeded', 'the quota is used up: 2 GB are needed, 5 GB for the tests'),
    ('NewConnectionError', 'no package index is reached: look at the network, at a proxy '
                           '(https_proxy) or a mirror (PIP_INDEX_URL)'),
    ('NameResolutionError', 'no package index is found by its name: look at the network'),
    ('cc1plus', 'the compiler was stopped, as it is where memory runs out: 2 GB must be free'),
)
"""What a failed command says, and what helps."""
BUILD_PREFIX = '/opt/python/'
"""The ROS 2 wheels were built under this folder, in one sub-folder per Python version."""


def say(text):
    """Print one line of progress."""
    print(f'[setup] {text}', flush=True)


def fail(text):
    """Stop with a message for the person at the keyboard."""
    raise SystemExit(f'[setup] error: {text}')


def ros_distribution():
    """Return the name of the sourced ROS 2 distribution, empty when there is none."""
    return os.environ.get('ROS_DISTRO', '')


def check_path():
    """Stop where the build of ROS messages cannot work: CMake takes such a path for several."""
    wrong = sorted({letter for letter in str(ROOT) if not letter.isascii() or letter in FORBIDDEN})
    if wrong:
        fail(f'this checkout lies under {str(ROOT)!r}, and ROS 2 cannot build messages under a '
             f'path with {" or ".join(map(repr, wrong))}; move it, for example to '
             f'{Path.home() / "audio_interaction_ros"}')


def check_links():
    """Stop where a folder to write is a link: what another checkout has there would be emptied."""
    for name in ('.venv', 'build', 'install'):
        if (ROOT / name).is_symlink():
            fail(f'expected {name} to be a folder of this checkout or missing, it is a link to '
                 f'{os.readlink(ROOT / name)}; nothing there was touched. Remove the link '
                 f'(rm {name}) and run again, or work there')


def check_machine():
    """Stop with what is missing and how to get it."""
    if sys.version_info < (3, 10):  # noqa: UP036 -- this script is what checks the version
        fail(f'expected Python 3.10 or newer, this is {platform.python_version()} '
             f'({sys.executable}); name a newer one: PYTHON=python3.12 make setup')
    missing = [f'{need} ({package})' for need, package, present in (
        ('a C++ compiler', 'g++', shutil.which('c++') or shutil.which('g++')),
        ('make', 'make', shutil.which('make')),
        ('Python.h', 'python3-dev',
         Path(sysconfig.get_path('include'), 'Python.h').exists()),
        ('the venv module', 'python3-venv', has_module('ensurepip')),
    ) if not present]
    if missing:
        fail('the interface package cannot be built here; missing: ' + ', '.join(missing)
             + '. On Debian or Ubuntu: apt install g++ make python3-dev python3-venv')
    if not ros_distribution() and (sys.platform, platform.machine()) != ('linux', 'x86_64'):
        fail(f'ROS 2 wheels exist for Linux on x86_64 only, this is {sys.platform} on '
             f'{platform.machine()}; install ROS 2, source its setup.bash and run again')


def has_module(name):
    """Return whether this Python could import a module."""
    import importlib.util
    return importlib.util.find_spec(name) is not None


def run(*command, env=None):
    """Run a command from the root, tell now and then what it is at; stop where it fails."""
    told, remedy = time.monotonic(), ''
    lines: collections.deque = collections.deque(maxlen=40)
    with subprocess.Popen([str(part) for part in command], cwd=ROOT, env=env, text=True,
                          errors='replace', stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as running:
        for line in running.stdout or ():
            remedy = remedy or find_remedy(line)
            if not line.startswith('WARNING: Retrying'):  # a dozen of them, all alike
                lines.append(line)
            if line.strip() and time.monotonic() - told >= TELL_EVERY_S:
                told = time.monotonic()
                say(f'  {line.strip()[:80]}')
    if running.returncode:
        fail(f'{" ".join(str(part) for part in command[:6])} ... ended with '
             f'{running.returncode}\n{"".join(lines)[-6000:]}{remedy}')


def find_remedy(output):
    """Return what a person can do about the usual reasons for which a command fails."""
    for sign, remedy in REMEDIES:
        if sign in output:
            return f'[setup] {remedy}; then run the same command again, it goes on from there'
    return ''


def digest(paths, *extra):
    """Return a hash of the files and of the extra strings."""
    total = hashlib.sha256('\n'.join(extra).encode())
    for path in sorted(paths):
        total.update(f'{path.relative_to(ROOT)}\n'.encode() + path.read_bytes())
    return total.hexdigest()


def once(name, key, action):
    """Do what is not yet done under this key; the stamp lies beside what was made."""
    stamp = ENVIRONMENT / f'.{name}.stamp'
    if stamp.exists() and stamp.read_text() == key:
        say(f'{name}: up to date')
        return
    started = time.monotonic()
    say(f'{name}: working ...')
    stamp.unlink(missing_ok=True)
    action()
    stamp.write_text(key)
    say(f'{name}: done in {time.monotonic() - started:.0f} s')


def create_environment():
    """Create .venv unless one made here stands; with ROS it sees the system's packages."""
    made_here = PYTHON.exists() and str(ENVIRONMENT) in (
        ENVIRONMENT / 'bin' / 'activate').read_text()
    if made_here and subprocess.run([str(PYTHON), '-c', '']).returncode == 0:
        return
    say(f'creating {ENVIRONMENT.name} with Python {platform.python_version()}')
    site = ['--system-site-packages'] if ros_distribution() else []
    run(sys.executable, '-m', 'venv', '--clear', *site, ENVIRONMENT)


def pip_install(*what):
    """Install into the environment under the project's constraints."""
    run(PYTHON, '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input',
        '--progress-bar', 'off', '-c', REQUIREMENTS / 'constraints.txt',
        *numpy_of_distribution(), *what)


def numpy_of_distribution():
    """Keep to the major version of numpy that a sourced distribution was built with."""
    if not ros_distribution():
        return []
    answer = subprocess.run([sys.executable, '-c', 'import numpy; print(numpy.__version__)'],
                            capture_output=True, text=True, check=False).stdout
    return [f'numpy<{int(answer.split(".")[0]) + 1}'] if answer else []


def install_torch():
    """
    Install the CPU build of torch where pip finds one, else the plain one.

    On x86_64 the plain build brings gigabytes of CUDA libraries, so the fallback says so.
    """
    version = (REQUIREMENTS / 'constraints.txt').read_text().split('torch==')[1].split()[0]
    if subprocess.run([str(PYTHON), '-c', f'import torch, sys; '
                       f'sys.exit(torch.__version__.split("+")[0] != "{version}")'],
                      capture_output=True).returncode == 0:
        return
    if platform.machine() == 'x86_64' and os.environ.get('TORCH') != 'any':
        done = subprocess.run([str(PYTHON), '-m', 'pip', 'install', '-q',
                               '--disable-pip-version-check', f'torch=={version}+cpu',
                               *numpy_of_distribution()], cwd=ROOT, capture_output=True)
        if done.returncode == 0:
            return
        say('pip finds no CPU build of torch; taking the one with CUDA (several GB). To save '
            'them, name PyTorch\'s index of CPU wheels in PIP_EXTRA_INDEX_URL')
    pip_install(f'torch=={version}')


def install_workshop():
    """Install what developing needs; the large download comes first and is visible."""
    say('workshop: torch')
    install_torch()
    for path in WORKSHOP:
        say(f'workshop: {path.name}')
        pip_install('-r', path)


def install_packages():
    """Install what runs the assistant."""
    for path in requirement_files():
        say(f'packages: {path.name}')
        pip_install('-r', path)
    if ros_distribution():
        if not shutil.which('colcon'):
            pip_install('colcon-common-extensions')
    else:
        repair_prefixes()
    say('packages: this one, editable')
    run(PYTHON, '-m', 'pip', 'install', '--disable-pip-version-check', '--no-deps',
        '--no-build-isolation', '--editable', ROOT)


def requirement_files():
    """Return the files that this machine needs, in the order of installation."""
    names = ['run.txt'] + ([] if ros_distribution() else ['ros.txt'])
    return [REQUIREMENTS / name for name in names]


def repair_prefixes():
    """
    Point the wheels' CMake files at this environment instead of at their builder's Python.

    Python's own headers are not in a virtual environment, so their path goes to the interpreter.
    """
    tag = f'cp{sys.version_info.major}{sys.version_info.minor}'
    old = f'{BUILD_PREFIX}{tag}-{tag}'.encode()
    headers = f'/include/python{sys.version_info.major}.{sys.version_info.minor}'.encode()
    new_headers = sysconfig.get_path('include').encode()
    changed = 0
    for folder in (ENVIRONMENT / 'share', ENVIRONMENT / 'lib' / 'cmake'):
        for path in folder.rglob('*'):
            if not path.is_file() or path.is_symlink():
                continue
            content = path.read_bytes()
            if old in content:
                path.write_bytes(content.replace(old + headers, new_headers)
                                 .replace(old, str(ENVIRONMENT).encode()))
                changed += 1
    say(f'packages: {changed} CMake files of the ROS 2 wheels repaired')


def build_environment():
    """Return the variables that colcon needs."""
    env = dict(os.environ, VIRTUAL_ENV=str(ENVIRONMENT))
    env['PATH'] = f'{ENVIRONMENT / "bin"}{os.pathsep}{env["PATH"]}'
    if not ros_distribution():
        env['AMENT_PREFIX_PATH'] = env['CMAKE_PREFIX_PATH'] = str(ENVIRONMENT)
    return env


def build_messages():
    """Build the interface package with colcon and make it importable in the environment."""
    shutil.rmtree(ROOT / 'build' / 'audio_interaction_msgs', ignore_errors=True)
    shutil.rmtree(INSTALLED_MESSAGES, ignore_errors=True)
    run('colcon', 'build', '--event-handlers', 'console_direct+', '--base-paths', MESSAGES,
        '--packages-select', 'audio_interaction_msgs', '--cmake-args',
        f'-DPython3_EXECUTABLE={PYTHON}', '-DBUILD_TESTING=OFF', env=build_environment())
    link_messages()


def link_messages():
    """
    Let the environment's Python find the messages without any variable set.

    Modules through a .pth file; libraries through links in the folder that the ROS 2 wheels put on
    the loader's path. A sourced distribution needs ``scripts/env.sh`` for the libraries.
    """
    patterns = ('lib/python3*/site-packages', 'local/lib/python3*/dist-packages')
    places = [path for pattern in patterns for path in INSTALLED_MESSAGES.glob(pattern)]
    if not places:
        fail(f'colcon left no Python modules under {INSTALLED_MESSAGES}; see log/latest_build')
    site = next((ENVIRONMENT / 'lib').glob('python3*/site-packages'))
    (site / 'audio_interaction_msgs.pth').write_text(f'{places[0]}\n')
    for library in (INSTALLED_MESSAGES / 'lib').glob('*.so'):
        link = ENVIRONMENT / 'lib' / library.name
        link.unlink(missing_ok=True)
        link.symlink_to(library)


def main():
    """Set up what is not up to date; Ctrl-C leaves what is done."""
    try:
        set_up()
    except KeyboardInterrupt:
        fail('stopped; the same command goes on from here')


def set_up():
    """Work off the steps, each once."""
    parser = argparse.ArgumentParser(description='Set up .venv and build the messages.')
    parser.add_argument('--workshop', action='store_true',
                        help='also what training, export, tests and linters need (PyTorch)')
    parser.add_argument('--monitor', action='store_true',
                        help='also what the page to watch needs (aiohttp)')
    parser.add_argument('--force', action='store_true', help='forget what was done before')
    arguments = parser.parse_args()
    check_path()
    check_links()
    check_machine()
    started = time.monotonic()
    with_what = f'ROS 2 {ros_distribution()}' if ros_distribution() else 'ROS 2 wheels'
    say(f'Python {platform.python_version()}, {with_what}')
    if arguments.force:
        for stamp in ENVIRONMENT.glob('.*.stamp'):
            stamp.unlink()
    create_environment()
    base = (str(ROOT), platform.python_version(), ros_distribution())
    # setup.py lists the commands that the editable install creates
    packages = digest([*requirement_files(), REQUIREMENTS / 'constraints.txt',
                       ROOT / 'setup.py'], *base)
    once('packages', packages, install_packages)
    if arguments.monitor:
        once('monitor', digest([MONITOR], packages), lambda: pip_install('-r', MONITOR))
    if arguments.workshop:
        once('workshop', digest(WORKSHOP, packages), install_workshop)
    sources = [path for path in MESSAGES.rglob('*') if path.is_file()]
    once('messages', digest(sources, packages), build_messages)
    say(f'ready after {time.monotonic() - started:.1f} s')


if __name__ == '__main__':
    main()
