r"""
Experiment: a CTC head over windows of 2, 4 and 6 s, with and without a language model, compared.

Owns four steps over what ``train.edge.wide_windows`` heard, each on disk when it is done:
``learn`` trains the shipped projector on with one window, the same passes and order for each;
``read`` plays the compared clips to the reader that ships; ``compare`` decodes them of each window
greedily and looks at the screen a second after each word, as ``eval asr`` does; ``rescore`` lets
SmolLM2-135M choose among the best readings of whole clips (flashlight-text's search over CTC).

    python -m eval.wide_words STEP --data DATA --text PAIRS.tsv --heard OUT
"""

import argparse
import json
import random
import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from audio_interaction_ros.checkpoints.base_weights import fetch
from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.resources import shipped_path
from eval.live_stream import HeardFinal, HeardStream, Shown, play
from eval.shown_words import ShownClip, count_wrong, make_clip, note_words
from held_out.clips import load, read_held_out
from held_out.lines import read_whole_lines
from measure.intervals import quotients
from measure.word_errors import count_errors
from train.edge.speech_plan import read_sentences, sentences_to_train
from train.edge.stage_a import (
    Example,
    Speller,
    draw_batches,
    make_speller,
    train_epoch,
    validate,
)
from train.edge.wide_windows import KINDS, WINDOWS_S, frames_file, read_heard
from train.trainer.clock import Clock
from train.trainer.progress import write_weights

BEGIN = 0
"""Stands between texts in what SmolLM2 was trained on."""
COMMON = 8_000
"""The tokenizer's first ones are the commonest."""
WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
BONUSES = (0.0, 0.5, 1.0, 2.0, 3.0)
"""Of the language model, and what a token more is worth, in nats."""
BEAM, BEAM_TOKENS, BEAM_NATS = 64, 16, 25.0


def tokens_of(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return the ids of a text as stage A spells it: without marks, a space before."""
    return tokenizer.encode(' ' + re.sub(r"[^\w' ]", '', re.sub(r'[-–—]', ' ', text))).ids


def make_examples(out: Path, side: str, window_s: float, tokenizer: Tokenizer) -> list[Example]:
    made: list[Example] = []
    for one in read_heard(out):
        frames = np.load(frames_file(out, one.name, window_s)).reshape(-1, 4096)
        ids = tokens_of(tokenizer, one.text)
        if one.side == side and (side != 'train' or len(frames) > len(ids) + 2):
            made.append((frames, ids, 'speech'))
    return made


def tokens_in_use(options: argparse.Namespace, tokenizer: Tokenizer) -> list[int]:
    """Return what can be spelled: what training sides say, here or in pairs, and the commonest."""
    texts = [one.text for one in read_heard(options.heard) if one.side == 'train']
    alone = sentences_to_train(options.text)
    texts += [text for text in read_sentences(options.text) if alone is None or text in alone]
    common = {i for token, i in tokenizer.get_vocab().items()
              if i < COMMON and re.fullmatch("Ġ?[A-Za-z0-9']+", token)}
    return sorted(common | {i for text in texts for i in tokens_of(tokenizer, text)})


def learn(options: argparse.Namespace, tokenizer: Tokenizer, base: Path) -> None:
    """Train each window's projector, keep the pass with the fewest wrong words of validation."""
    used = tokens_in_use(options, tokenizer)
    for window_s in options.windows:
        path = options.heard / f'projector_{window_s:g}s.safetensors'
        if path.exists():
            continue
        rng = random.Random(0)
        torch.manual_seed(0)
        items = make_examples(options.heard, 'train', window_s, tokenizer)
        held = make_examples(options.heard, 'validation', window_s, tokenizer)
        index = {token: place + 1 for place, token in enumerate(used)}
        model = make_speller(items, used, base)
        model.unfold(load_file(shipped_path('models/edge') / 'trained.safetensors'))
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.05)
        batches = draw_batches(items, 4, rng)
        # Its seconds are steps: other work does not shorten a run.
        steps = count()
        clock = Clock(options.passes * len(batches) / 60, now=count().__next__)
        print(f'{window_s:g} s: {len(items)} utterances, {len(used)} tokens', flush=True)
        best, began = 9.9, time.process_time()
        for number in range(options.passes):
            losses = train_epoch(model, optimizer, draw_batches(items, 4, rng), index, clock,
                                 steps)
            wer = validate(model, held, used, tokenizer)['wer']
            print(f'{window_s:g} s, pass {number + 1}: loss {np.mean(losses):.3f}, wrong '
                  f'{wer:.3f}, {time.process_time() - began:.0f} s', flush=True)
            if wer < best:
                best = wer
                write_weights(path.with_suffix('.best'), model.state_dict(),
                              {'used': json.dumps(used)})
        path.with_suffix('.best').replace(path)


