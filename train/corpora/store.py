"""
Clips in lhotse: manifests of recordings, supervisions and cuts, and Shar archives.

Owns how a clip's fields lie in a lhotse cut and back. lhotse owns the files. Knows no corpus.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.errors import MissingDependencyError
from train.corpora.audio import Cut, write_flac
from train.records import Clip
from train.stages.shards import StageError, explain_full_storage

__all__ = ['clip_from_cut', 'cuts_from_manifests', 'import_lhotse', 'open_manifests', 'pack_shar',
           'save_manifests', 'to_cut', 'unpack_shar']

LANGUAGES = {'english': 'en', 'chinese': 'zh', 'mandarin': 'zh', 'zh-cn': 'zh', 'zh-tw': 'zh'}
SUPERVISED = {'id', 'path', 'seconds', 'text', 'language', 'speaker'}
"""Fields of a clip that lhotse has a place for; the others lie in the supervision's custom."""
BATCH = 1000
NAMES = ('recordings.jsonl.gz', 'supervisions.jsonl.gz', 'cuts.jsonl.gz')


def import_lhotse() -> Any:
    """Return the lhotse module; raises MissingDependencyError with what to install."""
    try:
        import lhotse as library
    except ImportError as error:
        raise MissingDependencyError('The corpus store needs lhotse: pip install '
                                     '"lhotse>=1.33,<2"') from error
    return library


def to_cut(clip: Clip, root: Path = Path()) -> Any:
    """Return a clip as a lhotse MonoCut with one supervision; its file must exist."""
    library = import_lhotse()
    recording = library.Recording.from_file(root / clip.path, recording_id=clip.id)
    extra = {each.name: getattr(clip, each.name) for each in fields(clip)
             if each.name not in SUPERVISED and getattr(clip, each.name) != each.default}
    if 'tags' in extra:
        extra['tags'] = list(extra['tags'])
    supervision = library.SupervisionSegment(
        id=clip.id, recording_id=clip.id, start=0.0, duration=recording.duration, channel=0,
        text=clip.text or None, language=clip.language or None, speaker=clip.speaker or None,
        custom=extra)
    return library.MonoCut(id=clip.id, start=0.0, duration=recording.duration, channel=0,
                           recording=recording, supervisions=[supervision])


def clip_from_cut(cut: Any) -> Clip:
    """Return the clip of a lhotse cut; its path is empty where the audio is not a file."""
    supervision = cut.supervisions[0] if cut.supervisions else None
    known = {each.name for each in fields(Clip)} - SUPERVISED
    custom = {**(getattr(supervision, 'custom', None) or {}), **(cut.custom or {})}
    extra = {name: value for name, value in custom.items() if name in known}
    extra['tags'] = tuple(extra.get('tags', ()))
    language = (getattr(supervision, 'language', None) or '').lower()
    source = cut.recording.sources[0]
    return Clip(**extra, id=cut.id, seconds=float(cut.duration),
                path=str(source.source) if source.type == 'file' else '',
                text=getattr(supervision, 'text', None) or '',
                language=LANGUAGES.get(language, language),
                speaker=getattr(supervision, 'speaker', None) or '')


def save_manifests(clips: Iterable[Clip], folder: Path, root: Path = Path()) -> int:
    """Write recordings, supervisions and cuts as lhotse manifests; return how many cuts."""
    library, count = import_lhotse(), 0
    with explain_full_storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        recordings, supervisions, cuts = (folder / name for name in NAMES)
        with (library.RecordingSet.open_writer(recordings) as write_recording,
              library.SupervisionSet.open_writer(supervisions) as write_supervision,
              library.CutSet.open_writer(cuts) as write_cut):
            for clip in clips:
                cut = to_cut(clip, root)
                write_recording.write(cut.recording)
                write_supervision.write(cut.supervisions[0])
                write_cut.write(cut)
                count += 1
    return count


def open_manifests(folder: Path) -> Any:
    """Return the lazy CutSet of a folder that ``save_manifests`` or a recipe of lhotse wrote."""
    library = import_lhotse()
    recordings, supervisions, cuts = (folder / name for name in NAMES)
    if cuts.exists():
        return library.CutSet.from_file(cuts)
    if not recordings.exists():
        raise StageError(f'Expected {NAMES[2]} or {NAMES[0]} in {folder}; name a folder of lhotse '
                         'manifests')
    return library.CutSet.from_manifests(
        recordings=library.RecordingSet.from_file(recordings),
        supervisions=(library.SupervisionSet.from_file(supervisions)
                      if supervisions.exists() else None))


def _cuts_of(recording: Any, segments: list[Any]) -> Iterator[Cut]:
    library = import_lhotse()
    for segment in segments or [None]:
        whole = segment is None or (segment.start == 0.0
                                    and abs(segment.duration - recording.duration) < 0.05)
        name = recording.id if segment is None else segment.id
        cut = library.MonoCut(
            id=name, start=0.0, channel=0, recording=recording,
            duration=recording.duration if whole else segment.duration,
            supervisions=[] if segment is None else [segment])
        clip = clip_from_cut(cut)
        yield Cut(id=name, clip=replace(clip, source_id=clip.source_id or recording.id),
                  offset_s=0.0 if whole else segment.start, whole=whole,
                  sample_rate_hz=recording.sampling_rate)


def cuts_from_manifests(recordings: Any, supervisions: Any = None) -> Iterator[Cut]:
    """
    Yield one cut per supervision of a recording, or the whole recording where it has none.

    Recordings come in order of their ids, whatever order lhotse found the files in.
    """
    segments: dict[str, list[Any]] = {}
    for segment in supervisions or ():
        segments.setdefault(segment.recording_id, []).append(segment)
    for recording in sorted(recordings, key=lambda each: each.id):
        mine = segments.get(recording.id, [])
        if supervisions is None or mine:
            yield from _cuts_of(recording, sorted(mine, key=lambda each: (each.start, each.id)))


def pack_shar(clips: Iterable[Clip], folder: Path, *, root: Path = Path(),
              shard_size: int = BATCH) -> int:
    """Write clips as Shar (FLAC in tar, cuts beside it); return how many."""
    library = import_lhotse()
    source, count, shard = iter(clips), 0, 0
    with explain_full_storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        while batch := [to_cut(clip, root) for clip in islice(source, shard_size)]:
            library.CutSet.from_cuts(batch).to_shar(
                folder, fields={'recording': 'flac'}, shard_size=shard_size, shard_offset=shard)
            count, shard = count + len(batch), shard + 1
    return count


def unpack_shar(folder: Path, out: Path) -> Iterator[Clip]:
    """Yield the clips of a Shar folder; their audio goes to ``out`` as 16 kHz mono FLAC."""
    library = import_lhotse()
    if not list(folder.glob('cuts.*.jsonl*')):
        raise StageError(f'Expected cuts.000000.jsonl.gz and its archives in {folder}; name a '
                         'folder that was written as Shar')
    for cut in library.CutSet.from_shar(in_dir=folder):
        samples = np.asarray(cut.load_audio(), dtype=np.float32).mean(axis=0)
        yield write_flac(clip_from_cut(cut), samples, cut.sampling_rate, out)
