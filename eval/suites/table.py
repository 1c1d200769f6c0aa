"""
The suites: what each reads, which lane is asked, by which rule it counts, what the paper has.

Owns the list. The paper's figures are those of arXiv 2606.05121, of the 3B model.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audio_interaction_ros.config import LaneConfig
from eval.suites import forms, scoring
from eval.suites.items import Answered, SuiteItem
from eval.suites.judge import Judge

__all__ = ['SUITES', 'Suite']

_ASSISTANT = LaneConfig(name='assistant', max_reply_tokens=96)
_TRANSCRIPT = LaneConfig(name='transcript', kind='transcript')
_TRANSLATION = LaneConfig(name='translation', kind='translation')


@dataclass(frozen=True, kw_only=True)
class Suite:
    """One benchmark."""

    title: str
    read: Callable[[Path, str], list[SuiteItem]]
    lane: LaneConfig
    score: Callable[[Sequence[Answered], Judge | None], dict[str, Any]]
    export: str = ''
    """Form of the file of answers (exports.EXPORTS); empty: none."""
    part: str = ''
    """What is read where the caller names no part."""
    paper: Mapping[str, float] = field(default_factory=dict)
    """Figure to what the paper has, in the unit of the figure."""


def _spoken(title: str, score: Any, paper: Mapping[str, float], *, part: str = '',
            export: str = 'voicebench') -> Suite:
    return Suite(title=title, read=forms.read_spoken_questions, lane=_ASSISTANT, score=score,
                 export=export, part=part, paper=paper)


SUITES: Mapping[str, Suite] = {
    'mmau': Suite(
        title='MMAU, written questions', read=forms.read_mmau, lane=_ASSISTANT,
        score=scoring.score_mmau, export='mmau', paper={'accuracy': 0.5568}),
    'mmau-spoken': Suite(
        title='MMAU, spoken questions', read=forms.read_mmau, lane=_ASSISTANT, part='spoken',
        score=scoring.score_mmau, export='mmau', paper={'accuracy': 0.5815}),
    'llama-questions': _spoken('LLaMA Questions', scoring.score_closed, {'accuracy': 0.6731},
                               export='ultraeval'),
    'web-questions': _spoken('Web Questions', scoring.score_closed, {'accuracy': 0.5434},
                             export='ultraeval'),
    'alpacaeval': _spoken('AlpacaEval (VoiceBench)', scoring.score_open, {'mark': 4.28}),
    'sd-qa': _spoken('SD-QA (VoiceBench)', scoring.score_sd_qa, {scoring.SD_QA: 0.5214}),
    'librispeech-clean': Suite(
        title='LibriSpeech test-clean', read=forms.read_librispeech, lane=_TRANSCRIPT,
        score=scoring.score_transcripts, part='test-clean', paper={'word error rate': 0.0317}),
    'librispeech-other': Suite(
        title='LibriSpeech test-other', read=forms.read_librispeech, lane=_TRANSCRIPT,
        score=scoring.score_transcripts, part='test-other', paper={'word error rate': 0.0604}),
    'covost-en-zh': Suite(
        title='CoVoST2 English to Chinese', read=forms.read_covost, lane=_TRANSLATION,
        score=scoring.score_translations, part='en_zh-CN.test', paper={'BLEU': 55.22}),
    'covost-zh-en': Suite(
        title='CoVoST2 Chinese to English', read=forms.read_covost, lane=_TRANSLATION,
        score=scoring.score_translations, part='zh-CN_en.test', paper={'BLEU': 35.21}),
}
"""Name of a suite on the command line to what it is; ``python -m eval psb`` is one more."""
