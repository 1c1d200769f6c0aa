"""
``python -m train corpora``: list, plan, import, attribution, pack, unpack, convert.

Owns the words of the command line and what they print; the work is in the other modules.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from train.corpora import release
from train.corpora.dialogues import DIALOGUES
from train.corpora.importers import Rejection, by_reason, read_folder
from train.corpora.intake import IMPORTERS, import_corpus
from train.corpora.licences import check_groups, write_attribution
from train.corpora.recipe import RECIPE, Recipe, load_recipe
from train.corpora.release_streams import card_of, online_of
from train.corpora.store import pack_shar, save_manifests, unpack_shar
from train.records import LICENCE_GROUPS, Clip, Stream, read_records, write_records
from train.stages import Rejected, StageError, read_stage

__all__ = ['add_arguments', 'plan_counts', 'run']


def _import(options: argparse.Namespace, console: Console) -> int:
    report = import_corpus(
        options.corpus, options.folder, options.out, exclude_groups=options.exclude,
        language=options.language, parts=options.part, workers=options.workers,
        resume=not options.fresh, backend=options.backend)
    console.print(f'{report.records_out} of {report.records_in} records, '
                  f'{report.audio_hours:.2f} hours, in {report.folder} '
                  f'({report.hours_per_core_hour:.0f} hours per core-hour)')
    _print_rejections(console, report.rejected)
    if options.corpus in DIALOGUES:
        return 0
    folder = Path(report.folder)
    clips = list(read_stage(folder, Clip))
    write_records(folder / 'clips.jsonl', clips)
    groups = write_attribution(folder / 'ATTRIBUTION.md', clips)
    console.print('licence groups: ' + ', '.join(f'{k} {n}' for k, n in groups.items() if n))
    if options.manifests:
        save_manifests(clips, folder / 'lhotse', folder)
        console.print(f'lhotse manifests: {folder / "lhotse"}')
    return 0


def _print_rejections(console: Console, counts: dict[str, int]) -> None:
    for reason, count in counts.items():
        console.print(f'  left out: {count:6d}  {reason}')


def _list(options: argparse.Namespace, console: Console) -> int:
    recipe = load_recipe(options.recipe)
    table = Table('ability', 'row', 'items', 'hours', 'importer', 'licence group')
    for name, ability in recipe.abilities.items():
        for row in ability.rows:
            source = recipe.sources[row.source]
            table.add_row(name, row.name, f'{row.items:,}', f'{row.hours or 0:,.0f}' if row.hours
                          else '', source.importer, source.licence_group)
        table.add_row('', '= all', f'{ability.items:,}', '', '', '', end_section=True)
    console.print(table)
    console.print(f'{recipe.items:,} items, {recipe.hours:,.0f} hours (published); importers: '
                  f'{", ".join(IMPORTERS)}')
    return 0


def plan_counts(recipe: Recipe, streams: int, groups: tuple[str, ...] = ()
                ) -> dict[tuple[str, str], int]:
    """
    Return how many of ``streams`` each (ability, task) gets.

    Abilities get the share of their published items, of those sources only whose licence group is
    not excluded; tasks of an ability get equal parts. Remainders go to the largest fractions, so
    the counts add up. Raises StageError where everything is excluded.
    """
    items = {name: sum(row.items for row in ability.rows if recipe.is_allowed(row, groups))
             for name, ability in recipe.abilities.items()}
    total = sum(items.values())
    if not total:
        raise StageError(f'No source is left without {groups}; exclude fewer licence groups')
    exact = {(name, task): streams * items[name] / total / len(ability.tasks)
             for name, ability in recipe.abilities.items() for task in ability.tasks}
    counts = {key: int(value) for key, value in exact.items()}
    rest = sorted(exact, key=lambda key: counts[key] - exact[key])
    for key in rest[:streams - sum(counts.values())]:
        counts[key] += 1
    return counts


def _plan(options: argparse.Namespace, console: Console) -> int:
    recipe = load_recipe(options.recipe)
    counts = plan_counts(recipe, options.streams, check_groups(options.exclude))
    table = Table('ability', 'task (ours)', 'streams', 'what')
    for (ability, task), count in counts.items():
        table.add_row(ability, task, f'{count:,}', recipe.abilities[ability].tasks[task])
    console.print(table)
    return 0


def _clip_files(paths: list[Path]) -> Iterator[Clip]:
    """Yield the clips of record files, their paths made absolute."""
    for path in paths:
        for clip in read_records(path, Clip):
            yield replace(clip, path=str(path.parent.absolute() / clip.path))


def _attribution(options: argparse.Namespace, console: Console) -> int:
    counts = write_attribution(options.out, _clip_files(options.records))
    console.print(f'{sum(counts.values())} clips in {options.out}: {counts}')
    return 0


def _check(options: argparse.Namespace, console: Console) -> int:
    clips, rejections = read_folder(options.folder, exclude_groups=options.exclude)
    hours = sum(clip.seconds for clip in clips) / 3600
    console.print(f'{len(clips)} clips, {hours:.2f} hours')
    _print_rejections(console, by_reason(rejections))
    for each in rejections[:options.show]:
        console.print(f'  {each.record}: {each.reason} {each.detail}', markup=False)
    return 0


def _pack(options: argparse.Namespace, console: Console) -> int:
    count = pack_shar(_clip_files(options.records), options.out, shard_size=options.shard_size)
    console.print(f'{count} clips as Shar in {options.out}')
    return 0


def _unpack(options: argparse.Namespace, console: Console) -> int:
    options.out.mkdir(parents=True, exist_ok=True)
    count = write_records(options.out / 'clips.jsonl', unpack_shar(options.folder, options.out))
    console.print(f'{count} clips in {options.out}')
    return 0


def _convert(options: argparse.Namespace, console: Console) -> int:
    """Write a lane of streams in a form of the release."""
    rows: list[dict[str, Any]] = []
    rejections: list[Rejection] = []
    streams = chain.from_iterable(read_records(path, Stream) for path in options.records)
    for stream in streams:
        if options.lane not in stream.lanes:
            rejections.append(Rejection(stream.id, f'no lane {options.lane}'))
            continue
        made = (online_of if options.form == 'online' else card_of)(
            stream, options.lane)
        if isinstance(made, Rejected):
            rejections.append(Rejection(stream.id, made.reason, made.detail))
        elif isinstance(made, release.OnlineRow):
            rows.append(release.online_dict(replace(made, idx=len(rows))))
        else:
            rows.append(release.card_dict(made))
    release.write_release(options.out, rows)
    console.print(f'{len(rows)} rows in {options.out}')
    _print_rejections(console, by_reason(rejections))
    return 0


ACTIONS: dict[str, Callable[[argparse.Namespace, Console], int]] = {
    'list': _list, 'plan': _plan, 'import': _import, 'check': _check,
    'attribution': _attribution, 'pack': _pack, 'unpack': _unpack, 'convert': _convert}


def _add_exclude(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--exclude', action='append', default=[], metavar='GROUP',
                        help=f'licence group to leave out, may be repeated: {LICENCE_GROUPS}')


def _add_import(actions: Any) -> None:
    parser = actions.add_parser('import', help='read a local copy of a corpus into clips')
    parser.add_argument('corpus', choices=IMPORTERS)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--language', default='en', help='CommonVoice, VoxPopuli (en)')
    parser.add_argument('--part', action='append', default=[], help='part of the corpus')
    parser.add_argument('--workers', type=int, default=1, help='processes; 0: this one (1)')
    parser.add_argument('--backend', choices=('processes', 'ray'), default='processes')
    parser.add_argument('--fresh', action='store_true', help='do not resume an earlier run')
    parser.add_argument('--manifests', action='store_true', help='write lhotse manifests too')
    _add_exclude(parser)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their options to the parser of ``corpora``."""
    actions = parser.add_subparsers(dest='action', required=True)
    for name, about in (('list', 'sources and published counts of the recipe'),
                        ('plan', 'how many streams each ability and task gets')):
        made = actions.add_parser(name, help=about)
        made.add_argument('--recipe', type=Path, default=RECIPE)
        if name == 'plan':
            made.add_argument('--streams', type=int, default=1000)
            _add_exclude(made)
    _add_import(actions)
    check = actions.add_parser('check', help='check a folder with a manifest, write nothing')
    check.add_argument('folder', type=Path)
    check.add_argument('--show', type=int, default=10, help='rejections to list (10)')
    _add_exclude(check)
    for name, about in (('attribution', 'write who made the clips of record files'),
                        ('pack', 'pack the clips of record files as Shar'),
                        ('convert', 'write streams in a form of the release')):
        made = actions.add_parser(name, help=about)
        made.add_argument('records', type=Path, nargs='+')
        made.add_argument('--out', type=Path, required=True)
        if name == 'pack':
            made.add_argument('--shard-size', type=int, default=1000)
        if name == 'convert':
            made.add_argument('--form', choices=('online', 'card'), default='online')
            made.add_argument('--lane', required=True)
    unpack = actions.add_parser('unpack', help='unpack Shar into clips')
    unpack.add_argument('folder', type=Path)
    unpack.add_argument('--out', type=Path, required=True)


def run(options: argparse.Namespace) -> int:
    """Do what the options say and return the exit code."""
    terminal = Console()
    return ACTIONS[options.action](
        options, terminal if terminal.is_terminal else Console(width=120))
