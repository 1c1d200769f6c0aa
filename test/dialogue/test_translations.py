"""Translations while somebody speaks: what is stable stays, and finals begin with it."""

import itertools

import pytest
from scripted_text import scripted

from audio_interaction_ros.dialogue.growing_translation import GrowingTranslation
from audio_interaction_ros.dialogue.interpreter import Interpreter
from audio_interaction_ros.dialogue.text_writer import TextWriter
from audio_interaction_ros.dialogue.word_interpreter import WordInterpreter
from audio_interaction_ros.stream.events import FinalTranscript, PartialTranscript

pytestmark = pytest.mark.unit

S = 1_000_000_000


def word_for_word(turns):
    """Answer what was said in capitals."""
    return turns[-1][1].upper()


def interpret(answer=word_for_word):
    model, nets = scripted(answer)
    return Interpreter(TextWriter(model)), nets


def grow(growing, text):
    return growing.grow(text, len(text))


def test_each_direction_is_asked_for_by_name_and_shown():
    asked = []
    interpreter, _ = interpret(lambda turns: asked.append(turns) or 'x')
    for language in ('en', 'zh'):
        list(interpreter.translate('Hi.', language))
    whole = [turns for turns in asked if turns[-1] == ('user', 'Hi.')]
    (english, *shown, _), (chinese, *shown_too, _) = whole[0], whole[-1]
    assert 'simplified Chinese' in english[1] and 'into English' in chinese[1]
    assert [text for _, text in shown] == [shown_too[i ^ 1][1] for i in range(len(shown_too))]
    with pytest.raises(ValueError, match="found 'de'"):
        list(interpreter.translate('Hallo.', 'de'))


def test_what_two_translations_begin_with_alike_is_stable():
    growing = GrowingTranslation(interpret()[0], 'zh')
    assert grow(growing, '我想去') is None  # too little to be worth it
    shown = grow(growing, 'one two three four five')
    assert (shown.text, shown.stable_length) == ('ONE TWO THREE FOUR FIVE', 0)
    assert grow(growing, 'one two three four five six') is None
    shown = grow(growing, 'one two three four five six seven eight nine ten')
    assert shown.text.endswith('NINE TEN')
    assert shown.text[:shown.stable_length] == 'ONE TWO THREE FOUR FIVE'


def test_no_stable_word_changes_however_the_translation_does():
    answers = iter(('a b c.', 'a b d e', 'x y z', 'a b d e f. G'))

    def answer(turns):
        return wanted[0]
    growing, wanted, stable = GrowingTranslation(interpret(answer)[0], 'en'), [''], ''
    for count in itertools.count(3, 3):
        wanted[0] = next(answers, '')
        if not wanted[0]:
            break
        shown = grow(growing, ' '.join('abcdefghijklmnop'[:count]))
        assert shown.text.startswith(stable)
        stable = shown.text[:shown.stable_length]
    wanted[0] = 'q r s'
    final = growing.finish('Something else.')
    assert stable and final.text.startswith(stable) and final.stable_length == len(final.text)


def test_a_mark_or_half_a_word_is_not_stable():
    answers = iter(('GO ON.', 'GO ON.', 'GO ONWARD'))
    wanted = ['']
    growing = GrowingTranslation(interpret(lambda turns: wanted[0])[0], 'zh')
    lengths = []
    for count in (5, 10, 15):
        wanted[0] = next(answers)
        lengths.append(grow(growing, ' '.join('abcdefghijklmno'[:count])).stable_length)
    assert lengths == [0, len('GO ON'), len('GO ON')]


def test_a_sentence_that_is_over_is_translated_to_its_end_and_never_again():
    asked = []

    def answer(turns):
        asked.append(turns[-1][1])
        return turns[-1][1].upper()
    growing = GrowingTranslation(interpret(answer)[0], 'zh')
    shown = grow(growing, 'one two three. Four')
    assert (shown.text, shown.stable_length) == ('ONE TWO THREE.', len('ONE TWO THREE.'))
    assert growing.finish('One two three. Four five.').text == 'ONE TWO THREE. FOUR FIVE.'
    assert [text for text in asked if 'ee.' in text.lower()].count('One two three.') == 0
    assert 'Four five.' in asked


def test_a_pause_in_mid_sentence_does_not_end_it():
    growing = GrowingTranslation(interpret()[0], 'en')
    assert grow(growing, 'Plastic does. not burn').stable_length == 0
    assert growing.finish('Plastic does not burn.').text == 'PLASTIC DOES NOT BURN.'


def test_chinese_is_joined_without_spaces():
    growing = GrowingTranslation(interpret(lambda turns: '好。')[0], 'en')
    assert growing.finish('One. Two.').text == '好。好。'


def test_a_sentence_that_is_too_long_is_translated_in_parts():
    asked = []
    growing = GrowingTranslation(interpret(
        lambda turns: asked.append(turns[-1][1]) or turns[-1][1])[0], 'zh')
    said = '一二三四五六七八九十' * 3 + '，' + '一二三四五六七八九十' * 2 + '甲'
    assert grow(growing, said[:45]).stable_length == 31  # the part before the mark
    assert growing.finish(said).text.replace(' ', '') == said
    assert max(len(text) for text in asked if set(text) <= set(said)) <= 41


def test_what_runs_in_circles_is_no_translation():
    growing = GrowingTranslation(interpret(
        lambda turns: 'la ' * 40 if 'four' in turns[-1][1].lower() else 'GOOD')[0], 'en')
    assert grow(growing, 'one two three four') is None
    assert growing.finish('One two. Three four. Five.').text == 'GOODGOOD'


