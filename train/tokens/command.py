"""``python -m train tokens STREAMS OUT``: streams as rows of ids and labels."""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from audio_interaction_ros.protocol import Emotion
from train.records import Lane, Stream, read_records
from train.tokens.files import TokenRow, to_row, write_rows
from train.tokens.layout import Layout, Said, TokensError, lay_out_online

__all__ = ['add_arguments', 'replies_of_lane', 'rows_of', 'run']

LONGEST_CHUNKS = 60
"""A stream is cut here (24 s, the paper's longest)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument('streams', type=Path, help='file of Stream records')
    parser.add_argument('output', type=Path, help='JSON-lines file to write')
    parser.add_argument('--model', type=Path, required=True,
                        help='model folder: its config.yaml gives the ids')
    parser.add_argument('--tokenizer', type=Path,
                        help='tokenizer.json, where the model folder has none')
    parser.add_argument('--lane', default='', help='this lane only')
    parser.add_argument('--max-chunks', type=int, default=LONGEST_CHUNKS)


def replies_of_lane(lane: Lane, encode: Callable[[str], list[int]], first: int,
                    chunks: int) -> list[Said | None]:
    """Return what a lane says after each of ``chunks`` chunks from ``first`` on."""
    said: list[Said | None] = [None] * chunks
    for reply in lane.replies:
        at = reply.chunk - first
        if 0 <= at < chunks:
            if said[at] is not None:
                raise TokensError(f'chunk {reply.chunk}: expected one reply, got two; merge them '
                                  'in the lane')
            said[at] = Emotion[reply.emotion.upper()], encode(reply.text)
    return said


def rows_of(stream: Stream, layout: Layout, encode: Callable[[str], list[int]], *,
            lane: str = '', max_chunks: int = LONGEST_CHUNKS) -> Iterator[TokenRow]:
    """Yield the rows of a stream: per lane, and per ``max_chunks`` chunks of it."""
    for name, lane_of_stream in stream.lanes.items():
        if lane in ('', name):
            for first in range(0, stream.chunks, max_chunks):
                chunks = min(max_chunks, stream.chunks - first)
                sample = lay_out_online(layout, encode(lane_of_stream.prompt),
                                        replies_of_lane(lane_of_stream, encode, first, chunks))
                yield to_row(sample, layout, idx=f'{stream.id}/{name}/{first}')


def run(options: argparse.Namespace) -> int:
    """Lay out every stream of a file and say how many labels of each kind there are."""
    if options.max_chunks < 1:
        raise TokensError(f'--max-chunks: expected 1 or more, got {options.max_chunks}')
    layout, encode = _read_model(options.model, options.tokenizer)
    counts: Counter[str] = Counter()

    def rows() -> Iterator[TokenRow]:
        for stream in read_records(options.streams, Stream):
            for row in rows_of(stream, layout, encode, lane=options.lane,
                               max_chunks=options.max_chunks):
                _count_labels(row, layout, counts)
                yield row
    try:
        written = write_rows(options.output, rows())
    except OSError as error:
        raise TokensError(f'expected to read {options.streams} and write {options.output}: '
                          f'{error}; name other files') from error
    print(f'{written} rows, {counts["ids"]} ids; labels: {counts["silence"]} silence, '
          f'{counts["respond"]} respond, {counts["text"]} text')
    return 0


def _count_labels(row: TokenRow, layout: Layout, counts: Counter[str]) -> None:
    counts['ids'] += len(row.input_ids)
    for before, label in zip(row.input_ids, row.labels[1:], strict=False):
        if label >= 0:
            decides = before == layout.ids.assistant
            kind = 'respond' if label == layout.ids.respond else 'silence'
            counts[kind if decides else 'text'] += 1


def _read_model(folder: Path, tokenizer: Path | None) -> tuple[Layout, Callable[[str], list[int]]]:
    from audio_interaction_ros.checkpoints.config import load_config
    from audio_interaction_ros.model.tokenizer import Tokenizer
    config = load_config(folder / 'config.yaml')
    path = tokenizer or folder / 'tokenizer.json'
    encode = Tokenizer(path, structural=config.token_ids.structural).encode
    return Layout(config.token_ids, config.audio_tower.features_per_chunk), encode
