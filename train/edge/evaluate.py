"""
Figures of a model, on scenes made of recordings and voices that training never saw.

Three parts. ``--pick`` sweeps the decision threshold of each lane over cached validation features,
with the true past as context. ``--listen`` plays other mixtures through the real pipeline and
session and reports word errors, timing, recall per sound and false replies, next to a model that
never says anything. ``--second-pass`` reads whole utterances with Whisper. Owns the matching of
replies with events.

    python -m train.edge.evaluate --model models/edge --pick VALIDATION_FEATURES
    python -m train.edge.evaluate --model models/edge --listen 60 --data DATA --speech SPEECH
    python -m train.edge.evaluate --second-pass 60 --data DATA --speech SPEECH
"""

import argparse
import json
import random
import re
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import jiwer
import numpy as np
import torch

from audio_interaction_ros.audio.mel import StreamingMel
from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.model.checkpoint import LoadedModel
from audio_interaction_ros.model.checkpoint import load as load_model
from audio_interaction_ros.model.decoder import rope_tables
from audio_interaction_ros.protocol import CHUNK_NS, CHUNK_SAMPLES
from audio_interaction_ros.runtimes.registry import load_runtime
from audio_interaction_ros.runtimes.second_pass import WhisperSecondPass
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import ReplyFinished
from audio_interaction_ros.stream.session import Session
from train.edge.compose import Event, Library, Scene, compose, load
from train.edge.features import KINDS
from train.edge.layout import IGNORE, decisions, sequence
from train.edge.scenes import scene_rows

__all__ = ['Tally', 'pick', 'plain', 'sweep']

FIRST_LISTENED = 1_000
LATE_S = 1.2
GROUND = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def plain(text: str) -> str:
    """Return lower-case words without punctuation, for word errors."""
    return ' '.join(re.sub(r"[^\w' ]", ' ', text.lower()).split())


def sweep(scores: np.ndarray, labels: np.ndarray) -> list[tuple[float, float, float]]:
    """Return (threshold, recall, share of silent chunks that fire) of p_respond [n]."""
    due, silent = scores[labels == 1], scores[labels == 0]
    return [(t, float((due >= t).mean()), float((silent >= t).mean())) for t in GROUND]


@torch.inference_mode()
def probabilities(model: LoadedModel, lane: str, row: dict, frames: np.ndarray) -> tuple[
        np.ndarray, np.ndarray]:
    """Return p_respond and label [chunks] of one scene, given the true past."""
    assert model.tokenizer is not None, 'the whole model was loaded'
    encode = model.tokenizer.encode
    ids = model.config.token_ids
    replies = [None if reply is None else (reply[0], encode(reply[1]))
               for reply in decisions(row['events'], lane, row['chunks'])]
    laid = sequence(encode(model.config.prompts[lane]), replies, ids)
    embeddings = model.decoder.embed(torch.from_numpy(laid.ids)[None])
    dtype = embeddings.dtype
    embeddings[0, torch.from_numpy(laid.feature_at)] = model.tower.project(
        torch.from_numpy(frames.astype(np.float32))).reshape(-1, embeddings.shape[-1]).to(dtype)
    decoder = model.config.decoder
    cos, sin = rope_tables(np.arange(len(laid.ids))[None], decoder.head_dim, decoder.rope_base)
    hidden = model.decoder(embeddings, cos, sin)[0, laid.control != IGNORE]
    logits = model.decoder.control_logits(hidden, ids.silence, ids.respond).float()
    return logits.softmax(-1)[:, 1].numpy(), laid.control[laid.control != IGNORE]


def pick(name: str, folder: Path) -> None:
    """Print recall and false fires of each lane over thresholds."""
    model = load_model(name)
    model.decoder.to(torch.bfloat16)
    for lane in model.config.prompts:
        found = [probabilities(model, lane, row, np.load(folder / f'{row["name"]}.npy'))
                 for row in scene_rows(folder)]
        scores, labels = (np.concatenate(part) for part in zip(*found, strict=True))
        print(f'{lane}: {int(labels.sum())} due, {int((labels == 0).sum())} silent chunks')
        for threshold, recall, false in sweep(scores, labels):
            print(f'  p >= {threshold:.1f}: recall {recall:.3f}, false {false:.4f}, '
                  f'balanced accuracy {(recall + 1 - false) / 2:.3f} (always silent 0.500)')


