"""
What the edge model fixes: its structural ids, its lanes and how it is asked.

Owns these names and numbers; how ids are laid out is ``train.tokens``' business.
"""

from audio_interaction_ros.protocol import TokenIds

__all__ = ['BASE_VOCABULARY', 'CHINESE', 'FEATURES', 'IDS', 'MIN_CONFIDENCE', 'PROMPTS', 'SLOTS',
           'THRESHOLDS']

BASE_VOCABULARY = 49_152
FEATURES = 6
"""Five of words, the last of sounds."""
PROMPTS = {'transcript': 'Transcribe the speech.',
           'translation': 'Translate the speech.',
           'assistant': 'Warn about dangerous sounds and answer questions.'}
THRESHOLDS = {'transcript': 0.5, 'translation': 0.5, 'assistant': 0.9}
"""From which probability on a lane speaks, where ``evaluate --pick`` has not told better."""
MIN_CONFIDENCE = {'assistant': 0.75}
"""Below it a reply is withheld; transcripts and translations are corrected, not withheld."""
SLOTS = {'assistant': 256}
"""
Positions that a lane keeps: of sounds it says what it hears now, and after minutes of silence it
would hardly speak again. A transcript of one utterance needs more.
"""
_NEW = [BASE_VOCABULARY + i for i in range(19)]
IDS = TokenIds(user=_NEW[0], assistant=_NEW[1], silence=_NEW[2], respond=_NEW[3],
               text_end=_NEW[4], pad=_NEW[5], online=_NEW[6], offline=_NEW[7],
               language=_NEW[8], system=_NEW[9], audio_pad=_NEW[10], audio_begin=_NEW[11],
               audio_end=_NEW[12],
               emotions=(_NEW[13], _NEW[14], _NEW[15], _NEW[16], _NEW[17], _NEW[18]))
CHINESE = '(Chinese)'
"""
What the translation lane writes of Mandarin: it can tell that and when it was spoken.

What was said the second pass reads, and the same model translates its text. A few hundred
utterances teach no recogniser, and an invented sentence would be worse than none.
"""
