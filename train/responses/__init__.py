"""
When a lane speaks and what it answers: positions, history review, silent verification.

Pure functions over records and words (arXiv 2606.05121, stream composition and supplementary
data). Knows no audio, no tokens and no model, except a language model behind HTTP when asked for.
"""

from train.responses.history import (
    P_HISTORY_REVIEW,
    BuiltinAsker,
    LanguageAsker,
    Review,
    Turn,
    find_review_problems,
    history_review,
)
from train.responses.language import LanguageModel, ResponsesError
from train.responses.position import (
    alert_replies,
    asr_replies,
    join_words,
    reply_chunk,
    reply_delay_s,
    translation_replies,
)
from train.responses.silent import (
    P_PROACTIVE,
    P_SILENT,
    REASONS,
    STAGE_FOUR,
    Judgement,
    LanguageJudge,
    RulesJudge,
    Verified,
    draw_kind,
    draw_proactive,
    verify_silence,
)

__all__ = [
    'P_HISTORY_REVIEW', 'P_PROACTIVE', 'P_SILENT', 'REASONS', 'STAGE_FOUR', 'BuiltinAsker',
    'Judgement', 'LanguageAsker', 'LanguageJudge', 'LanguageModel', 'ResponsesError', 'Review',
    'RulesJudge', 'Turn', 'Verified', 'alert_replies', 'asr_replies', 'draw_kind',
    'history_review', 'join_words', 'draw_proactive', 'reply_chunk', 'reply_delay_s',
    'find_review_problems', 'verify_silence', 'translation_replies',
]
