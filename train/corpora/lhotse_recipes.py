"""
Corpora that lhotse has a recipe for: its manifests of a local copy become cuts.

Owns which recipe reads which corpus and what is known of all its clips. Nothing is downloaded.
"""

import importlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audio_interaction_ros.errors import MissingDependencyError
from train.corpora.audio import Cut
from train.corpora.importers import require_folder
from train.corpora.recipe import source_of
from train.corpora.store import cuts_from_manifests, import_lhotse
from train.stages.shards import StageError

__all__ = ['LHOTSE_CORPORA', 'LhotseCorpus', 'read_lhotse']


@dataclass(frozen=True, kw_only=True)
class LhotseCorpus:
    """How one corpus is read."""

    source: str
    """Its name in the recipe of the corpus."""
    layout: str
    """What its folder must hold."""
    options: dict[str, Any] = field(default_factory=dict)
    language_option: str = ''
    parts_option: str = ''
    label: str = ''
    label_from_part: bool = False


LHOTSE_CORPORA = {
    'librispeech': LhotseCorpus(source='LibriSpeech', layout='train-clean-100/, dev-clean/, …',
                                options={'dataset_parts': 'auto'}, parts_option='dataset_parts'),
    'commonvoice': LhotseCorpus(source='CommonVoice', layout='en/train.tsv and en/clips/',
                                language_option='languages', parts_option='splits'),
    'gigaspeech': LhotseCorpus(source='GigaSpeech', layout='GigaSpeech.json and audio/',
                               parts_option='dataset_parts'),
    'aishell': LhotseCorpus(source='AISHELL',
                            layout='data_aishell/transcript/ and data_aishell/wav/{train,dev,…}'),
    'voxpopuli': LhotseCorpus(source='VoxPopuli', options={'task': 'asr'}, language_option='lang',
                              layout='raw_audios/en/YEAR/*.ogg and asr_en.tsv.gz'),
    'musan': LhotseCorpus(source='MUSAN', layout='music/, speech/ and noise/',
                          parts_option='parts', label_from_part=True),
    'wham': LhotseCorpus(source='WHAM!', layout='tr/, cv/ and tt/ (wham_noise)', label='noise'),
}


def _flatten(manifests: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield (names of the parts, {recordings, supervisions}) of what a recipe returned."""
    if 'recordings' in manifests:
        yield path, manifests
        return
    for name in sorted(manifests):
        yield from _flatten(manifests[name], (*path, name))


def _place_annotations(folder: Path, manifests: Path, language: str) -> None:
    """Put the table of VoxPopuli where lhotse looks, which would else download it."""
    name = f'asr_{language}.tsv.gz'
    if tables := sorted(folder.rglob(name)):
        manifests.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tables[0], manifests / name)
    else:
        raise StageError(f'Expected {name} somewhere under {folder}; put the table of the '
                         'transcripts there (nothing is downloaded)')


def _prepare(name: str, corpus: LhotseCorpus, folder: Path, manifests: Path,
             options: dict[str, Any]) -> Any:
    import_lhotse()
    module = importlib.import_module(f'lhotse.recipes.{name}')
    try:
        return getattr(module, f'prepare_{name}')(folder, output_dir=manifests, **options)
    except ImportError as error:
        raise MissingDependencyError(f'lhotse cannot read {corpus.source}: {error}') from error
    except (AssertionError, OSError, ValueError, LookupError, RuntimeError) as error:
        raise StageError(
            f"lhotse's recipe cannot read {corpus.source} in {folder} ({type(error).__name__}: "
            f'{error}); expected {corpus.layout}, no part of it empty. Where the error names a '
            'broken file, take the file away and run again') from error


def read_lhotse(name: str, folder: Path, manifests: Path, *, language: str = 'en',
                parts: tuple[str, ...] = ()) -> Iterator[Cut]:
    """
    Yield the cuts of a corpus by lhotse's recipe ``name``; its manifests go to ``manifests``.

    ``parts`` restricts what is read where the recipe can. Raises StageError where the folder does
    not hold the corpus, MissingDependencyError where lhotse or what its recipe needs is missing.
    """
    corpus = LHOTSE_CORPORA[name]
    folder = require_folder(folder, corpus.layout)
    options = dict(corpus.options)
    if corpus.language_option:
        options[corpus.language_option] = language
    if corpus.parts_option and parts:
        options[corpus.parts_option] = list(parts)
    if name == 'voxpopuli':
        _place_annotations(folder, manifests, language)
    source = source_of(corpus.source)
    for path, parts_of in _flatten(_prepare(name, corpus, folder, manifests, options)):
        label = path[-1] if corpus.label_from_part else corpus.label
        for cut in cuts_from_manifests(parts_of['recordings'],
                                       parts_of.get('supervisions') or None):
            prefixed = f'{name}/{cut.id}'
            yield replace(cut, id=prefixed, clip=replace(
                cut.clip, id=prefixed, source=corpus.source, licence=source.licence,
                url=source.url, licence_group=source.licence_group, tags=path, label=label,
                source_id=f'{name}:{cut.clip.source_id}'))
