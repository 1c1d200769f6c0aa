"""
Writes docs/messages.md from the definitions of messages, services and actions.

    python scripts/make_message_page.py

A comment above a field says what the field means, the first comment of a file what the whole is
for; so the meaning of a field is written once, where `ros2 interface show` shows it too.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ['PAGE', 'make_page']

ROOT = Path(__file__).resolve().parent.parent
MESSAGES = ROOT / 'audio_interaction_msgs'
PAGE = ROOT / 'docs' / 'messages.md'
PARTS = {'msg': ('',), 'srv': ('request', 'response'), 'action': ('goal', 'result', 'feedback')}
"""Kind of an interface to the parts between its lines of three dashes."""

_HEAD = """# Messages, field by field

Made from the definitions in `audio_interaction_msgs` by `python scripts/make_message_page.py`; a
test holds this page against them. What each topic carries says [interfaces.md](interfaces.md).
"""


class _Field(NamedTuple):
    part: str
    kind: str
    name: str
    meaning: str


def make_page() -> str:
    """Return the page as Markdown."""
    return _HEAD + ''.join(f'\n{_describe(kind, path)}' for kind in ('msg', 'srv', 'action')
                           for path in sorted((MESSAGES / kind).glob(f'*.{kind}')))


def _describe(kind: str, path: Path) -> str:
    about, _, body = path.read_text(encoding='utf-8').partition('\n\n')
    fields, constants = list(_read_fields(kind, body)), re.findall(r'^\w+ (\w+=\d+)$', body, re.M)
    titles = ['part'] * (kind != 'msg') + ['field', 'type', 'meaning']
    rows = ['| ' + ' | '.join(titles) + ' |', '|---' * len(titles) + '|']
    for field in fields:
        cells = [f'`{field.name}`', field.kind, field.meaning]
        rows.append('| ' + ' | '.join([field.part, *cells] if kind != 'msg' else cells) + ' |')
    lines = [f'## {path.stem} ({kind})', '', _join(about.splitlines()), '', *rows]
    if constants:
        lines += ['', 'Constants: ' + ', '.join(f'`{value}`' for value in constants) + '.']
    return '\n'.join(lines) + '\n'


def _read_fields(kind: str, body: str) -> Iterator[_Field]:
    parts, comment = iter(PARTS[kind]), list[str]()
    part = next(parts)
    for line in map(str.strip, body.splitlines()):
        if line == '---':
            part = next(parts)
        if line.startswith('#'):
            comment.append(line)
            continue
        match = re.fullmatch(r'([\w/]+(?:\[\])?) (\w+)', line)
        if match:
            yield _Field(part, match[1], match[2], _join(comment).replace('|', '\\|'))
        comment = []


def _join(comments: list[str]) -> str:
    return ' '.join(line.lstrip('# ').strip() for line in comments)


if __name__ == '__main__':
    PAGE.write_text(make_page(), encoding='utf-8')
    print(f'wrote {PAGE.relative_to(ROOT)}')
