"""
What is said with the words of orders and questions and is not for the robot: tables of templates.

Owns templates and the people in them; ``train.edge.dialogue`` fills the slots and tells what is
answered. Statements, stories, talk to others, negations and quoted orders: none gets an answer.
``{who}`` takes a singular verb, ``{name}`` is somebody's first name, the other slots are those of
``dialogue.SLOTS``; ``(a|b)`` and ``[so]`` mean there what they mean in its phrases.
"""

__all__ = ['FIRST', 'FRIENDS', 'MORE', 'NONSENSE', 'PEOPLE']

PEOPLE = ('he', 'she', 'Tom', 'Mary', 'my brother', 'the nurse', 'the man', 'my father')
FRIENDS = ('Tom', 'Mary', 'John', 'Sandra', 'Peter', 'Anna', 'David', 'Lucy', 'Mike', 'Emma')

FIRST: tuple[str, ...] = (
    '{who} went to {place}.', '{who} came from {place} with {thing}.', 'The train will stop here.',
    '{who} turned (on|off) {device}.', '{who} told me to wait here.', '{who} opened {opening}.',
    '{who} wants to go to {place}.', 'I asked {name} to bring me {thing}.',
    '{thing} is in {place}.', 'We followed him to {place}.', 'They stopped in front of {place}.',
    'You can turn left at {place}.', 'The bus stops near {place}.', 'My name is {name}.',
    '{name}, bring me {thing}.', '{name}, come here.', 'Go to {place}, {name}.',
    '{name}, can you hear me?', 'Do not open {opening}.', 'Please do not go to {place}.',
    'I think {who} is waiting in {place}.', 'What time does the bus leave?',
    'Why did {name} turn off {device}?', 'When will {who} come back?', 'Is {name} still there?',
    'Nobody can help him now.', '{who} said thank you and left.', 'I could not find {thing}.',
    'Yesterday I left {thing} in {place}.', 'Did {name} call {person}?', 'He never calls me.',
    'We waited for {minutes}.', 'It takes {minutes} to walk to {place}.', 'She cleaned {place}.',
    'Somebody closed {opening} last night.', 'I will be quiet when {name} sleeps.',
    '{who} put {thing} {onto}.', 'What does {name} do in {place}?', 'I know where {mine} are.',
    'I like robots that clean {place}.', 'The robot brought me {thing}.', 'She is called {name}.',
    'The robot stopped in {place}.', 'Everyone says hello to {name}.', 'I said good morning.')
"""Of the second mixture of ``train.edge.synthesise``, its validation included: never changed."""

NONSENSE = ('the moon is made of {thing}', 'explain the history of {place}', 'sing about {name}',
            'why is {thing} so old', 'dance with {name}', 'guess what {name} is thinking',
            'paint {thing} blue', 'read the next page', 'buy {thing} for {name}',
            'how many windows are in {place}', 'is {name} older than {person}',
            'multiply twelve by nine', 'write a poem about {thing}', 'fold {thing} twice',
            'what does {person} think of {name}', 'who won the game', 'sell {thing}')

_STATEMENTS = (
    'I took {thing} out of {place} an hour ago.', '{who} is looking for {thing} in {place}.',
    '{who} has just come back from {place}.', 'I gave {name} {thing} last week.',
    '{who} always finds {thing} before I do.', 'I am bringing {thing} to {name} tonight.',
    'We are going to {place} after lunch.', 'They walk to {place} every morning.',
    '{who} drove to {place} on Sunday.', '{who} moved to another town.',
    '{who} got {thing} for free.', '{who} showed us {thing} in {place}.',
    'I handed {thing} to {person}.', 'I have already found {thing}.',
    '{thing} belongs to {name}.', '{thing} fell behind the sofa.',
    '{thing} was in {place} all day.',
    '{device} was on all night.', '{who} switches {device} off at ten.',
    '{name} likes to sleep with {device} on.', 'I turned {device} down a bit.',
    '{opening} opens by itself.', '{opening} has been open since this morning.',
    'I always close {opening} before I go out.', '{who} forgot to lock {opening}.',
    'I heard {who} shut {opening}.', '{opening} does not close properly.',
    '{machine} starts at six every day.', '{machine} stopped an hour ago.',
    '{name} cleans {place} on Fridays.', 'We tidied {place} together.',
    '{person} calls me every evening.', 'I talked to {person} for {minutes}.',
    '{who} waits for me in {place}.', '{who} stayed in {place} for {minutes}.',
    'I woke up at {time} today.', '{who} gets up at {time}.', 'The film starts at {time}.',
    'The bus turns right behind {place}.', 'The road turns left after the bridge.',
    'The car in front of us stopped.', 'Our neighbours are quiet people.',
    'It was quiet in {place}.', 'The weather was lovely on our trip.',
    'My battery was empty by noon.', 'The step at {place} is high.',
    'It is only {minutes} from here to {place}.', 'The key to {place} is with {name}.',
    'The doctor told {name} to stay in bed.', 'My watch stopped at {time}.')
