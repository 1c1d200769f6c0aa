"""
Runs the README's first command as a new user would, and checks what it printed.

Owns what the sample scene must become: the sentences that are spoken in it, and its smoke alarm
as CRITICAL. It runs in a ROS domain of its own, for another robot on this machine would answer
too. Run by ``.ci/run`` with an empty cache; needs nothing but Python:

    python3 -m scripts.check_first_command make assistant SINGLE_PROCESS=false
"""

import os
import re
import subprocess
import sys
import time

from bench.domain import claim_domain

SENTENCES = (  # as samples/README.md has them
    'Please bring me a glass of water from the kitchen.', 'What is the weather like today?',
    'Stop right there and open the door.', 'Thank you very much.')
ALARM = 'CRITICAL smoke_alarm active'
LIMIT_S = 900


def missing(printed):
    """Return what a first run must print and did not."""
    transcripts = ' '.join(_texts(printed, 'transcript'))
    wanted = [sentence for sentence in SENTENCES if _plain(sentence) not in _plain(transcripts)]
    return wanted + ([] if any(line.startswith(ALARM) for line in _texts(printed, 'alert'))
                     else [ALARM])


def _texts(printed, topic):
    return re.findall(rf'^ *-?[\d.]+ s  {topic} +(.*)$', printed, re.MULTILINE)


def _plain(text):
    return ' '.join(re.findall(r"[a-z']+", text.lower()))


def main(command):
    """Run a command; return 0 when it ended well and printed all that it must."""
    began = time.monotonic()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=LIMIT_S,
                              env={**os.environ, 'ROS_DOMAIN_ID': str(claim_domain())})
    except subprocess.TimeoutExpired as error:
        print(f'{(error.stdout or b"").decode()}\n{" ".join(command)}: not over after {LIMIT_S} s')
        return 1
    print(done.stdout, end='')
    faults = [f'not printed: {line}' for line in missing(done.stdout)]
    if done.returncode:
        faults.append(f'exit code {done.returncode}')
    verdict = '; '.join(faults) or 'all that it must print'
    print(f'{" ".join(command)}: {time.monotonic() - began:.0f} s; {verdict}', flush=True)
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