@dataclass
class Tally:
    """What was counted over all scenes."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    references: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    hypotheses: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    timing: Counter[str] = field(default_factory=Counter)
    sounds: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    false: Counter = field(default_factory=Counter)

    def add(self, scene: Scene, replies: list[tuple[str, float, str]], real: set[str]) -> None:
        """Match replies (lane, seconds, text) with the events of a scene."""
        self.seconds[scene.kind] += len(scene.samples) / 16_000
        left = list(replies)
        for event in scene.events:
            lane = 'transcript' if event.kind == 'speech' else 'assistant'
            mine = [reply for reply in left if reply[0] == lane
                    and event.start + 0.2 < reply[1] <= event.due + LATE_S]
            left = [reply for reply in left if reply not in mine]
            (self._speech if event.kind == 'speech' else self._sound)(event, mine, real)
        for lane, _, _ in left:
            self.false[lane, scene.kind] += 1

    def _speech(self, event: Event, mine: list[tuple[str, float, str]], real: set[str]) -> None:
        voice = 'real' if event.text in real else 'synthetic'
        self.references[voice].append(plain(event.text) or '-')
        self.hypotheses[voice].append(plain(' '.join(text for _, _, text in mine)))
        if not mine:
            self.timing['missed'] += 1
        elif mine[0][1] < event.end:
            self.timing['early'] += 1
        elif mine[0][1] <= event.due + 0.8:
            self.timing['within one chunk'] += 1
        else:
            self.timing['late'] += 1

    def _sound(self, event: Event, mine: list[tuple[str, float, str]], real: set[str]) -> None:
        counts = self.sounds[event.label]
        counts['events'] += 1
        counts['any alert'] += bool(mine)
        counts['right'] += any(plain(text) == plain(event.text) for _, _, text in mine)
        counts['repeated'] += max(0, len(mine) - 1)

    def report(self) -> dict:
        """Return all figures; an always silent model has WER 1, recall 0 and nothing false."""
        errors = {voice: round(jiwer.wer(self.references[voice], self.hypotheses[voice]), 3)
                  for voice in self.references}
        return {'minutes': {kind: round(s / 60, 2) for kind, s in self.seconds.items()},
                'wer': errors, 'wer_always_silent': 1.0,
                'utterances': {voice: len(texts) for voice, texts in self.references.items()},
                'timing': dict(self.timing),
                'sounds': {label: dict(counts) for label, counts in sorted(self.sounds.items())},
                'false_replies': {f'{lane} in {kind}': n for (lane, kind), n in
                                  sorted(self.false.items())}}


def second_pass(library: Library, count: int) -> dict:
    """Return word errors and seconds per clip of Whisper's second pass, by kind of voice."""
    reader, rng = WhisperSecondPass(language='en'), random.Random(0)
    clips = {'synthetic': rng.sample(library.utterances, min(count, len(library.utterances))),
             'real': rng.sample(library.real, min(count, len(library.real)))}
    found = {}
    for voice, items in clips.items():
        begin = time.monotonic()
        said = [plain(reader.transcribe(load(path))[0]) for _, path in items]
        found[voice] = {'clips': len(items),
                        'wer': round(jiwer.wer([plain(text) for text, _ in items], said), 3),
                        's_per_clip': round((time.monotonic() - begin) / len(items), 2)}
    return found


def heard(runtime, scene: Scene) -> list[tuple[str, float, str]]:
    """Play a scene and 1.2 s of silence; return (lane, seconds, text) of every reply."""
    spec = runtime.encoder.spec
    runtime.encoder.reset()
    lanes = [LaneConfig(name=lane, prompt=prompt, kind='reply',
                        threshold=runtime.config.thresholds.get(lane, 0.5), max_reply_tokens=48)
             for lane, prompt in runtime.config.prompts.items()]
    session = Session(decoder=runtime.decoder, lanes=lanes, slots=1024)
    mel = StreamingMel(bins=spec.mel_bins, decay_per_s=spec.mel_decay_per_s,
                       maximum_floor=spec.mel_maximum_floor)
    samples = np.pad(scene.samples, (0, -len(scene.samples) % CHUNK_SAMPLES + 3 * CHUNK_SAMPLES))
    replies = []
    for seq, frames in enumerate([*mel.push(samples), *mel.flush()]):
        session.push(EncodedChunk(
            features=runtime.encoder.encode(frames), epoch=1, seq=seq,
            stamp_ns=seq * CHUNK_NS, model_id=spec.model_id))
        while session.busy:
            replies += [(event.lane, event.stamp_ns / 1e9, event.text)
                        for event in session.step() if isinstance(event, ReplyFinished)]
    return replies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--model', default='edge')
    parser.add_argument('--pick', type=Path, help='folder of validation features')
    parser.add_argument('--listen', type=int, default=0, help='number of scenes to play')
    parser.add_argument('--kind', help='scenes of this kind only (default: a mixture)')
    parser.add_argument('--second-pass', type=int, default=0, metavar='CLIPS',
                        help='utterances of each kind of voice to read with Whisper')
    parser.add_argument('--data', type=Path)
    parser.add_argument('--speech', type=Path)
    parser.add_argument('--dtype', default='bfloat16')
    arguments = parser.parse_args()
    if arguments.pick:
        pick(arguments.model, arguments.pick)
    library = Library(arguments.data, arguments.speech, 'validation') if arguments.data else None
    if arguments.second_pass and library:
        print(json.dumps(second_pass(library, arguments.second_pass)))
    if arguments.listen and library:
        runtime, tally = load_runtime(arguments.model, dtype=arguments.dtype), Tally()
        real = {text for text, _ in library.real}
        for index in range(FIRST_LISTENED, FIRST_LISTENED + arguments.listen):
            scene = compose(library, index, arguments.kind or KINDS[index * 7 % len(KINDS)])
            replies = heard(runtime, scene)
            tally.add(scene, replies, real)
            print(scene.name, [(e.kind, round(e.due, 1), e.text) for e in scene.events],
                  [(lane, round(t, 1), text) for lane, t, text in replies], flush=True)
        print(json.dumps(tally.report(), indent=1))


if __name__ == '__main__':
    main()
