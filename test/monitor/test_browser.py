"""The page in a real browser: what it shows, who may act, what becomes of it in a day."""

import itertools
import shutil

import pytest

if not (shutil.which('chromium') and shutil.which('chromedriver')):
    pytest.skip('Chromium is not installed: apt install chromium chromium-driver',
                allow_module_level=True)
pytest.importorskip('aiohttp', reason='aiohttp is not installed: pip install -r '
                                      'requirements/monitor.txt')
pytest.importorskip('selenium', reason='selenium is not installed: make workshop')

from aiohttp import web
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from audio_interaction_ros.monitor.server import PageServer

pytestmark = pytest.mark.unit

PATIENCE_S = 40
TOKEN = 'a token of enough letters'
FLAGS = ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
         '--window-size=1280,1000', '--js-flags=--expose-gc',
         '--host-resolver-rules=MAP evil.example 127.0.0.1')


@pytest.fixture(scope='module')
def driver():
    """Return one browser for all tests; each opens its own page."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    browser = webdriver.Chrome(
        options=options, service=Service(shutil.which('chromedriver')))
    browser.set_script_timeout(60)
    yield browser
    browser.quit()


class Watched:
    """A page in the browser."""

    def __init__(self, driver, page, address):
        self.driver, self.page, self.address = driver, page, address
        driver.get(address)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        return self.driver.execute_script(
            'return [...document.querySelectorAll(arguments[0])].map((it) => it.textContent)',
            selector)

    def wait(self, condition, what):
        WebDriverWait(self.driver, PATIENCE_S, poll_frequency=0.03).until(
            lambda _: condition(), f'never happened: {what}')

    def wait_connected(self):
        self.wait(lambda: self.texts('#connection-text') == ['Connected'], 'it is connected')

    def media(self, **features):
        self.driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': [
            {'name': name.replace('_', '-'), 'value': value}
            for name, value in features.items()]})

    def width(self, pixels):
        self.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', {
            'width': pixels, 'height': 844, 'deviceScaleFactor': 1, 'mobile': pixels < 500})

    def problems(self):
        """Return what the browser complained of; not of the page before, whose server ended."""
        return [entry['message'] for entry in self.driver.get_log('browser')
                if self.address.removeprefix('http://') in entry['message']]


@pytest.fixture
def watched(driver, page):
    """Return a page that is open and connected, told a scene."""
    page.hub.tell('outline', {'start': 0.0, 'pairs': [-300, 300] * 100, 'rms': -12.0})
    page.hub.tell('scores', {'at': 1.0, 'rows': [['smoke_alarm', 0.98, 0.9], ['insects', 0.1, 2]]})
    page.hub.tell('lane', {'key': 'assistant', 'threshold': 0.75})
    page.hub.tell('decision', {'lane': 'assistant', 'at': 1.0, 'p': 0.25, 'respond': False,
                               'depth': 1, 'latency': 0.321})
    page.hub.tell('status', {'key': 'decoder_node: input', 'level': 1, 'message': 'no encoder'})
    page.hub.tell('status', {'key': 'decoder_node: model', 'level': 0, 'message': 'ok'})
    page.hub.tell('numbers', {'dropped': 3, 'waiting': 2, 'muted': False})
    page.hub.tell('text', page.text('t1', 'Please bring me', final=False, stable=6))
    page.hub.tell('alerts', {'open': [page.open_alert(), page.open_alert(
        'a-2', label='dog', severity='WARN', message='A dog is barking.')]})
    made = Watched(driver, page, page.start())
    made.wait_connected()
    yield made
    made.driver.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})
    made.media()


def test_the_page_shows_what_is_heard(watched):
    watched.wait(lambda: len(watched.texts('#alerts .alert')) == 2, 'alerts')
    assert watched.texts('#robot') == ['· robot']
    assert watched.texts('#alerts strong') == ['A smoke alarm is sounding.', 'A dog is barking.']
    assert watched.texts('#words .firm') + watched.texts('#words .loose') == [
        'Please', ' bring me']
    assert watched.texts('#classes .name') == ['smoke alarm', 'insects']
    assert watched.texts('#classes .figure') == ['0.98 of 0.90 needed', '0.10']
    assert watched.texts('#lanes .figure') == ['0.25 of 0.75 needed']
    assert watched.texts('#why li') == ['decoder_node: inputno encoder']
    assert {'Decides after321 ms', 'Chunks dropped3', 'Chunks waiting2'} <= set(
        watched.texts('#flow > div'))
    assert watched.texts('#level-text') == ['-12 dB']
    # some of the picture is painted
    assert watched.driver.execute_script("""
        const canvas = document.getElementById('wave');
        return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
          .data.some((value) => value > 0)""")
    watched.page.hub.tell('text', watched.page.text('t1', 'Please bring me water.'))
    watched.wait(lambda: watched.texts('#words .firm') == ['Please bring me water.'], 'final')
    assert watched.texts('#words .loose') == ['']
    # only what is final is said to a screen reader, and not what was there when it joined
    watched.wait(lambda: watched.texts('#announcer p') == ['Please bring me water.'], 'said')
    assert watched.problems() == []


def test_what_is_heard_is_text_and_no_markup(watched):
    evil = '<img src=x onerror="document.title=1"><b>bold</b>'
    watched.page.hub.tell('text', watched.page.text('t2', evil))
    watched.page.hub.tell('alerts', {'open': [watched.page.open_alert(message=evil, label=evil)]})
    watched.wait(lambda: evil in watched.texts('#words .firm'), 'it is shown')
    watched.wait(lambda: watched.texts('#alerts strong') == [evil], 'and the alert')
    assert not watched.driver.find_elements(By.CSS_SELECTOR, '#main img, #words b')


def test_a_person_acknowledges_by_keyboard(watched):
    watched.wait(lambda: len(watched.texts('#alerts .alert')) == 2, 'alerts')
    body = watched.find('body')
    names = []
    for _ in range(4):
        body.send_keys(Keys.TAB)
        focused = watched.driver.switch_to.active_element
        names.append(focused.accessible_name)
    assert names == ['Skip to what is heard', 'Acknowledge all', 'Acknowledge smoke alarm',
                     'Acknowledge dog']
    outline = focused.value_of_css_property('outline-style')
    assert outline == 'solid', 'the focus is seen'
    focused.send_keys(Keys.ENTER)
    watched.wait(lambda: watched.page.acknowledged == ['a-2'], 'it is acknowledged')
    watched.page.hub.tell('alerts', {'open': [watched.page.open_alert(state='acknowledged')]})
    watched.wait(lambda: watched.texts('#alerts .severity') == ['CRITICAL · acknowledged'], 'seen')
    assert not watched.find('#alerts button').is_displayed()
    watched.page.hub.tell('alerts', {'open': []})
    watched.page.hub.tell('alert', watched.page.open_alert(state='cleared'))
    watched.wait(lambda: watched.find('#calm').is_displayed(), 'calm')
    watched.wait(lambda: watched.find('#ended').is_displayed(), 'and among those that ended')


def test_a_screen_reader_is_told_names_and_values(watched):
    watched.wait(lambda: watched.texts('#lanes .figure'), 'content')
    tree = watched.driver.execute_cdp_cmd('Accessibility.getFullAXTree', {})['nodes']
    by_role = {}
    for node in tree:
        if not node.get('ignored'):
            by_role.setdefault(node['role']['value'], []).append(
                node.get('name', {}).get('value', ''))
    assert {'smoke alarm', 'insects', 'assistant', 'Level'} <= set(by_role['meter'])
    for role in ('button', 'meter', 'region', 'heading', 'link'):
        assert by_role[role] and all(by_role[role]), role
    assert {'banner', 'main', 'log', 'status'} <= set(by_role)
    assert by_role['heading'][1:] == ['Alerts', 'Last 30 seconds', 'Words', 'Why it is quiet',
                                      'Would it respond?', 'Sounds', 'Flow']


CONTRAST = """
  const light = (text) => {
    const part = (it) => (it <= 0.03928 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((it) => part(it / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (it) => {
    const found = getComputedStyle(it).backgroundColor;
    return found.endsWith(', 0)') && it.parentElement ? ground(it.parentElement) : found;
  };
  const found = [];
  for (const it of document.querySelectorAll('header *, main *')) {
    const says = [...it.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
    if (!says || !it.offsetParent) continue;
    const pair = [light(getComputedStyle(it).color), light(ground(it))].sort((a, b) => b - a);
    found.push([(pair[0] + 0.05) / (pair[1] + 0.05), it.textContent]);
  }
  return found.sort((a, b) => a[0] - b[0]);
"""


def test_it_is_read_by_day_and_night_on_a_phone_and_a_desk(watched):
    watched.wait(lambda: watched.texts('#lanes .figure'), 'content')
    for scheme, width in itertools.product(('light', 'dark'), (360, 1280)):
        watched.media(prefers_color_scheme=scheme, prefers_reduced_motion='reduce')
        watched.width(width)
        check_looks(watched, scheme, width)


def check_looks(watched, scheme, width):
    contrasts = watched.driver.execute_script(CONTRAST)
    assert len(contrasts) > 25 and contrasts[0][0] >= 4.5, contrasts[0]
    assert watched.driver.execute_script('return document.documentElement.scrollWidth') <= width
    ground = watched.find('body').value_of_css_property('background-color')
    assert (ground == 'rgba(244, 246, 247, 1)') == (scheme == 'light')
    assert watched.find('.bar i').value_of_css_property('transition-duration') in ('0s', '0s, 0s')


def test_a_node_that_died_is_said_so_and_found_again(watched, pages):
    watched.page.close()
    watched.wait(lambda: watched.texts('#connection-text')[0].startswith('Not connected'), 'said')
    assert watched.find('#again').is_displayed()
    assert watched.find('body').get_attribute('data-live') == 'no'
    again = pages()
    again.hub.tell('text', again.text('t9', 'I am back.'))
    again.start(int(watched.address.rstrip('/').rpartition(':')[2]))
    watched.wait_connected()
    watched.wait(lambda: watched.texts('#words .firm') == ['I am back.'], 'of before nothing')
    assert watched.find('#calm').is_displayed()


DAY = """
  const [done] = arguments;
  (async () => {
    const { Store } = await import('/store.mjs');
    const view = await import('/view.mjs');
    const { drawWave } = await import('/wave.mjs');
    const store = new Store();
    const show = () => {
      view.showAlerts(store, () => {}); view.showWords(store); view.showSounds(store);
      view.showLanes(store); view.showReasons(store); view.showFlow(store);
      view.showLevel(store); drawWave(document.getElementById('wave'), store);
    };
    const measure = () => {
      globalThis.gc();
      return [performance.memory.usedJSHeapSize, document.querySelectorAll('*').length];
    };
    const sizes = [];
    for (let second = 0; second <= 24 * 3600; second += 4) {
      store.take([
        ['outline', { start: second, pairs: [-100, 100], rms: -30 }],
        ['decision', { lane: 'assistant', p: 0.5, depth: 0, latency: 0.4, respond: false }],
        ['scores', { at: second, rows: [['bark', 0.1, 0.9], ['rain', 0.2, 2]] }],
        ['status', { key: 'node: task', level: 1, message: `for ${second} s` }],
        ['text', { key: `t${Math.floor(second / 20)}`, kind: 'transcript', text: `word ${second}`,
          final: second % 20 === 16, stable: 2, at: second, source: 'partial' }],
        ['alerts', { open: [{ key: `a${Math.floor(second / 60)}`, label: 'dog', message: 'Dog',
          severity: 'WARN', state: 'active', count: 1, onset: second, seen: second,
          evidence: 'sound', score: 0.9, threshold: 0.8 }] }],
        ['alert', { key: `a${Math.floor(second / 60) - 1}`, label: 'dog', state: 'expired',
          count: 1, seen: second }],
        ['sound', { sound: 'bark', began: second % 60 === 0, onset: second, offset: second }],
      ]);
      if (second % 900 === 0) show();
      if (second % (6 * 3600) === 0 && second) sizes.push(measure());
    }
    done([sizes, store.taken]);
  })().catch((error) => done([String(error), 0]));
"""


def test_a_day_of_updates_leaves_no_more_than_six_hours_do(watched):
    sizes, taken = watched.driver.execute_async_script(DAY)
    assert taken > 150_000, sizes
    (first, nodes), *_, (last, nodes_then) = sizes
    assert nodes == nodes_then
    assert last < first + 1_000_000, sizes


FROM_ELSEWHERE = """
  const [address, done] = arguments;
  const told = [];
  const socket = new WebSocket(`ws://${address}/watch`);
  socket.onopen = () => told.push('open');
  socket.onmessage = () => told.push('message');
  socket.onclose = () => {
    fetch(`http://${address}/login`, { method: 'POST', mode: 'no-cors',
      body: new URLSearchParams({ token: 'x' }) })
      .then(() => fetch(`http://${address}/`)).then(() => told.push('read'), () => {})
      .then(() => done(told));
  };
"""


def test_a_page_of_another_origin_neither_watches_nor_reads(watched):
    application = web.Application()

    async def show(_request):
        return web.Response(text='<!doctype html><title>foreign</title>',
                            content_type='text/html')
    application.add_routes([web.get('/', show)])
    foreign = PageServer(application, host='127.0.0.1', port=0)
    foreign.start()
    try:
        watched.driver.get(foreign.address)
        told = watched.driver.execute_async_script(
            FROM_ELSEWHERE, watched.address.removeprefix('http://').rstrip('/'))
    finally:
        foreign.close()
    assert told == []
    assert not watched.page.acknowledged
    port = watched.address.rstrip('/').rpartition(':')[2]
    watched.driver.get(f'http://evil.example:{port}/')  # a name that points at this machine
    assert 'monitor.names' in watched.find('body').text


def test_a_token_is_asked_for_once(driver, pages):
    page = pages(token=TOKEN)
    made = Watched(driver, page, page.start())
    assert made.find('#token').accessible_name.startswith('Token')
    made.find('#token').send_keys(TOKEN + Keys.ENTER)
    made.wait(lambda: made.texts('#connection-text') == ['Connected'], 'it is let in')
    assert TOKEN not in driver.current_url
    assert driver.execute_script('return document.cookie') == ''
    made.driver.refresh()
    made.wait_connected()
    driver.delete_all_cookies()


def test_audio_is_heard_where_it_was_allowed(driver, pages):
    page = pages(raw_audio=True)
    made = Watched(driver, page, page.start())
    made.wait_connected()
    made.wait(lambda: made.find('#hear').is_displayed(), 'it is offered')
    made.find('#hear').click()
    made.wait(lambda: page.hub.is_heard, 'it is asked for')
    page.hub.play(b'\x80\x3e\x00\x00' + bytes(3200))
    made.find('#hear').click()
    made.wait(lambda: not page.hub.is_heard, 'and no more')
    assert made.problems() == []
