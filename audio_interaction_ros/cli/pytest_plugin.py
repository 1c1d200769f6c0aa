"""
The fixture ``audio_replay``: `audio-interaction replay` inside a team's own pytest tests.

pytest finds it where this package is installed. The words are those of the command; a model is
loaded once for all tests that say the same of it.
"""

import argparse
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = ['audio_replay']

_DEFAULTS: dict[str, Any] = {'through': 'offline', 'config': None, 'model': None, 'profile': None}


@pytest.fixture(scope='session')
def audio_replay() -> Iterator[Callable[..., Any]]:
    """
    Return a function that replays a recording and fails the test where something differs.

    ``audio_replay(recording, expect=None, through='offline', speed=0.0, topic='', config=None,
    model=None, profile=None)`` returns the verdict (``replay.verdict.Verdict``). Without
    ``expect`` the file NAME.expect.yaml beside the recording counts.
    """
    from audio_interaction_ros.cli.replay_sources import choose_source
    with contextlib.ExitStack() as open_sources:
        hearers: dict[tuple[Any, ...], Any] = {}

        def replay(recording: str | Path, expect: str | Path | None = None, *,
                   speed: float = 0.0, topic: str = '', **said: Any) -> Any:
            options = _check_words(said)
            key = tuple(map(str, options.values()))
            if key not in hearers:
                hearers[key] = open_sources.enter_context(
                    choose_source(argparse.Namespace(**options)))
            return _judge(hearers[key], Path(recording),
                          None if expect is None else Path(expect), speed, topic)
        yield replay


def _check_words(said: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of the source over the defaults; TypeError for another word."""
    unknown = sorted(set(said) - set(_DEFAULTS))
    if unknown:
        raise TypeError(f'audio_replay: expected words among {", ".join(_DEFAULTS)}, found '
                        f'{", ".join(unknown)}; correct the test')
    return {**_DEFAULTS, **said}


def _judge(hear: Any, recording: Path, expect: Path | None, speed: float, topic: str) -> Any:
    from audio_interaction_ros.replay.corpus import find_cases
    from audio_interaction_ros.replay.report import describe
    from audio_interaction_ros.replay.verdict import hold_against
    case, = find_cases(recording, expect)
    heard = hear(case.recording, topic or case.expectation.topic, speed)
    verdict = hold_against(case.name, heard, case.expectation)
    if not verdict.passed:
        pytest.fail('\n'.join(describe(verdict)), pytrace=False)
    return verdict
