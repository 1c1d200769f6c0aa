"""
``python -m eval.spoken_calls``: calls for help, and talk of help, for ``python -m eval intents``.

No recording of a call for help was at hand, so synthetic voices say what
``data/calls_for_help.yaml`` lists: those kept for validation, and hibari. Leaves a folder with
a manifest for ``--data``. A run that was stopped goes on.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.strict_yaml import read_yaml
from eval.heldout_speech import VOICES
from held_out.lines import read_whole_lines
from held_out.splits import chance_of
from train.edge.speech_plan import Utterance
from train.edge.synthesise import check_voices, speak_all

__all__ = ['LINES', 'main', 'plan_calls', 'write_manifest']

LINES = Path(__file__).parent / 'data' / 'calls_for_help.yaml'


def plan_calls(lines: Mapping[str, Sequence[str]]) -> list[Utterance]:
    """Return that each voice says each line; ``lines`` has a label and what is said for it."""
    return [Utterance(name=f'{label}-{number:02d}-{voice.replace(":", "-")}', text=text,
                      voice=voice, seed=int(chance_of('seed', f'{voice} {text}') * 1e6),
                      split='validation')
            for label, texts in lines.items() for number, text in enumerate(texts)
            for voice in VOICES]


def write_manifest(folder: Path) -> int:
    """Write what was spoken as a manifest; return how many clips it has."""
    rows = [{'path': row['path'], 'label': row['name'].partition('-')[0], 'text': row['text'],
             'seconds': row['seconds'], 'speaker': row['voice'], 'source_id': row['name'],
             'lang': 'en', 'licence_group': 'generated'}
            for row in read_whole_lines(folder / 'utterances.jsonl')]
    (folder / 'manifest.jsonl').write_text(
        ''.join(json.dumps(row, ensure_ascii=False) + '\n' for row in rows), encoding='utf-8')
    return len(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Speak, and say how many clips there are; 2 where no voice is there."""
    parser = argparse.ArgumentParser(prog='python -m eval.spoken_calls',
                                     description=__doc__.splitlines()[1])
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--workers', type=int, default=2)
    options = parser.parse_args(arguments)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        speak_all(check_voices(plan_calls(read_yaml(LINES))), options.out, options.workers)
    except AudioInteractionError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(f'{write_manifest(options.out)} clips in {options.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
