"""
The page of the demo corpus: counts, streams to look at and to listen to, what was left out.

Writes one HTML file that needs nothing beside it. Knows how things look, not how they are made.
"""

import base64
import html
import json
from collections import Counter, defaultdict
from pathlib import Path

import soundfile

from train.demo.built import Demo
from train.demo.picture import COLOURS, LANE_COLOURS, draw_stream, number_replies
from train.records import ABILITIES, Stream

__all__ = ['write_page']

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 Charter, 'Bitstream Charter', Georgia, serif; color: #2b2f33;
  background: #fdfcf9; max-width: 1120px; margin: 2.5rem auto; padding: 0 1.2rem; }
h1 { font-size: 2rem; font-weight: 600; margin: 0 0 .3rem; }
h2 { font-size: 1.3rem; font-weight: 600; margin: 2.6rem 0 .6rem; }
h3 { font-size: 1.05rem; font-weight: 600; margin: 2rem 0 .2rem; }
p.lead { color: #5d6369; margin-top: 0; max-width: 46rem; }
table { border-collapse: collapse; width: 100%; font: 14px/1.45 system-ui, sans-serif; }
th { text-align: left; font-weight: 600; color: #5d6369; border-bottom: 1px solid #cfcac0; }
th, td { padding: .32rem .8rem .32rem 0; vertical-align: top; }
td { border-bottom: 1px solid #eeeae2; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { display: inline-block; height: .7rem; background: #2f6f9f; border-radius: 2px; }
.figures { display: flex; flex-wrap: wrap; gap: 1.2rem 3rem; margin: 1.4rem 0; }
.figures div { font: 14px/1.3 system-ui, sans-serif; color: #5d6369; }
.figures b { display: block; font-size: 1.7rem; font-weight: 600; color: #2b2f33; }
img { max-width: 100%; display: block; margin: .5rem 0; }
audio { width: 100%; height: 2.2rem; margin: .3rem 0; }
ol.said { list-style: none; padding: 0; margin: .3rem 0; font: 14px/1.5 system-ui, sans-serif; }
ol.said li { padding-left: 2rem; position: relative; margin: .15rem 0; }
ol.said b { position: absolute; left: 0; color: #fff; border-radius: 50%; width: 1.35rem;
  height: 1.35rem; text-align: center; font-size: 12px; line-height: 1.35rem; }
.note, .tag { color: #5d6369; font: 13px/1.4 system-ui, sans-serif; }
.tag { margin-left: .6rem; }
.key i { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px;
  margin: 0 .35rem 0 1rem; vertical-align: -1px; }
.key i:first-child { margin-left: 0; }
"""
TITLES = {'voice_chat': 'Voice chat', 'instruction_following': 'Instruction following',
          'audio_understanding': 'Audio understanding', 'translation': 'Translation',
          'asr': 'Speech recognition', 'proactive': 'Proactive response',
          'environment_agent': 'Environment agent'}
# What shows most of an ability.
PREFERRED = ('history_review', 'conditional_instruction', 'sound_choice_question',
             'english_to_chinese', 'several_speakers', 'equipment_or_fire', 'order_and_count')


def escape(value: object) -> str:
    return html.escape(str(value))


def data_url(kind: str, payload: bytes) -> str:
    return f'data:{kind};base64,{base64.b64encode(payload).decode()}'


def make_table(head: list[str], rows: list[list[str]], numeric: set[int]) -> str:
    def make_line(tag: str, cells: list[str]) -> str:
        return '<tr>' + ''.join(
            f'<{tag}{" class=n" if index in numeric else ""}>{cell}</{tag}>'
            for index, cell in enumerate(cells)) + '</tr>'
    return f'<table>{make_line("th", head)}{"".join(make_line("td", row) for row in rows)}</table>'


def counts_section(streams: list[Stream]) -> str:
    by_ability: dict[str, list[Stream]] = defaultdict(list)
    for stream in streams:
        by_ability[stream.ability].append(stream)
    most = max((len(members) for members in by_ability.values()), default=1)
    rows = []
    for ability in ABILITIES:
        members = by_ability[ability]
        chunks = sum(stream.chunks * len(stream.lanes) for stream in members)
        replies = sum(len(lane.replies) for stream in members for lane in stream.lanes.values())
        tasks = Counter(stream.task for stream in members)
        rows.append([
            TITLES[ability], f'<span class=bar style="width:{len(members) / most * 7:.1f}rem">'
            '</span>', str(len(members)),
            f'{sum(stream.seconds for stream in members) / 60:.1f}', str(replies),
            f'{(chunks - replies) / replies:.1f}' if replies else '–',
            ', '.join(f'{escape(task.replace("_", " "))} {count}'
                      for task, count in tasks.most_common())])
    return make_table(['Ability', '', 'Streams', 'Minutes', 'Replies', 'Silent chunks per reply',
                       'Sub-tasks'], rows, {2, 3, 4, 5})


def choose_streams(streams: list[Stream]) -> list[Stream]:
    """Return one stream per ability, preferring tasks and mixes that show something."""
    def worth_of(stream: Stream) -> tuple:
        roles = {event.role for event in stream.events}
        replies = sum(len(lane.replies) for lane in stream.lanes.values())
        return (stream.task in PREFERRED, replies > 0, len(roles), 30 <= stream.chunks <= 60,
                stream.id)
    return [max(members, key=worth_of) for ability in ABILITIES
            if (members := [stream for stream in streams if stream.ability == ability])]


def stream_section(stream: Stream, out: Path) -> str:
    samples, _ = soundfile.read(out / stream.path, dtype='float32')
    said = ''.join(
        f'<li><b style="background:{LANE_COLOURS[lane]}">{number}</b>{escape(reply.text)}'
        f'<span class=tag>{lane}, chunk {reply.chunk}'
        + (f', {reply.emotion}' if reply.emotion != 'normal' else '')
        + (f', looks back at reply {back}' if (back := number_of_review(stream, lane, reply))
           else '')
        + '</span></li>' for number, lane, reply in number_replies(stream))
    silent = '' if said else '<p class=note>Nobody is answered here' + (
        ': the assistant stays silent.' if 'assistant' in stream.lanes
        else '; the words are taken down.') + '</p>'
    return (f'<h3>{TITLES[stream.ability]}: {escape(stream.task.replace("_", " "))}</h3>'
            f'<p class=note>{escape(stream.scenario)} {stream.chunks} chunks, '
            f'{stream.seconds:.1f} s, seed {stream.seed}, {escape(stream.id)}</p>'
            f'<img alt="time line of {escape(stream.id)}" '
            f'src="{data_url("image/png", draw_stream(stream, samples))}">'
            f'<audio controls preload=none src="'
            f'{data_url("audio/flac", (out / stream.path).read_bytes())}"></audio>'
            f'<ol class=said>{said}</ol>{silent}')


def number_of_review(stream: Stream, lane: str, reply) -> str:
    if reply.review_of is None:
        return ''
    earlier = stream.lanes[lane].replies[reply.review_of]
    return next(str(number) for number, name, other in number_replies(stream)
                if name == lane and other is earlier)


def left_out_section(demo: Demo) -> str:
    rows = [[name, escape(reason), str(count)] for name, stage in demo.stages.items()
            for reason, count in stage.rejected.items()]
    rows += [['binding', escape(reason), str(count)] for reason, count in Counter(
        reason for _, reason, _ in demo.built.unbound).items()]
    examples = [escape(example['detail'].partition('; the text')[0])
                for part in sorted((demo.out / 'speech-lines').glob('part-*.done.json'))
                for example in json.loads(part.read_text(encoding='utf-8'))['rejections']][:6]
    listed = ''.join(f'<li>{example}</li>' for example in examples)
    said = make_table(['Stage', 'Reason', 'Records'], rows, {2}) if rows else \
        '<p>Nothing was left out.</p>'
    missing = '; '.join(f'{TITLES[ability].lower()}: ' + ', '.join(
        task.replace('_', ' ') for task in tasks) for ability, tasks in demo.unwritten().items())
    return (said + (f'<p class=note>For example:</p><ul class=note>{listed}</ul>' if listed
                    else '')
            + (f'<p class=note>Sub-tasks of the recipe without a stream here: '
               f'{escape(missing)}.</p>' if missing else ''))


def speed_section(demo: Demo) -> str:
    rows = [[name, str(stage.records_out), f'{stage.audio_hours:.2f}',
             f'{stage.core_hours * 3600:,.0f}', f'{stage.seconds:,.0f}',
             f'{stage.resumed_shards} of {stage.shards}']
            for name, stage in demo.stages.items()]
    return make_table(['Stage', 'Records', 'Hours of audio', 'Core-seconds', 'Seconds',
                       'Shards resumed'], rows, {1, 2, 3, 4, 5})


def figures_section(demo: Demo) -> str:
    report = demo.built.report
    shown_figures = [
        (f'{report.audio_hours:.2f} h', 'of streams'), (len(demo.built.streams), 'streams'),
        (sum(bool(clip.text) for clip in demo.clips), f'sentences, {len(demo.voices)} voices'),
        (sum(bool(clip.label) for clip in demo.clips), 'sounds'),
        (f'{report.hours_per_core_hour:,.0f} h', 'of stream composed per core-hour'),
        (f'{report.core_hours_for(302_000):,.0f}', 'core-hours to compose 302,000 h')]
    return '<div class=figures>' + ''.join(
        f'<div><b>{value}</b>{about}</div>' for value, about in shown_figures) + '</div>'


def write_page(demo: Demo) -> Path:
    """Write ``report.html`` into the folder of the demo and return its path."""
    streams = demo.built.streams
    key = ''.join(f'<i style="background:{colour}"></i>{role}'
                  for role, colour in [*COLOURS.items(), *LANE_COLOURS.items()])
    body = [
        '<h1>A small corpus of streams</h1>',
        '<p class=lead>All seven abilities, composed from speech and sounds that were made on '
        'this machine. It shows that the path works and how its data look; made sounds prove '
        'nothing about real ones.</p>', figures_section(demo),
        '<h2>What there is</h2>', counts_section(streams),
        '<h2>One stream of each ability</h2>', f'<p class="note key">{key}</p>',
        *[stream_section(stream, demo.out) for stream in choose_streams(streams)],
        '<h2>What was left out</h2>', left_out_section(demo), '<h2>What it took</h2>',
        speed_section(demo),
        f'<p class=note>Voices: {escape(", ".join(demo.voices))}. Sources and licences: '
        'attribution.md beside this page.</p>']
    path = demo.out / 'report.html'
    path.write_text(
        '<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport '
        'content="width=device-width, initial-scale=1"><title>Corpus demo</title>'
        f'<style>{STYLE}</style><body>{"".join(body)}</body></html>', encoding='utf-8')
    return path
