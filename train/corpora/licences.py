"""
Licences of clips: the group of a licence text, what a build leaves out, the attribution file.

Owns the mapping from licence names to the groups of ``train.records`` and the form of the
attribution file. It is a sorting aid, not legal advice. Knows no corpus.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from train.records import LICENCE_GROUPS, Clip, RecordError
from train.stages.shards import write_whole

__all__ = ['check_groups', 'group_of', 'resolve', 'write_attribution']

# The first that matches counts; a licence that restricts comes before one that allows.
PATTERNS = (
    ('non_commercial', r'\bnc\b|non.?commercial|research use only'),
    ('unstated', r'\bnd\b|no.?deriv|unknown|not stated|unstated|all rights reserved|various'),
    ('share_alike', r'by.sa\b|share.?alike|sharealike|\ba?l?gpl|\bodbl|copyleft'),
    ('free', r'\bcc.?0|cc.?zero|public.?domain|\bpdm?\b|cc.?by\b|by/[1-4]|creative commons '
             r'attribution|\bmit\b|\bbsd|apache|\bisc\b|\bzlib|unlicense|\bpddl'),
)
HEAD = """# Attribution

The clips of this build, by source and licence. Clips were cut, mixed down to mono, resampled to
16 kHz and mixed with others; say so where you pass them on.
"""


def group_of(licence: str) -> str:
    """Return the licence group that a licence text falls into; 'unstated' where unsure."""
    text = re.sub(r'[\s_]+', ' ', licence.lower().replace('licenses/', ''))
    for group, pattern in PATTERNS:
        if re.search(pattern, text):
            return group
    return 'unstated'


def check_groups(groups: Iterable[str]) -> tuple[str, ...]:
    """Return licence groups; raises RecordError for one that does not exist."""
    groups = tuple(groups)
    if unknown := sorted(set(groups) - set(LICENCE_GROUPS)):
        raise RecordError(f'Expected licence groups out of {LICENCE_GROUPS}, got {unknown}; '
                          'correct the name')
    return groups


def resolve(licence: str, group: str | None) -> str:
    """
    Return the group of a clip out of its licence text and the group that its manifest states.

    A stated group counts, unless the text says non-commercial; without one the text is read.
    """
    if group is None:
        return group_of(licence)
    stated, = check_groups([group])
    if stated in ('free', 'share_alike') and group_of(licence) == 'non_commercial':
        return 'non_commercial'
    return stated


def _format_entry(clip: Clip) -> str:
    parts = [clip.title and f'"{clip.title}"', clip.author and f'by {clip.author}', clip.url,
             clip.source_id and f'({clip.source_id})']
    return ' '.join(part for part in parts if part)


def _format_section(source: str, licence: str, group: str, clips: Sequence[Clip]) -> list[str]:
    hours = sum(clip.seconds for clip in clips) / 3600
    # Many clips may come of one recording, which is named once.
    named = sorted({entry for clip in clips if (entry := _format_entry(clip))})
    return ['', f'## {source or "source not stated"}: {licence or "licence not stated"}', '',
            f'{len(clips)} clips, {hours:.2f} hours, licence group {group}.', '',
            *(f'- {entry}' for entry in named)]


def write_attribution(path: Path, clips: Iterable[Clip]) -> dict[str, int]:
    """Write who made what under which licence (Markdown); return clips by licence group."""
    sections: dict[tuple[str, str, str], list[Clip]] = defaultdict(list)
    for clip in clips:
        sections[clip.source, clip.licence, clip.licence_group].append(clip)
    lines, counts = [HEAD.rstrip()], dict.fromkeys(LICENCE_GROUPS, 0)
    for (source, licence, group), members in sorted(sections.items()):
        lines += _format_section(source, licence, group, members)
        counts[group] += len(members)
    write_whole(path, ('\n'.join(lines) + '\n').encode())
    return counts