def test_a_cancelled_translation_takes_nothing():
    growing = GrowingTranslation(interpret()[0], 'en')
    assert growing.grow('one two three. Four', 19, lambda: True) is None
    assert growing.grow('one two three', 13, lambda: True) is None
    assert growing.finish('One two three.').text == 'ONE TWO THREE.'


def partial(text, language='en', name='u1', stable=None):
    return PartialTranscript(
        lane='transcript', stamp_ns=2 * S, epoch=1, seq=5, utterance_id=name, revision=0,
        text=text, stable_length=len(text) if stable is None else stable, words=(),
        language=language, start_ns=S, end_ns=2 * S)


def final(text, language='en', name='u1', **more):
    return FinalTranscript(**{
        'lane': 'transcript', 'stamp_ns': 3 * S, 'epoch': 1, 'seq': 7, 'reply_id': 'r1',
        'utterance_id': name, 'text': text, 'language': language, 'streamed_text': '',
        'source': 'second_pass', 'confidence': 0.9, 'start_ns': S, 'end_ns': 3 * S, **more})


def test_an_utterance_has_partial_translations_and_one_final():
    follows = WordInterpreter(interpret()[0])
    first = follows.on_partial(partial('one two three four', stable=13))
    assert (first.text, first.stable_length, first.revision) == ('ONE TWO THREE', 0, 0)
    assert (first.language, first.source_language, first.source_text) == (
        'zh', 'en', 'one two three')
    second = follows.on_partial(partial('one two three four five six'))
    assert second.revision == 1
    assert second.text[:second.stable_length] == 'ONE TWO THREE'
    last = follows.on_final(final('One two three four five six.'))
    assert (last.text, last.reply_id, last.source_text) == (
        'ONE TWO THREE FOUR FIVE SIX.', 'u1', 'One two three four five six.')
    assert (last.language, last.source, last.confidence) == ('zh', 'second_pass', 0.9)


def test_a_final_without_partials_is_translated_and_another_language_is_not():
    follows = WordInterpreter(interpret()[0])
    assert follows.on_final(final('Hi.', name='', language='zh')).reply_id == 'r1'
    assert follows.on_partial(partial('eins zwei drei vier', language='de')) is None
    assert follows.on_final(final('Eins zwei.', language='de')) is None
    assert follows.on_final(final('', name='u2')) is None
    assert follows.on_final(final('Hi.', name='u3', source='streamed')) is None


def test_a_final_may_come_while_the_next_utterance_is_spoken():
    follows = WordInterpreter(interpret()[0])
    follows.on_partial(partial('one two three'))
    assert follows.on_partial(partial('four five six', name='u2')).revision == 0
    assert follows.on_final(final('One two three.')).revision == 1
    assert follows.on_partial(partial('four five six seven eight nine', name='u2')).revision == 1
    for number in range(20):  # those of which no final ever comes are forgotten
        follows.on_partial(partial('one two three', name=f'lost {number}'))
    assert follows.on_final(final('Four five.', name='u2')).revision == 0


def test_words_that_stay_as_they_were_shown_are_translated_too():
    follows = WordInterpreter(interpret()[0])
    follows.on_partial(partial('one two three'))
    last = follows.on_final(final('One two three four.', source='partial'))
    assert last.text == 'ONE TWO THREE FOUR.'


def test_a_text_that_nobody_read_ends_a_translation_with_what_is_stable():
    follows = WordInterpreter(interpret()[0])
    follows.on_partial(partial('one two three'))
    follows.on_partial(partial('one two three four five six'))
    last = follows.on_final(final('won too', language='', source='streamed'))
    assert (last.text, last.revision) == ('ONE TWO THREE', 2)


def test_where_another_writes_the_final_nothing_before_is_stable():
    follows = WordInterpreter(interpret()[0], drafts=('en',))
    assert follows.on_final(final('你好。', 'zh'), 'Hello.').text == 'Hello.'
    assert follows.on_final(final('', 'zh', name='u2'), 'Hello.') is None
    for name, written, text in (('u3', 'Hello.', 'Hello.'), ('u4', '', 'ONE TWO THREE.')):
        for said in ('one two three four five', 'one two three four five six seven eight nine x'):
            assert follows.on_partial(partial(said, 'zh', name=name)).stable_length == 0
        last = follows.on_final(final('One two three.', 'zh', name=name), written)
        assert (last.text, last.revision) == (text, 2)
    follows.on_partial(partial('one two three', name='u5'))
    shown = follows.on_partial(partial('one two three four five six', name='u5'))
    assert shown.stable_length == len('ONE TWO THREE')  # of the other direction


def test_where_the_model_fails_what_is_stable_becomes_final():
    works = [True]
    follows = WordInterpreter(interpret(
        lambda turns: turns[-1][1].upper() if works[0] else None)[0])
    follows.on_partial(partial('one two three'))
    follows.on_partial(partial('one two three four five six'))
    works[0] = False
    assert follows.on_partial(partial('one two three four five six seven eight nine')) is None
    assert follows.on_final(final('One two three four.')).text == 'ONE TWO THREE'
    assert follows.on_final(final('Hi.', name='u2')) is None


def test_a_language_that_is_heard_anew_counts_until_something_was_shown():
    follows = WordInterpreter(interpret()[0])
    assert follows.on_partial(partial('one two', language='zh')) is None
    assert follows.on_partial(partial('one two three')).language == 'zh'
    assert follows.on_partial(partial('one two three four five six', 'zh')).language == 'zh'
    assert follows.on_final(final('', language='zh')).text.startswith('ONE')
