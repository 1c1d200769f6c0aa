"""
What was tried beside the head that ships, on what is put aside; nothing here gained enough.

    python -m train.sound_head.tried --data DATA --out FOLDER --model models/edge --hours 3

Second views of YAMNet (the place taken out, half a chunk earlier, louder, its columns of time one
by one), harmless rivals that an alert must outscore, and shares of their own for classes that are
learned from recordings. YAMNet's views are also compared alone, on every recording with
``--everything``. Nothing is trained. Owns the views and the rows; streams are those of every run.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from audio_interaction_ros.model.sound_head import SoundHead
from audio_interaction_ros.model.yamnet import Yamnet, _convolve
from train.edge.features import make_windows
from train.sound_head.aside import score_windows
from train.sound_head.audible import label_chunks
from train.sound_head.baselines import Branch
from train.sound_head.calibration import fit_calibration, sigmoid
from train.sound_head.checks import compose_check
from train.sound_head.choose import detection_of_alerts
from train.sound_head.classes import SoundClasses, read_classes
from train.sound_head.clips import HELD_OUT
from train.sound_head.curves import CheckedStream
from train.sound_head.dataset import Stream
from train.sound_head.embeddings import Amounts, Workshop, encode_sounds, load_sound_tower
from train.sound_head.forms import Form
from train.sound_head.helpers import Helpers, Shares
from train.sound_head.material import COMPUTED
from train.sound_head.place import LEAD_S, count_place
from train.sound_head.promised import compare_ways, say_ways
from train.sound_head.scenes import Scene
from train.sound_head.tagger import TaggerClasses, fetch_tagger_classes

FRAMES, PATCH, OFFSET = 40, 96, 0.001
PLACE_CHUNKS, NEWEST = 25, 2
"""10 s of the place say what it sounds like; the newest two chunks are no part of it."""
LEAST = 6.0
"""Log-odds below minus that say nothing."""
LOUD = 3.0
"""What the loudest fiftieth of a patch is brought to where it is made louder, up to 10 times."""
STEADY = ('speech', 'music', 'rain', 'wind', 'sea_waves', 'engine', 'vacuum_cleaner',
          'washing_machine', 'microwave', 'chainsaw', 'helicopter', 'airplane', 'train', 'birds',
          'crow', 'insects', 'frog', 'crowd', 'snoring', 'breathing', 'radio_static',
          'toilet_flush')
RIVALS: dict[str, tuple[str, ...]] = {
    'doorbell': ('ui_beep', 'phone_ring', 'alarm_clock', 'bell', 'music'),
    'appliance_beep': ('phone_ring', 'bell', 'music'),
    'gunshot': ('door', 'impact', 'footsteps', 'clapping', 'fireworks', 'thunder', 'gun_handling',
                'can_opening', 'mouse_click', 'keyboard_typing'),
    'explosion': ('thunder', 'door', 'impact', 'fireworks', 'wind'),
    'thud': ('door', 'impact', 'footsteps', 'gun_handling'),
    'glass_break': ('impact', 'can_opening', 'drinking', 'bell', 'door'),
    'door_knock': ('footsteps', 'impact', 'door', 'keyboard_typing', 'mouse_click', 'clock_tick',
                   'clapping', 'gun_handling', 'sawing', 'farm_animal'),
    'fire_crackling': ('rain', 'radio_static', 'footsteps', 'keyboard_typing', 'whoosh',
                       'insects'),
    'water_running': ('rain', 'water_drip', 'toilet_flush', 'drinking', 'sea_waves'),
    'dog_bark': ('crow', 'farm_animal', 'wild_animal', 'cat', 'rooster'),
    'baby_cry': ('cat', 'laughter', 'farm_animal'),
    'scream': ('laughter', 'crowd', 'cat', 'rooster'), 'cough': ('sneeze', 'laughter', 'snoring'),
    'car_horn': ('train', 'music', 'farm_animal')}
NEVER_RIVALLED = ('smoke_alarm', 'co_alarm', 'fire_alarm')
SHARES = {'thirds': Shares(head=1 / 3, branch=1 / 3, tagger=1 / 3),
          '0.4, 0.3, 0.3': Shares(head=0.4, branch=0.3, tagger=0.3)}

Rows = list[np.ndarray]
View = Callable[[np.ndarray, Stream], np.ndarray]


def cut_patches(log: np.ndarray, back: int = 0) -> np.ndarray:
    """Return the newest patches [chunks, 96, 64] of a spectrogram, or those ``back`` ago."""
    before = PATCH + back
    whole = np.concatenate([np.full((before, log.shape[1]), np.log(OFFSET), np.float32), log])
    views = np.lib.stride_tricks.sliding_window_view(whole, PATCH, axis=0)[FRAMES::FRAMES]
    return np.ascontiguousarray(views[:len(log) // FRAMES].transpose(0, 2, 1), np.float32)


def find_place(log: np.ndarray, stream: Stream) -> np.ndarray:
    """Return magnitudes [chunks, 64] of the place: medians of 10 s before the newest chunks."""
    chunks = np.median((np.exp(log) - OFFSET).reshape(-1, FRAMES, log.shape[1]), axis=1)
    lead = count_place(stream)
    more = round(LEAD_S * 2.5) if lead else 0
    if lead:
        chunks = np.concatenate([np.resize(chunks[min(1, lead - 1):lead],
                                           (more, log.shape[1])), chunks])
    place = np.zeros((stream.chunks, log.shape[1]), np.float32)
    for chunk in range(stream.chunks):
        last = max(0, more + chunk + 1 - NEWEST)
        if last:
            place[chunk] = np.median(chunks[max(0, last - PLACE_CHUNKS):last], axis=0)
    return place


def take_out(log: np.ndarray, stream: Stream) -> np.ndarray:
    """Return patches from which twice the place is subtracted; a tenth always stays."""
    heard = np.exp(cut_patches(log)) - OFFSET
    left = np.maximum(heard - 2.0 * find_place(log, stream)[:, None], 0.1 * heard)
    return np.asarray(np.log(left + OFFSET), np.float32)


def make_louder(patches: np.ndarray) -> np.ndarray:
    """Return patches as though a quiet one had been near."""
    heard = np.exp(patches) - OFFSET
    loud = np.quantile(heard.reshape(len(heard), -1), 0.98, axis=1)
    gain = np.clip(LOUD / np.maximum(loud, 1e-6), 1.0, 10.0)
    return np.asarray(np.log(heard * gain[:, None, None] + OFFSET), np.float32)


VIEWS: Mapping[str, View] = {
    'plain': lambda log, stream: cut_patches(log), 'place taken out': take_out,
    'half a chunk earlier': lambda log, stream: cut_patches(log, FRAMES // 2),
    'louder': lambda log, stream: make_louder(cut_patches(log)),
    'place taken out, louder': lambda log, stream: make_louder(take_out(log, stream))}


@torch.inference_mode()
def hear_columns(yamnet: Yamnet, patches: np.ndarray) -> Tensor:
    """Return embeddings [chunks, columns, 1024] of patches, one for each third of their time."""
    told = []
    for part in torch.from_numpy(patches).to(torch.bfloat16).split(32):
        x = part[:, None]
        for layer in yamnet.convolutions:
            assert isinstance(layer, nn.Conv2d), 'nothing else was put there'
            x = _convolve(x, layer)
        told.append(x.mean(3).transpose(1, 2).float())
    return torch.cat(told)


class Ears:
    """What is heard of a stream: embeddings, and what YAMNet's classes say of each view."""

    def __init__(self, tagger: TaggerClasses, classes: SoundClasses) -> None:
        self._tower = load_sound_tower()
        self._tagger = tagger
        self._places = [[heard.index for heard in one.audioset] for one in classes.all.values()]

    def hear(self, scene: Scene, stream: Stream, *,
             whole: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """Return embeddings [chunks, 5632], none unless ``whole``, and logits of each view."""
        windows = make_windows(scene.samples)
        log = windows[:, 80:, -FRAMES:].transpose(0, 2, 1).reshape(-1, 64)
        columns = {name: hear_columns(self._tower.tagger, view(log, stream))
                   for name, view in VIEWS.items()}
        logits = {name: self._say(own.mean(1)) for name, own in columns.items()}
        logits['largest of its columns'] = torch.stack(
            [self._say(own) for own in columns['plain'].unbind(1)]).amax(0)
        return torch.from_numpy(encode_sounds(self._tower, scene.samples)) if whole \
            else torch.empty(0), logits

    def _say(self, heard: Tensor) -> Tensor:
        """Return log-odds [chunks, classes], never less than a floor."""
        logits = heard @ torch.from_numpy(self._tagger.weight).T + torch.from_numpy(
            self._tagger.bias)
        return torch.stack([logits[:, own].amax(1) for own in self._places], 1).clamp(min=-LEAST)


def share_anew(head: SoundHead, helpers: Helpers, embeddings: Sequence[Tensor],
               odds: Sequence[np.ndarray]) -> dict[str, Rows]:
    """Return log-odds with other shares for classes that are learned from recordings alone."""
    names, weight = head.classes, head._tensors['classes.weight']
    first = weight.shape[1] - len(names) - len(helpers.branch.names)
    scale = np.diag(weight[:, first:first + len(names)]) / helpers.shares.tagger
    own = np.array([name not in COMPUTED for name in names])
    rows: dict[str, Rows] = {name: [] for name in SHARES}
    for embedding, one in zip(embeddings, odds, strict=True):
        tagged, branched = helpers._tagger_says(embedding), helpers._branch_says(embedding)
        said = helpers.shares.tagger * tagged + helpers.shares.branch * branched
        alone = (one / scale - said) / helpers.shares.head
        for name, shares in SHARES.items():
            mixed = scale * (shares.head * alone + shares.branch * branched
                             + shares.tagger * tagged)
            rows[name].append(np.where(own, mixed, one))
    return rows


def outscore(odds: np.ndarray, classes: SoundClasses, margin: float,
             rivals: Mapping[str, Iterable[str]]) -> np.ndarray:
    """Return log-odds [chunks, classes]; where a rival has more by a margin, an alert has none."""
    names, kept = list(classes.names), odds.copy()
    for name in classes.alerts:
        own = [names.index(other) for other in rivals.get(name, ())]
        if own and name not in NEVER_RIVALLED:
            column = names.index(name)
            kept[odds[:, own].max(1) - odds[:, column] > margin, column] = -16.0
    return kept


def list_rows(odds: Rows, views: Sequence[Mapping[str, Tensor]], shared: Mapping[str, Rows],
              classes: SoundClasses) -> dict[str, Rows]:
    """Return the log-odds of each row."""
    single = {name: [other for other in classes.others if other not in STEADY]
              for name in classes.alerts}
    every = {name: list(classes.others) for name in classes.alerts}
    rows = {'as it ships': odds, **shared}
    for said, rivals, margin in (('by meaning', RIVALS, 0.0), ('by meaning, by 2', RIVALS, 2.0),
                                 ('all single', single, 0.0), ('all', every, 0.0),
                                 ('all, by 3', every, 3.0)):
        rows[f'rivals: {said}'] = [outscore(one, classes, margin, rivals) for one in odds]
    for name in views[0]:
        seen = [torch.maximum(view['plain'], view[name]).numpy() for view in views]
        for share in (0.1, 0.3):
            rows[f'{share} of plain or {name}'] = [
                (1 - share) * one + share * other for one, other in zip(odds, seen, strict=True)]
    return rows


def calibrate(rows: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Rows:
    """Return log-odds by the best scale and shift of each class."""
    own = fit_calibration(np.concatenate(rows), np.concatenate(targets))
    return [one * own.scale + own.shift for one in rows]


def tell(name: str, rows: Mapping[str, Rows], streams: Sequence[Stream],
         targets: Sequence[np.ndarray], classes: SoundClasses) -> None:
    """Print recall of each row at equal promised rates."""
    ways = {said: ([CheckedStream(stream, sigmoid(one), target) for stream, one, target
                    in zip(streams, own, targets, strict=True)], Form())
            for said, own in rows.items()}
    print(f'\n{name}\n\n{say_ways(compare_ways(ways, classes, detection_of_alerts()))}')


def main() -> None:
    """Hear and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--data', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--model', type=Path, required=True)
    parser.add_argument('--hours', type=float, default=3.0)
    parser.add_argument('--everything', action='store_true', help='YAMNet only, all folds')
    parser.add_argument('--limit', type=int, help='so many streams')
    options = parser.parse_args()
    classes, tagger = read_classes(), fetch_tagger_classes(options.out)
    shop = Workshop(options.data, lambda samples: samples)
    makers: list[Callable[[], Scene]] = [
        partial(compose_check, shop.material[check.fold], check) for check in shop.checks
        if options.everything and check.fold != HELD_OUT]
    makers += shop.aside(Amounts(scenes=0, hours=options.hours))
    ears, whole = Ears(tagger, classes), not options.everything
    streams, targets = list[Stream](), list[np.ndarray]()
    embeddings, views = list[Tensor](), list[dict[str, Tensor]]()
    for make in makers[:options.limit]:
        scene = make()
        heard = label_chunks(scene.sounds, scene.power, shop.labels)
        streams.append(Stream(scene.name, scene.fold, scene.kind, 0, len(heard), scene.events))
        targets.append(classes.to_classes(heard, shop.labels))
        embedding, view = ears.hear(scene, streams[-1], whole=whole)
        embeddings.append(embedding)
        views.append(view)
    alone = {name: calibrate([view[name].numpy() for view in views], targets) for name in views[0]}
    tell('YAMNet alone', alone, streams, targets, classes)
    if whole:
        head = SoundHead.read(options.model / 'sounds.safetensors')
        odds = [np.log(score) - np.log1p(-score) for score in (np.clip(score_windows(
            head, one.float().numpy()).astype(np.float64), 1e-7, 1 - 1e-7) for one in embeddings)]
        helpers = Helpers(Branch.read(options.model), tagger, classes, Shares())
        shared = share_anew(head, helpers, embeddings, odds)
        tell('the head', list_rows(odds, views, shared, classes), streams, targets, classes)


if __name__ == '__main__':
    main()