def load_speller(options: argparse.Namespace, window_s: float) -> tuple[Speller, list[int]]:
    from safetensors import safe_open
    path = options.heard / f'projector_{window_s:g}s.safetensors'
    with safe_open(path, 'pt') as file:
        used = json.loads(file.metadata()['used'])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    model = Speller(torch.ones(len(used), 576), state['mean'], state['deviation'])
    model.load_state_dict(state)
    return model.eval(), used


def read(options: argparse.Namespace) -> None:
    """Play the compared clips to the reader; leave what it showed when, with the references."""
    from audio_interaction_ros.parameter_file import load_configuration
    from audio_interaction_ros.runtimes.registry import load_transcriber, load_turn_judge
    reader = load_transcriber(language='en', threads=1)
    settings = load_configuration(shipped_path('config/edge.yaml')).transcript
    judge = load_turn_judge(threads=1)
    items = {str(item.path): item for item in read_held_out(options.data)}
    path = options.heard / 'reader.jsonl'
    done = {row['name'] for row in read_whole_lines(path)}
    with path.open('a', encoding='utf-8') as lines:
        for one in read_heard(options.heard):
            if one.side == 'train' or one.name in done or (
                    one.side == 'validation' and not options.all):
                continue
            samples = load(Path(one.source))
            clip = make_clip(reader, items[one.source], samples)
            if clip is None:
                continue
            heard = play(reader, samples, settings, judge=judge, clock=time.process_time)
            clip = note_words(clip, heard)
            lines.write(json.dumps({'name': one.name, 'kind': one.kind, 'side': one.side,
                                    'clip': asdict(clip)}) + '\n')
            lines.flush()
            print(one.name, count_wrong(clip), flush=True)


class Writer:
    """SmolLM2-135M: how likely texts are, as sums of log probabilities."""

    def __init__(self, base: Path) -> None:
        from transformers import LlamaConfig, LlamaForCausalLM
        config = LlamaConfig(hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
                             num_attention_heads=9, num_key_value_heads=3, vocab_size=49_152,
                             rope_theta=100_000.0, rms_norm_eps=1e-5, tie_word_embeddings=True,
                             max_position_embeddings=8192)
        net: Any = LlamaForCausalLM(config)
        self._net = net.to(torch.bfloat16).eval()
        state = {name: value.bfloat16() for name, value in
                 load_file(base / 'model.safetensors').items()}
        missing, unexpected = self._net.load_state_dict(state, strict=False)
        assert not unexpected and missing in ([], ['lm_head.weight']), (missing, unexpected)
        self._net.tie_weights()

    @torch.inference_mode()
    def score(self, texts: Sequence[Sequence[int]]) -> list[float]:
        """Return the log probability of each list of ids, alone behind what begins a text."""
        longest = max(map(len, texts))
        if not longest:
            return [0.0 for _ in texts]
        ids = torch.tensor([[BEGIN, *text, *[BEGIN] * (longest - len(text))] for text in texts])
        scores = torch.log_softmax(self._net(ids[:, :-1]).logits.float(), -1)
        each = scores.gather(2, ids[:, 1:, None])[..., 0]
        return [float(row[:len(text)].sum()) for row, text in zip(each, texts, strict=True)]


def find_candidates(scores: np.ndarray, used: list[int]) -> list[tuple[list[int], float]]:
    """Return the best lists of ids of log probabilities [features, 1 + tokens], best first."""
    from flashlight.lib.text.decoder import (
        CriterionType,
        LexiconFreeDecoder,
        LexiconFreeDecoderOptions,
        ZeroLM,
    )
    decoder = LexiconFreeDecoder(LexiconFreeDecoderOptions(
        beam_size=BEAM, beam_size_token=BEAM_TOKENS, beam_threshold=BEAM_NATS, lm_weight=0.0,
        sil_score=0.0, log_add=True, criterion_type=CriterionType.CTC), ZeroLM(), -1, 0, [])
    scores = np.ascontiguousarray(scores, np.float32)
    found: dict[tuple[int, ...], float] = {}
    for one in decoder.decode(scores.ctypes.data, *scores.shape):
        path = list(one.tokens)
        ids = tuple(used[i - 1] for place, i in enumerate(path)
                    if i > 0 and (place == 0 or i != path[place - 1]))
        found[ids] = max(one.score, found.get(ids, -1e9))
    return [(list(ids), found[ids]) for ids in sorted(found, key=lambda ids: -found[ids])]


