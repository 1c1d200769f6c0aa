"""What a reply does not claim: denials, questions, conditions and answers raise no alert."""

import pytest

from audio_interaction_ros.alerts.denial import Answering, Negation
from audio_interaction_ros.alerts.phrases import PhraseMatcher
from audio_interaction_ros.alerts.policy import AlertPolicy
from audio_interaction_ros.alerts.rules import load_rules
from audio_interaction_ros.alerts.settings import AlertSettings
from audio_interaction_ros.assembly import build_answers
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.stream.events import ReplyFinished
from held_out.classes import ALERTS

pytestmark = pytest.mark.unit

CLAIMS_NOTHING = """
I cannot see the fire.
I can't see any fire.
I do not see a fire.
I don't see any smoke alarm here.
There is no fire alarm here.
There are no fire alarms in this room.
There isn't a fire.
I cannot smell fire.
I could not find the smoke detector.
I didn't hear any gunshot.
I have not heard a gunshot.
I haven't heard the baby crying.
I hear no scream.
Nobody is screaming.
Nobody is crying for help.
No one is screaming.
No, I hear no fire alarm.
No fire, smoke alarm or gunshot.
There is neither a fire nor a smoke alarm.
None of the smoke alarms is on.
I am not sure that is a fire alarm.
I doubt that it is a fire alarm.
Was there a fire?
Is that a smoke alarm?
Did you hear a gunshot?
Do you want me to listen for the baby crying?
Should I warn you of a fire?
Which fire alarm?
What fire?
Where is the fire?
Are you in pain
If you hear a smoke alarm, leave the house.
When the smoke alarm sounds, leave the house.
Leave the house if there is a fire.
I cannot put out the fire.
I can't turn off the smoke alarm.
I can listen for a smoke alarm.
I will tell you when the baby cries.
I will call an ambulance.
Please call an ambulance.
Call the fire brigade.
Shall I call an ambulance
I do not know the siren.
I do not know whether there is a fire.
You asked about the fire alarm.
You said there is a fire.
I only listen for fire alarms and screams.
I warn about fire alarms, screams and breaking glass.
The fire is out.
The fire alarm is off.
The smoke alarm is silent.
The alarm is not on.
The dog is quiet.
The dog isn't barking.
The dog is not barking.
The baby has stopped.
The baby is no longer crying.
The fire alarm went silent.
It was only a drill, not a fire.
That was the television, not a gunshot.
我看不到火灾。
我看不见着火的地方。
我听不到火警。
我没看见火灾。
我没有听见枪声。
这里没有火警。
没有火灾、枪声或尖叫。
没有人在尖叫。
没人尖叫。
没有人呼救。
我不知道有没有火灾。
是不是火警？
有火灾吗？
有火灾吗
哪里着火了？
你听到枪声了吗？
需要我叫救护车吗？
如果听到火警,请离开。
要是着火了就快跑。
我无法扑灭大火。
我不能关掉烟雾报警器。
请叫救护车。
我可以监听烟雾报警。
婴儿不哭了。
宝宝没在哭
火灾警报不响了。
火警已经停了。
火警结束了。
听不到警报。
未检测到枪声。
不存在火灾。
无火灾
并没有人摔倒
不像是枪声
""".strip().splitlines()

CLAIMS = """
I hear a smoke alarm!
Fire! Get out.
A fire alarm is sounding.
I can hear a fire alarm.
I can hear someone screaming
Someone is screaming.
Someone is calling for help.
I think I hear a fire alarm.
Nobody is here, but I hear a smoke alarm.
No, that is a fire alarm!
Not only the smoke alarm.
Do not ignore the smoke alarm
Do not go near the fire
Attention, there is a fire.
Please leave, there is a fire.
What you hear is a smoke alarm.
Do you hear me? There is a fire!
I do not know where it comes from, but there is a fire alarm.
The baby hasn't stopped crying
The smoke alarm has not stopped
The smoke alarm doesn't stop.
Fire in the kitchen, I cannot put it out.
There is a gunshot, stay away from windows.
Watch out, glass breaking.
If you can hear me, get out: fire!
A dog that I do not know is barking.
I cannot sleep because the smoke alarm is on.
There is no time, fire!
Nobody answers the crying baby
没关系,有人在呼救
听到烟雾报警器在响
有人摔倒了,快来!
不好了，着火了！
不要靠近，着火了
别过来,着火了
没人管，婴儿在哭
火警没有停
火警还没停
我听到枪声
小心,有大火
有人在呼救，你听到了吗？
烟雾报警器在响，请不要留在屋里
烟雾报警器响个不停
""".strip().splitlines()


