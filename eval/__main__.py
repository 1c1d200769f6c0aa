"""The commands of the evaluation: ``python -m eval COMMAND …``."""

import sys
from collections.abc import Sequence

from audio_interaction_ros.cli.commands import run_command

__all__ = ['COMMANDS', 'main']

COMMANDS = {
    'alerts': ('eval.alerts', 'recall per sound, false alarms per hour, delay, calibration'),
    'asr': ('eval.asr', 'word errors, stability of what is shown, latency per word'),
    'translation': ('eval.translation', 'BLEU and chrF of the translation lane'),
    'long': ('eval.long_streams', 'half an hour with sparse events: does it keep listening?'),
    'dialogue': ('eval.dialogue', 'answers to questions and orders, silence otherwise'),
    'hot_words': ('eval.hot_words', 'names that a reader is told of, and their cost elsewhere'),
    'intents': ('eval.intents', 'what somebody wants, from what was read; names; false intents'),
    'answers': ('eval.answers', 'questions and orders that were read, put to a text model'),
    'second_pass': ('eval.second_pass', 'where it begins, what it makes up, what its gate costs'),
    'echo': ('eval.echo', 'what is heard while the robot speaks, its own voice taken out or not'),
    'turns': ('eval.turns', 'utterances cut in two, run together, late; places without speech'),
    'teach': ('eval.teach', 'sounds taught from five recordings of one device'),
    'all': ('eval.all_commands', 'alerts, asr, dialogue, translation and long, as a model card'),
    'psb': ('eval.psb', 'ProactiveSound-Bench, Single and Multiple'),
    'suite': ('eval.suite', 'MMAU, VoiceBench, spoken questions, LibriSpeech, CoVoST2'),
    'curve': ('eval.curve', 'words that are wrong by delay, BLEU over LAAL, of a streamed suite'),
    'field': ('eval.field', 'recordings of a real place beside a matched synthetic split'),
    'stand-in': ('eval.stand_in', 'held-out clips in the public form of a benchmark'),
    'probe': ('eval.probe', 'inside the nets: seams of chunks by depth, heads that decide'),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; 2 for an error that a person can correct."""
    return run_command('python -m eval', COMMANDS, arguments)


if __name__ == '__main__':
    sys.exit(main())
