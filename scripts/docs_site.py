"""
Lets the documentation site show files that lie outside of docs/, for mkdocs (``hooks``).

The pages link to the README, the model card and configuration files as one reads them in the
repository. On the site these are copied beside the pages, below ``repository/``, and the links
lead there. A link to a file that does not exist stays as it is, and mkdocs in its strict form
refuses it.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

__all__ = ['on_files', 'on_page_markdown']

ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r'(?<=\]\()([^)#:\s]+)(?=[)#])')
_OUTSIDE = 'repository/'


def on_files(files: Any, config: Any) -> Any:
    """Add every file outside of docs/ that a page links to, and what these pages link to."""
    from mkdocs.structure.files import File

    waiting = [file.src_uri for file in files.documentation_pages()]
    while waiting:
        place = waiting.pop()
        for target in sorted(_list_outside(place, _read(place))):
            if files.get_file_from_path(_OUTSIDE + target) is None:
                files.append(File.generated(config, _OUTSIDE + target,
                                            abs_src_path=str(ROOT / target)))
                waiting += [_OUTSIDE + target] * target.endswith('.md')
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links that leave docs/ to the copies."""
    place = page.file.src_uri
    return _LINK.sub(lambda match: _point(place, match[1]), markdown)


def _read(place: str) -> str:
    return (ROOT / _in_repository(place)).read_text(encoding='utf-8')


def _in_repository(place: str) -> str:
    """Return the path from the root of what the site calls ``place``."""
    return place.removeprefix(_OUTSIDE) if place.startswith(_OUTSIDE) else f'docs/{place}'


def _resolve(place: str, link: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(_in_repository(place)), link))


def _list_outside(place: str, markdown: str) -> set[str]:
    targets = {_resolve(place, link) for link in _LINK.findall(markdown)}
    return {target for target in targets
            if not target.startswith(('docs/', '..')) and (ROOT / target).is_file()}


def _point(place: str, link: str) -> str:
    target = _resolve(place, link)
    if not (ROOT / target).is_file() or target.startswith('..'):
        return link
    on_site = target.removeprefix('docs/') if target.startswith('docs/') else _OUTSIDE + target
    return posixpath.relpath(on_site, posixpath.dirname(place) or '.')