def rescore(options: argparse.Namespace, tokenizer: Tokenizer, base: Path) -> None:
    """Let the language model choose among the best readings of whole clips, and print it."""
    for window_s in options.windows:
        speller, used = load_speller(options, window_s)
        path = options.heard / f'candidates_{window_s:g}s.jsonl'
        rows = {row['name']: row for row in read_whole_lines(path)}
        left = sorted((one for one in read_heard(options.heard)
                       if one.side != 'train' and one.name not in rows),
                      key=lambda one: one.side, reverse=True)
        writer = Writer(base) if left else None
        with path.open('a', encoding='utf-8') as lines:
            for one in left:
                assert writer is not None, 'it was loaded'
                frames = np.load(frames_file(options.heard, one.name, window_s))
                found = find_candidates(score(speller, frames.reshape(-1, 4096)),
                                        used)[:options.candidates]
                began = time.process_time()
                likely = writer.score([ids for ids, _ in found])
                rows[one.name] = {'name': one.name, 'spent_s': time.process_time() - began,
                                  'found': [(tokenizer.decode(ids), len(ids), heard, said)
                                            for (ids, heard), said in
                                            zip(found, likely, strict=True)]}
                lines.write(json.dumps(rows[one.name]) + '\n')
                lines.flush()
        print_rescored(options, window_s, rows)


def pick(row: dict[str, Any], weight: float, bonus: float) -> str:
    """Return the text with the best sum of what was heard, what is likely, and its length."""
    return str(max(row['found'], key=lambda one: one[2] + weight * one[3] + bonus * one[1])[0])


def print_rescored(options: argparse.Namespace, window_s: float, rows: dict[str, Any]) -> None:
    """Choose weight and bonus on validation clips; print wrong words of the compared ones."""
    known = [one for one in read_heard(options.heard) if one.name in rows]
    grid = [(weight, bonus) for weight in WEIGHTS for bonus in BONUSES]
    wrong = {at: sum(count_errors(one.text, pick(rows[one.name], *at))[0] for one in known
                     if one.side == 'validation') for at in grid}
    chosen = min(grid, key=lambda at: wrong[at])
    print(f'{window_s:g} s: weight and bonus {chosen}, wrong words of validation '
          f'{wrong[chosen]}, {wrong[0.0, 0.0]} without; {len(known)} clips', flush=True)
    for kind in KINDS:
        mine = [one for one in known if one.side == 'test' and one.kind == kind]
        ways = {'search': [count_errors(one.text, pick(rows[one.name], 0.0, 0.0))
                           for one in mine],
                'with SmolLM2': [count_errors(one.text, pick(rows[one.name], *chosen))
                                 for one in mine],
                'best of them': [min((count_errors(one.text, found[0]) for found in
                                      rows[one.name]['found']), key=lambda pair: pair[0])
                                 for one in mine]}
        for way, counts in ways.items():
            more = [a - b for (a, _), (b, _) in zip(counts, ways['search'], strict=True)]
            print(f'{window_s:g} s, {kind}, {way}: {quotients(*zip(*counts, strict=True))}, '
                  f'{sum(a for a, _ in counts)} of {sum(b for _, b in counts)} words; more than '
                  f'the search {quotients(more, [b for _, b in counts])}', flush=True)
        print('seconds of SmolLM2 a clip', np.mean([rows[one.name]['spent_s'] for one in mine]),
              'candidates', np.mean([len(rows[one.name]['found']) for one in mine]), flush=True)


@torch.no_grad()
def score(model: Speller, frames: np.ndarray) -> np.ndarray:
    """Return log probabilities [features, 1 + tokens] of frames [features, 4096]."""
    return model(torch.from_numpy(frames.astype(np.float32))[None])[0].numpy()