@pytest.fixture(scope='module')
def shipped():
    return load_rules(shipped_path('config/alerts.yaml'))


def reply(text, emotion=Emotion.NORMAL):
    return ReplyFinished(
        lane='assistant', stamp_ns=10**9, epoch=1, seq=2, reply_id='1-2-assistant', text=text,
        emotion=emotion, reason='end', start_ns=0, end_ns=10**9, p_respond=0.9)


def alerts_of(shipped, evidence, texts, emotion=Emotion.NORMAL):
    """Return by text the labels of the alerts that it raises alone."""
    raised = {text: AlertPolicy(shipped, AlertSettings(evidence=evidence)).on_reply(
        reply(text, emotion)) for text in texts}
    return {text: [one.alert.label for one in changes] for text, changes in raised.items()
            if changes}


@pytest.mark.parametrize('evidence', ['model', 'both'])
def test_what_is_denied_asked_supposed_or_answered_raises_no_alert(shipped, evidence):
    assert alerts_of(shipped, evidence, CLAIMS_NOTHING) == {}


def test_no_tone_makes_an_alert_of_what_is_denied(shipped):
    denied = [text for text in CLAIMS_NOTHING if shipped.denies(text)]
    assert len(denied) > len(CLAIMS_NOTHING) * 0.9
    assert alerts_of(shipped, 'both', denied, Emotion.URGENT) == {}


@pytest.mark.parametrize('evidence', ['model', 'both'])
def test_a_warning_beside_such_words_raises_one(shipped, evidence):
    assert set(CLAIMS) - set(alerts_of(shipped, evidence, CLAIMS)) == set()


def test_what_the_assistant_lane_was_taught_to_warn_with_still_warns(shipped):
    assert [text for text, _ in ALERTS.values() if not shipped.match(text)] == []


def test_an_urgent_reply_without_any_listed_phrase_raises_one_as_ever(shipped):
    change, = AlertPolicy(shipped).on_reply(reply('Get out, quickly!', Emotion.URGENT))
    assert change.alert.label == 'unknown_urgent'


def test_an_answer_waits_for_the_words_and_a_warning_does_not():
    answers = build_answers(AssistantConfig(), reads=True)
    assert answers.on_reply(reply('I cannot see the fire.')) == []
    assert answers.waiting == 1
    told, = answers.on_reply(reply('There is a fire!'))
    assert told.text == 'There is a fire!'


@pytest.mark.parametrize(('text', 'found'), [
    ('No fire, smoke or dust.', ()),
    ('No, smoke!', ('smoke',)),
    ('No fire, smoke!', ('smoke',)),
    ('No fire, smoke, dust or fire and smoke', ()),
    ('Is it? Smoke!', ('smoke',)),
    ('Smoke? No, dust.', ('dust',)),
    ('I may ask if smoke is here', ()),
    ('Smoke, if you ask', ('smoke',)),
    ('Call me: dust', ('dust',)),
    ('I call it smoke', ('smoke',)),
    ('call it smoke', ()),
])
def test_how_far_such_words_reach(text, found):
    matcher = PhraseMatcher(
        phrases={word: word for word in ('fire', 'smoke', 'dust')},
        negation=Negation(before=('no',)), answering=Answering(opens=('call',), before=('if',)))
    assert matcher.find(text) == found
