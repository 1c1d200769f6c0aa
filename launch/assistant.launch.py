"""
Start the assistant: microphone or recording, encoder and decoder.

``single_process:=true`` (default) runs all in one process; false gives each node its own, and a
node that dies is started again. Where nothing would start the ears again, or in vain, the launch
ends with code 1, for whoever watches over it (``required``). Without ``discovery`` and without a
variable that says otherwise the nodes are found on this machine only: nobody else in the network
hears what they hear.
"""

import difflib
import os
from collections.abc import Container
from functools import partial
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.events.process import ProcessExited
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription

PACKAGE = 'audio_interaction_ros'
WRONG = 2
"""Code of a node that cannot work with what it was started with, nor if started so again."""
ARGUMENTS = {
    'namespace': ('audio_interaction', 'Namespace of all nodes and topics.', None),
    'params_file': ('', 'Parameter file; empty: the shipped edge.yaml.', None),
    'use_sim_time': ('false', 'Use the clock of a simulation or a bag.', ('true', 'false')),
    'autostart': ('true', 'Configure and activate the lifecycle nodes.', ('true', 'false')),
    'log_level': ('info', 'Log level of all nodes.', ('debug', 'info', 'warn', 'error', 'fatal')),
    'source': ('mic', 'Where the audio comes from; none: an existing topic.',
               ('mic', 'file', 'none')),
    'file': ('', 'Recording or rosbag2 for source:=file.', None),
    'audio_topic': ('audio', 'Topic with the audio.', None),
    'audio_type': ('', 'Message type of that topic, or auto to look it up; empty: as in the '
                       'parameter file.', None),
    'model': ('', 'Model folder or repository id; empty: as in the parameter file.', None),
    'runtime': ('', 'Backend; empty: as in the parameter file.', None),
    'device': ('', 'Device of the backend; empty: as in the parameter file.', None),
    'single_process': ('true', 'All nodes in one process.', ('true', 'false')),
    'required': ('true', 'End the launch with code 1 where ears, voice or safety events die for '
                         'good; false: only log it.', ('true', 'false')),
    'speech': ('false', 'Say replies and alerts aloud (docs/voice.md).', ('true', 'false')),
    'monitor': ('false', 'Serve a page that shows what is heard, on this machine only (see '
                         'docs/monitor.md).', ('true', 'false')),
    'foxglove_audio': ('false', 'Publish the audio as foxglove_msgs/RawAudio too.',
                       ('true', 'false')),
    'hri': ('false', 'Publish transcripts as hri_msgs/LiveSpeech too (REP-155).',
            ('true', 'false')),
    'discovery': ('', 'Who finds the nodes: localhost (this machine), subnet, system_default; '
                      'empty: as ROS_AUTOMATIC_DISCOVERY_RANGE or ROS_LOCALHOST_ONLY says, '
                      'else localhost.',
                  ('', 'localhost', 'subnet', 'system_default')),
    'safety_events': ('', 'File of safety events (docs/safety_events.md), or shipped; empty: no '
                          'such node.', None),
}


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the nodes depend on their values."""
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value=default, description=text,
                                **({'choices': list(choices)} if choices else {}))
          for name, (default, text, choices) in ARGUMENTS.items()),
        OpaqueFunction(function=name_typos), OpaqueFunction(function=make_nodes)])


def name_typos(context: LaunchContext) -> list[LogInfo]:
    """Return a line for each argument that is like one of ours: launch takes any name."""
    near = {name: difflib.get_close_matches(name, ARGUMENTS, 1, 0.8)
            for name in context.launch_configurations if name not in ARGUMENTS}
    return [LogInfo(msg=f'{name}: there is no such argument; did you mean {meant[0]}?')
            for name, meant in near.items() if meant]


def make_nodes(context: LaunchContext) -> list[Node]:
    """Return the nodes that the arguments ask for."""
    values = {name: context.launch_configurations[name] for name in ARGUMENTS}
    share = Path(get_package_share_directory(PACKAGE))
    overrides: dict[str, Any] = {
        'use_sim_time': values['use_sim_time'] == 'true',
        'autostart': values['autostart'] == 'true'}
    for argument, parameter in (('audio_type', 'audio.msg_type'), ('model', 'model.path'),
                                ('runtime', 'model.runtime'), ('device', 'model.device')):
        if values[argument]:
            overrides[parameter] = values[argument]
    params_file = Path(values['params_file'] or share / 'config' / 'edge.yaml').expanduser()
    if not params_file.is_file():
        raise FileNotFoundError(f'params_file: expected a file, found none at {params_file}')
    common = {
        'package': PACKAGE, 'namespace': values['namespace'], 'output': 'screen',
        'parameters': [str(params_file), overrides],
        'remappings': [('audio', values['audio_topic'])],
        'ros_arguments': ['--log-level', values['log_level']],
        'additional_env': discovery(values['discovery']),
        'sigterm_timeout': '15'}  # a busy machine needs more than the 5 s of launch to end
    once = {'on_exit': end_launch} if values['required'] == 'true' else {}
    alive = {'respawn': True, 'respawn_delay': 1.0,
             **({'on_exit': partial(end_launch, codes=(WRONG,))} if once else {})}
    # Lookers-on have processes of their own, so that nothing of theirs holds up the ears. The page
    # comes back later: without its package it would fill the log.
    nodes = [Node(executable='monitor_node', respawn=True, respawn_delay=30.0, **common)
             ] if values['monitor'] == 'true' else []
    nodes += [Node(executable='foxglove_audio_node', **common)
              ] if values['foxglove_audio'] == 'true' else []
    nodes += [Node(executable='hri_node', **common)] if values['hri'] == 'true' else []
    nodes += [Node(executable='speech_node', name='speech_node', **alive, **common)
              ] if values['speech'] == 'true' else []
    if values['single_process'] == 'true':
        file = ['--file', values['file']] if values['file'] else []
        return [Node(executable='assistant', arguments=['--source', values['source'], *file],
                     **once, **common), *nodes, *make_safety_events(values, {**alive, **common})]
    if values['source'] == 'file':
        overrides['alerts.journal_s'] = 0.0  # what a recording raises is no alarm of today
    nodes += [Node(executable='encoder_node', name='encoder_node', **alive, **common),
              Node(executable='decoder_node', name='decoder_node', **alive, **common)]
    if values['source'] == 'mic':
        nodes.append(Node(executable='microphone_node', **alive, **common))
    elif values['source'] == 'file':
        common['parameters'] = [*common['parameters'], {'path': values['file']}]
        nodes.append(Node(executable='audio_file_node', **once, **common))
    return [*nodes, *make_safety_events(values, {**alive, **common})]


def end_launch(event: ProcessExited, context: LaunchContext, codes: Container[int] = ()) -> None:
    """
    Raise RuntimeError where a process ended by itself with one of these codes, or any but 0.

    launch has no other way to end with a code that is not 0: it logs the error, ends the other
    processes and returns 1.
    """
    is_told_to_end = context.is_shutdown or event.returncode == 0
    if not is_told_to_end and (not codes or event.returncode in codes):
        raise RuntimeError(f'{event.process_name} ended with {event.returncode}, see above; with '
                           'required:=false the others go on')


def make_safety_events(values: dict[str, str], common: dict[str, Any]) -> list[Node]:
    """Return the node that tells the robot, where one is asked for; it outlives the others."""
    file = values['safety_events']
    if not file:
        return []
    if file != 'shipped' and not Path(file).expanduser().is_file():
        raise FileNotFoundError(f'safety_events: expected a file, found none at {file}')
    told = {'use_sim_time': values['use_sim_time'] == 'true', 'rules_file': file}
    return [Node(executable='safety_events_node', **{**common, 'parameters': [told]})]


def discovery(wanted: str) -> dict[str, str]:
    """
    Return the variables that keep the nodes on this machine, or let them be found as wanted.

    Humble knows ROS_LOCALHOST_ONLY only; Jazzy both, and the 1 of that one wins; later ones do
    not know it any more. What one says is said in the other here. scripts/env.sh does the same.
    """
    reach = os.environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE', '').upper()
    only = os.environ.get('ROS_LOCALHOST_ONLY', '')
    if os.environ.get('ROS_DISTRO') == 'humble':
        if only and not wanted:
            return {}
        alone = (wanted.upper() or reach or 'LOCALHOST') in ('LOCALHOST', 'OFF')
        return {'ROS_LOCALHOST_ONLY': '1' if alone else '0'}
    if wanted:
        return {'ROS_AUTOMATIC_DISCOVERY_RANGE': wanted.upper(),
                **({'ROS_LOCALHOST_ONLY': '0'} if only else {})}
    return {} if reach or only == '0' else {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}
