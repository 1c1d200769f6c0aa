"""The pure modules of the page, tested by Node's own runner where Node is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

HERE = Path(__file__).parent / 'page'
ROOT = Path(__file__).parents[2]
NODE = shutil.which('node')


def node_major():
    answer = subprocess.run([NODE, '--version'], capture_output=True, text=True, check=False)
    digits = answer.stdout.strip().lstrip('v').partition('.')[0]
    return int(digits) if digits.isdigit() else 0


@pytest.mark.skipif(not NODE, reason='Node is not installed: apt install nodejs')
@pytest.mark.parametrize('name', sorted(path.name for path in HERE.glob('*.test.mjs')))
def test_the_modules_of_the_page(name):
    if node_major() < 18:
        pytest.skip('Node 18 or newer is needed for node --test')
    done = subprocess.run([NODE, '--test', str(HERE / name)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_asks_for_nothing_from_elsewhere():
    """No address of another machine, no font, no code in strings, no style in the markup."""
    for path in (ROOT / 'page').iterdir():
        text = path.read_text(encoding='utf-8').replace('http://www.w3.org/2000/svg', '')
        for word in ('http:', 'https:', '//cdn', '@import', '@font-face', 'innerHTML', 'eval(',
                     'new Function', 'localStorage', 'document.cookie'):
            assert word not in text or (path.name, word) == ('app.mjs', 'https:'), (path, word)