_STORIES = (
    'When I came to {place}, {opening} was open.', 'First we went to {place}, then we ate.',
    'As soon as {who} turned on {device}, it went dark.', 'So {who} took {thing} and left.',
    'Then {who} ran back to {place}.', 'After {minutes} the bus finally came.',
    '{who} came closer and whispered something.', 'In the end we found {thing} in {place}.',
    'Suddenly {machine} started by itself.', 'I was in {place} when {name} called.',
    'We stopped for a coffee and went on.', 'While {name} was away, I cleaned {place}.',
    'One day {who} walked over to {place} and never returned.', 'He picked up {thing} and smiled.',
    'She put {thing} {onto} and sat down.', 'They turned around and drove home.',
    'Long ago there was a well in {place}.', 'Once upon a time a robot lived in {place}.',
    'In the book the robot opens {opening} and goes away.', 'The dog followed us to {place}.',
    'Last summer we left {thing} in {place}.', 'Before we got to {place}, it began to snow.',
    'My grandmother kept {thing} in {place}.', 'At {time} somebody rang and asked for {name}.',
    'The man went left and the woman went right.')
_TO_OTHERS = (
    '{name}, did you lock {opening}?', '{name}, have you eaten?', '{name}, wait for your sister.',
    '{name}, give your brother {thing}.', '{name}, put {thing} {onto}.', 'Stop that, {name}.',
    '{name}, turn off {device}, it is late.', 'Follow me, {name}.', 'Be quiet, {name}.',
    '{name}, where did you put {thing}?', 'Could you bring me {thing}, {name}?',
    'Mum, where are my socks?', 'Dad, can we go to {place}?', 'Children, come here.',
    'Hurry up, {name}, we are late.', 'Shut {opening}, {name}.', 'Hello, {name}.',
    'Good morning, {name}.', 'Thank you, {name}.', 'How are you, {name}?', 'Call me, {name}.',
    'Who told you to open {opening}?', 'Did you two clean {place}?',
    'Who left {thing} in {place}?',
    'Has anyone fed the cat?', 'When did you turn on {device}?', 'Why is {name} in {place}?',
    'Which of you took {thing}?', 'Shall we go to {place} or stay at home?',
    'Why do you never close {opening}?', 'How long did {name} wait in {place}?',
    'Would {name} like {thing}?', 'Does {name} know how to start {machine}?',
    'Do they have {thing} in {place}?', 'Was {opening} locked when you came home?',
    'Is it true that {who} went to {place}?', 'What did {person} say about {thing}?',
    'Who is going to bring {thing} tomorrow?', 'Where does {name} keep {thing}?')
_NEGATIONS = (
    'I did not ask for {thing}.', 'Never turn off {device} while {name} is here.',
    'You should not open {opening} at night.', 'Nobody has to go to {place}.',
    'We do not need {thing} any more.', '{who} does not want to come back.',
    '{who} never brings me {thing}.', 'Nobody told {name} to stop.', 'Do not follow {name}.',
    'Do not wake me before {time}.', 'Please do not turn on {device}.', 'Never leave {place}.',
    'There is no need to close {opening}.', 'I would not go to {place} now.',
    'I cannot turn {device} off.', 'I could not open {opening} this morning.',
    'It is not necessary to start {machine}.', 'You do not have to wait for {person}.',
    'Do not put {thing} {onto}.', 'Do not call {person} today.', 'Nothing stops {name}.',
    'We have not cleaned {place} yet.', '{who} refused to give me {thing}.')
_QUOTED = (
    '{who} said, stop.', 'Then {who} shouted, come back.', 'My mother used to say, be quiet.',
    '{who} asked me to open {opening}.', 'The sign says, turn left.', '{who} begged him to wait.',
    'The teacher told us to close {opening}.', 'They ordered {name} to go to {place}.',
    'I told {name}, bring me {thing}.', 'In the song they sing, follow me.',
    '{who} wrote, please call {person}.', 'The note says, wake me at {time}.',
    '{who} keeps telling me to slow down.', 'The policeman said, wait here.',
    'I asked {who} what time it was.', '{name} wanted to know where {thing} was.',
    'She called out, turn around.', 'They asked whether {opening} was locked.',
    '{who} answered, go away.', 'The boss wants {name} to move {thing} to {place}.',
    'It says on the box, open here.', 'I heard somebody say, turn off {device}.')
_PLANS = (
    'If you go to {place}, you will see {name}.', 'I will turn on {device} when it gets dark.',
    'Somebody should close {opening}.', 'We could bring {thing} to {place}.',
    'I might go to {place} tomorrow.', '{who} will bring {thing} on Monday.',
    'Perhaps {name} can find {thing}.', 'I hope {who} comes back soon.', 'I want to stop smoking.',
    'Someday I will have a robot that brings me {thing}.', 'We have to turn back at {place}.',
    'I would rather stay here with {name}.', 'Let us go to {place} together.',
    'Maybe we should call {person}.', 'I need to set an example for {name}.',
    'I plan to clean {place} at the weekend.', 'You could have shown me {thing}.',
    '{who} is about to open {opening}.', 'If {name} calls, I will go to {place}.',
    'It would be nice to find {thing} again.', 'I am going to give {thing} to {name}.')
MORE: tuple[str, ...] = (*_STATEMENTS, *_STORIES, *_TO_OTHERS, *_NEGATIONS, *_QUOTED, *_PLANS)
"""Of the third mixture."""