def show(clip: ShownClip, texts: Sequence[tuple[str, float]]) -> ShownClip:
    """Return a clip whose screen has these texts, one per chunk, each so late."""
    bare = ShownClip(group=clip.group, reference=clip.reference, ends=clip.ends,
                     whole=clip.whole, seconds=clip.seconds, name=clip.name)
    stream = HeardStream()
    for place, (text, spent) in enumerate(texts):
        stream.shown.append(('0', Shown(at=(place + 1) * CHUNK_S, spent=spent, text=text,
                                        stable='')))
    at = len(texts) * CHUNK_S
    stream.finals.append(HeardFinal(at=at, spent=texts[-1][1], text=texts[-1][0], start=0.0,
                                    end=at, ended_by='silence'))
    return note_words(bare, stream)


def decode_all(options: argparse.Namespace, tokenizer: Tokenizer,
               window_s: float) -> dict[str, list[tuple[str, float]]]:
    """Return, of each compared clip, the text after each chunk and the seconds that it took."""
    speller, used = load_speller(options, window_s)
    encoder_s = options.costs[WINDOWS_S.index(window_s)]
    shown = {}
    for one in read_heard(options.heard):
        if one.side != 'test':
            continue
        frames = np.load(frames_file(options.heard, one.name, window_s))
        best = score(speller, frames.reshape(-1, 4096)).argmax(-1).tolist()
        spelled = [0 if i == before else i
                   for i, before in zip(best, [0, *best[:-1]], strict=True)]
        shown[one.name] = [(tokenizer.decode(
            [used[i - 1] for i in spelled[:(place + 1) * frames.shape[1]] if i]), encoder_s)
            for place in range(len(frames))]
    return shown


def compare(options: argparse.Namespace, tokenizer: Tokenizer) -> None:
    """Decode the compared clips in all ways, then print the table."""
    read_clips = {row['name']: row for row in read_whole_lines(options.heard / 'reader.jsonl')}
    clips = {name: ShownClip(**row['clip']) for name, row in read_clips.items()}
    ways = {'reader': clips}
    for window_s in options.windows:
        texts = decode_all(options, tokenizer, window_s)
        ways[f'{window_s:g} s'] = {name: show(clip, texts[name])
                                   for name, clip in clips.items() if name in texts}
    for kind in (*KINDS, ''):
        names = {name for name, row in read_clips.items() if row['kind'].startswith(kind)}
        for among in {frozenset(names & set(shown)) for shown in ways.values()}:
            for way, shown in ways.items():
                if among and among <= set(shown):
                    print_row(f'{kind or "all"}, {way}', [shown[name] for name in sorted(among)],
                              [clips[name] for name in sorted(among)])


def print_row(title: str, mine: Sequence[ShownClip], reader: Sequence[ShownClip]) -> None:
    """Print wrong words after a second, without computing and of finals, and the difference."""
    def final(clip: ShownClip) -> tuple[int, int]:
        return count_errors(clip.reference, ' '.join(text for *_, text in clip.finals))
    late, heard, last = (quotients(*zip(*[count(clip) for clip in mine], strict=True))
                         for count in (count_wrong, partial(count_wrong, computing=False), final))
    more = quotients([count_wrong(a)[0] - count_wrong(b)[0] for a, b in
                      zip(mine, reader, strict=True)], [len(b.ends) for b in reader])
    print(f'{title:32} {len(mine):3} clips {sum(len(c.ends) for c in mine):4} words: after 1 s '
          f'{late}, without computing {heard}, final {last}, more than the reader {more}',
          flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('step', choices=('learn', 'read', 'compare', 'rescore'))
    parser.add_argument('--data', type=Path, required=True)
    parser.add_argument('--text', type=Path, required=True)
    parser.add_argument('--heard', type=Path, required=True)
    parser.add_argument('--passes', type=int, default=10)
    parser.add_argument('--windows', type=float, nargs='*', default=list(WINDOWS_S))
    parser.add_argument('--costs', type=float, nargs=3, default=(0.0, 0.0, 0.0),
                        metavar='S', help='of processor per chunk, encoder of each window')
    parser.add_argument('--candidates', type=int, default=8)
    parser.add_argument('--all', action='store_true', help='the reader reads validation, too')
    options = parser.parse_args()
    torch.set_num_threads(1)
    base = fetch('smollm2-135m-instruct')
    tokenizer = Tokenizer.from_file(str(base / 'tokenizer.json'))
    if options.step == 'learn':
        learn(options, tokenizer, base)
    elif options.step == 'read':
        read(options)
    elif options.step == 'compare':
        compare(options, tokenizer)
    else:
        rescore(options, tokenizer, base)


if __name__ == '__main__':
    main()
