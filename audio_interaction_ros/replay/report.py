"""
Verdicts for people and for machines: lines of text, one JSON object, JUnit XML.

Owns how a difference is told: what was expected, what came nearest, and why that does not do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from audio_interaction_ros.replay.expectation import Expected
from audio_interaction_ros.replay.heard import Heard
from audio_interaction_ros.replay.verdict import Extra, Missing, Verdict

__all__ = ['describe', 'load_writer', 'to_json', 'write_junit']


def describe(verdict: Verdict, *, verbose: bool = True) -> Iterator[str]:
    """Yield the lines of a verdict; what fits only where ``verbose``."""
    counts = [f'{len(verdict.matched)} as expected']
    counts += [f'{len(verdict.missing)} missing'] * bool(verdict.missing)
    counts += [f'{len(verdict.extra)} too much'] * bool(verdict.extra)
    yield f'{verdict.name}: {"passed" if verdict.passed else "FAILED"} ({", ".join(counts)})'
    for _, heard in verdict.matched if verbose else ():
        yield f'  ok       {heard.describe()}'
    for item in verdict.missing:
        yield f'  MISSING  {item.expected.describe()}'
        yield f'           {_explain_missing(item)}'
    for extra in verdict.extra:
        yield f'  TOO MUCH {extra.heard.describe()}'
        yield f'           {_explain_extra(extra)}'


def _explain_missing(item: Missing) -> str:
    if item.nearest is None:
        return f'no {item.expected.kind} came that is not expected elsewhere'
    return f'nearest: {item.nearest.describe()}: {"; ".join(item.faults)}'


def _explain_extra(extra: Extra) -> str:
    if extra.nearest is None:
        return extra.why
    return f'{extra.why}; nearest that is missing: {extra.nearest.describe()}'


def to_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain values."""
    return {
        'name': verdict.name, 'passed': verdict.passed,
        'matched': [{'expected': expected.describe(), 'heard': _heard_json(heard)}
                    for expected, heard in verdict.matched],
        'missing': [{'expected': item.expected.describe(), 'nearest': _heard_json(item.nearest),
                     'faults': list(item.faults)} for item in verdict.missing],
        'too_much': [{'heard': _heard_json(item.heard), 'why': item.why}
                     for item in verdict.extra]}


def _heard_json(heard: Heard | None) -> dict[str, Any] | None:
    if heard is None:
        return None
    said = asdict(heard)
    said['severity'] = None if heard.severity is None else heard.severity.name
    return said


def load_writer() -> Any:
    """Return what writes JUnit XML (junitparser); raises MissingDependencyError without it."""
    try:
        import junitparser
    except ImportError as error:
        raise MissingDependencyError(
            'Expected the junitparser package, to write JUnit XML, found none; run: pip install '
            '-r requirements/replay.txt') from error
    return junitparser


def write_junit(verdicts: Sequence[Verdict], path: Path) -> None:
    """
    Write JUnit XML: a suite for each recording, a case for each expectation and each surplus.

    Raises MissingDependencyError without junitparser, ConfigurationError where it cannot write.
    """
    junitparser = load_writer()
    xml = junitparser.JUnitXml('audio-interaction replay')
    for verdict in verdicts:
        suite = junitparser.TestSuite(verdict.name)
        for name, fault in _list_cases(verdict):
            case = junitparser.TestCase(name, classname=verdict.name)
            if fault:
                case.result = [junitparser.Failure(fault)]
            suite.add_testcase(case)
        xml.add_testsuite(suite)
    try:
        xml.write(str(path), pretty=True)
    except OSError as error:
        raise ConfigurationError(f'expected to write {path}, cannot ({error}); name another file '
                                 'in --junit') from error


def _list_cases(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Yield the name of each case, and what is wrong with it; empty where nothing is."""
    for expected, _ in verdict.matched:
        yield _name_case(expected), ''
    for item in verdict.missing:
        yield _name_case(item.expected), f'missing; {_explain_missing(item)}'
    for extra in verdict.extra:
        yield f'nothing else: {extra.heard.describe()}', _explain_extra(extra)
    if not verdict.extra:
        yield 'nothing else', ''


def _name_case(expected: Expected) -> str:
    return expected.describe()
