"""ament_python package: modules, commands, and the files that a node finds by package share."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = 'audio_interaction_ros'
SHARED_FOLDERS = ('launch', 'config', 'models', 'page', 'samples')


def shared_files(folder: str) -> list[tuple[str, list[str]]]:
    """Return (install folder, files) of every folder below one, as data_files wants it."""
    by_place: dict[str, list[str]] = {}
    for path in sorted(Path(folder).rglob('*')):
        if path.is_file() and '__pycache__' not in path.parts:
            by_place.setdefault(f'share/{NAME}/{path.parent.as_posix()}', []).append(str(path))
    return list(by_place.items())


def interpreter() -> str:
    """
    Return what runs the commands: the Python of ``make setup``, which has what they import.

    Where there is none, a sourced environment decides, never the Python that ran colcon.
    """
    python = Path(__file__).resolve().parent / '.venv' / 'bin' / 'python'
    return str(python) if python.exists() else '/usr/bin/env python3'


def requirements(name: str) -> list[str]:
    """Return the requirements of one file under requirements/."""
    lines = Path('requirements', name).read_text(encoding='utf-8').splitlines()
    return [line for line in lines if line and not line.startswith('#')]


setup(
    name=NAME,
    version='0.1.0',
    description="A robot's always-on ears: streaming audio to transcripts, replies and alerts.",
    license='Apache-2.0',
    maintainer='audio_interaction_ros maintainers',
    maintainer_email='maintainers@audio-interaction.invalid',
    python_requires='>=3.10',
    packages=find_packages(include=[NAME, f'{NAME}.*']),
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        *(entry for folder in SHARED_FOLDERS for entry in shared_files(folder)),
    ],
    install_requires=['setuptools', *requirements('run.txt')],
    extras_require={
        'replay': requirements('replay.txt'),
        'train': requirements('train.txt'),
        'eval': requirements('eval.txt'),
        'readers': requirements('readers.txt'),
        'monitor': requirements('monitor.txt'),
        'tensorrt': requirements('tensorrt.txt'),
        'voice': requirements('voice.txt'),
        'test': [*requirements('train.txt'), *requirements('dev.txt'),
                 *requirements('replay.txt'), *requirements('monitor.txt')],
    },
    zip_safe=True,
    options={'build_scripts': {'executable': interpreter()}},
    entry_points={
        'console_scripts': [
            'audio-interaction = audio_interaction_ros.cli.main:main',
            *(f'{node} = audio_interaction_ros.nodes.{node}:main'
              for node in ('microphone_node', 'audio_file_node', 'encoder_node',
                           'decoder_node', 'speech_node', 'assistant', 'monitor_node',
                           'foxglove_audio_node', 'hri_node', 'safety_events_node')),
        ],
        'pytest11': ['audio_interaction = audio_interaction_ros.cli.pytest_plugin'],
    },
)
