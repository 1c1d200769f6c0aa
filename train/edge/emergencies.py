"""
Emergencies with what a robot that can only hear may answer, and how orders end that were cut off.

Owns the phrases, in the writing of ``train.edge.dialogue``, and the answers; that module matches
and draws them. An answer claims no deed (nobody is phoned or lifted) and has no phrase of
``config/alerts.yaml``: what is said here is no detection.
"""

__all__ = ['EMERGENCIES', 'UNFINISHED']

_NOT = '(cannot|can not)'
_SOMEBODY = '(he|she|my wife|my husband|my mother|my father|somebody|the man|the woman)'

EMERGENCIES: tuple[tuple[str, ...], ...] = (
    ('I cannot phone anyone. Please get somebody.',
     'help [help]', 'help (me|us)', 'help me [I need help]', 'please help (me|us)',
     '(somebody|someone|anybody) [please] help [me|us]', '(I|we) need [some] help',
     '(I|we) need help (here|in {place})', 'can (somebody|someone|anybody) help (me|us)',
     'get (somebody|someone)', '[this is an] emergency', 'it is an emergency',
     'I am (trapped|stuck|locked in)', 'I am (trapped|stuck) in the (lift|bathroom|basement|car)'),
    ('I cannot lift you. Please call somebody.',
     f'I (have fallen|fell) [down] [and [I] {_NOT} get up]', 'I (have fallen|fell) in {place}',
     f'I {_NOT} get up [by myself|any more]', 'I (have fallen|fell) (down the stairs|out of bed)',
     'I (slipped|tripped) and fell', 'I am lying on the floor', f'I {_NOT} (stand up|move my leg)',
     f'{_SOMEBODY} (has fallen|fell) [down] and {_NOT} get up'),
    ('I am no doctor. Please call the emergency number.',
     f'I {_NOT} breathe', 'I am (bleeding|badly hurt|injured)', 'my chest hurts',
     'I have [a] pain in my chest', '[I think] I am having a (heart attack|stroke)',
     f'{_SOMEBODY} is (not breathing|unconscious|bleeding)', 'I need a doctor',
     f'{_SOMEBODY} (collapsed|has collapsed|does not wake up|is having a heart attack)',
     'I (have cut|have burned) (myself|my hand) [badly]', 'I swallowed something poisonous'),
    ('Please get out. I cannot phone anyone.',
     'fire [fire]', 'there is (a fire|smoke) [in {place}]', '(it|something) is (burning|on fire)',
     '{place} is on fire', 'I [can] smell (gas|smoke) [in {place}]',
     'the house is (burning|on fire)',
     'it smells of (gas|smoke)', 'it is burning in {place}', 'there is a gas leak [in {place}]'),
    ('Please stay safe. I cannot phone anyone.',
     '(somebody|someone) (broke in|is breaking in|has broken in)', 'there is a burglar in {place}',
     '(somebody|someone) broke into (the house|{place})', '(somebody|a man) is attacking me',
     'there is (a stranger|an intruder) in {place}', 'I have been (robbed|attacked)',
     '(somebody|a man) is (trying to get in|threatening me)'),
    ('I cannot phone anyone.',
     '(I|we) need {rescue}', '(call|get|send) {rescue} (here|to {place})',
     'can (somebody|someone|anybody) call {rescue}', '(somebody|someone) call {rescue}'),
)
"""Each an answer and the phrases that call for it."""

UNFINISHED: tuple[str, ...] = (
    '{verb} (me|us)', '{verb} [me|us] (the|a|an|my|some)', '{verb} [me] {thing} from [the|my]',
    '(go|drive|move|walk) [over|back] to [the|my]', 'go to {place} and [{verb} [me] [the]]',
    '(turn|switch) (on|off) (the|my)', '(turn|switch) (the|my)', '(turn|go) to [the]',
    '(open|close|shut|lock|start|clean|stop) (the|my)', '(put|carry|take|lay|place) (the|my|a)',
    'put {thing} (on|in|into) (the|my)', '(carry|take) {thing} to [the|my]', 'pick up (the|my|a)',
    'set a [timer for]', 'set a timer for (ten|five|twenty)', 'remind me (in|to|at)',
    'wake me [up] (at|in)', '(call|phone|ring) (my|the)', '(can|could|would|will) you [please]',
    'I (want|need|would like) you to', 'I need (the|a)', 'where (is|are) [the|my]',
    'what is (the|your)', 'how far is it to [the]', 'do you know (where|what|the)',
    'tell me (the|your|what|about|a)', 'is the', 'can you tell me (the|what|where)')
"""Only where nothing more comes, and not as a question ("Could you?")."""
