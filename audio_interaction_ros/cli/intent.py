"""`audio-interaction intent TEXT…`: what a text would mean, to try phrases of one's own."""

import argparse

from audio_interaction_ros.assembly import build_matcher
from audio_interaction_ros.config import AssistantConfig, IntentsConfig
from audio_interaction_ros.terminal import print_result

__all__ = ['add_parser']


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        'intent', help='what a text would mean',
        description='Print the intent of each text with its slots, confidence and answer; exit '
                    'code 1 where one has none that counts. No audio, no model.')
    parser.add_argument('texts', nargs='+', metavar='TEXT', help='a sentence, in quotes')
    parser.add_argument('--intents', default='', metavar='FILE',
                        help='a file of your own, asked before the shipped one (intents.file)')
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    config = AssistantConfig(intents=IntentsConfig(file=options.intents))
    matcher, bar = build_matcher(config), config.intents.min_confidence
    counted = True
    for text in options.texts:
        intent = matcher.match(text)
        if intent is None:
            print_result(f'{text!r}: none')
        else:
            slots = ', '.join(f'{name}: {value}' for name, value in intent.slots.items())
            low = '' if intent.confidence >= bar else f', below {bar:g}: does not count'
            print_result(f'{text!r}: {intent.name} {intent.confidence:.2f}{low}'
                         + f' [{slots}]' * bool(slots)
                         + f' "{intent.answer}"' * bool(intent.answer))
        counted = counted and intent is not None and intent.confidence >= bar
    return 0 if counted else 1
