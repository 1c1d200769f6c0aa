"""The documentation: it builds without a broken link, and its tutorials do what they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from audio_interaction_ros.alerts.rules import load_rules
from audio_interaction_ros.alerts.thresholds import read_thresholds
from audio_interaction_ros.cli.main import main

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
TUTORIALS = ROOT / 'docs' / 'tutorials'


def blocks(name, language):
    """Return the blocks of code of a tutorial in one language; '' is what a command printed."""
    fences = re.findall(r'^```(\w*)\n(.*?)^```$', (TUTORIALS / name).read_text('utf-8'),
                        re.M | re.S)
    return [text for kind, text in fences if kind == language]


def build(config, out):
    return subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '-f', str(config), '-d', str(out)],
        cwd=ROOT, text=True, capture_output=True, timeout=300)


def test_the_site_builds_and_shows_files_outside_of_it(tmp_path):
    pytest.importorskip('mkdocs', reason='comes with make workshop')
    built = build(ROOT / 'mkdocs.yml', tmp_path)
    assert built.returncode == 0, built.stderr
    page = (tmp_path / 'tour.html').read_text('utf-8')
    assert 'href="repository/CONTRIBUTING.html"' in page
    assert (tmp_path / 'repository/models/edge/index.html').is_file()
    # It is read on robots without a network.
    fetched = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(?:https?:)?//[^"]*"', page)
    assert not fetched


def test_a_broken_link_ends_the_build(tmp_path):
    pytest.importorskip('mkdocs', reason='comes with make workshop')
    pages = tmp_path / 'docs'
    pages.mkdir()
    (pages / 'index.md').write_text('[gone](gone.md)\n')
    said = (ROOT / 'mkdocs.yml').read_text()
    said = re.sub(r'^nav:\n(?:[ -].*\n)+', '', said, flags=re.M).replace(
        'docs_dir: docs', f'docs_dir: {pages}').replace('[scripts/', f'[{ROOT}/scripts/')
    (tmp_path / 'mkdocs.yml').write_text(said)
    built = build(tmp_path / 'mkdocs.yml', tmp_path / 'site')
    assert built.returncode != 0 and 'gone.md' in built.stderr + built.stdout


def test_every_page_is_in_the_navigation():
    named = set(re.findall(r'(?:: |- )([\w/]+\.md)', (ROOT / 'mkdocs.yml').read_text()))
    pages = {path.relative_to(ROOT / 'docs').as_posix() for path in (ROOT / 'docs').rglob('*.md')}
    assert pages <= named


def test_every_file_of_the_tour_exists():
    page = (ROOT / 'docs' / 'tour.md').read_text('utf-8')
    named = re.findall(r'`((?:audio_interaction_ros|runtimes|nodes|stream|alerts|model|test|'
                       r'config|scripts)/[\w/.]+)`', page)
    assert len(named) > 15
    roots = (ROOT, ROOT / 'audio_interaction_ros')
    missing = [name for name in named if not any((root / name).exists() for root in roots)]
    assert not missing


def test_the_intent_of_the_tutorial_prints_what_it_says(tmp_path, monkeypatch, capsys):
    (tmp_path / 'my_intents.yaml').write_text(blocks('own_intent.md', 'yaml')[0])
    monkeypatch.chdir(tmp_path)
    command = blocks('own_intent.md', 'bash')[0]
    texts = re.findall(r'"([^"]+)"', command)
    main(['intent', *texts, '--intents', 'my_intents.yaml'])
    assert capsys.readouterr().out == blocks('own_intent.md', '')[0]


def test_the_alert_of_the_tutorial_is_a_rule(tmp_path):
    shipped = (ROOT / 'config/alerts.yaml').read_text('utf-8')
    label = blocks('own_alarm_sound.md', 'yaml')[0].removeprefix('labels:\n')
    (tmp_path / 'my_alerts.yaml').write_text(shipped.replace('\nlabels:\n', f'\nlabels:\n{label}'))
    rules = load_rules(tmp_path / 'my_alerts.yaml')
    assert 'microwave_done' in rules.labels


def test_the_thresholds_of_the_tutorial_are_read(tmp_path):
    path = tmp_path / 'kettle.yaml'
    path.write_text(blocks('tune_a_threshold.md', 'yaml')[0])
    assert read_thresholds(path).thresholds == {'siren': 0.98}


@pytest.mark.parametrize('path', sorted(TUTORIALS.glob('*.md')), ids=lambda path: path.stem)
def test_the_programs_of_a_tutorial_are_programs(path):
    for text in blocks(path.name, 'python'):
        compile(text, path.name, 'exec')
    for text in blocks(path.name, 'yaml'):
        yaml.safe_load(text)
