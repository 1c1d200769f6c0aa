"""
As much of launch and launch_ros as the launch file uses, for machines that do not have them.

Not a test. Neither package is on the package index that the set-up takes ROS 2 from, and what the
README promises of ``ros2 launch`` must not go untested there. Starts nothing: it works out what
each process would be told. ``test_launch.py`` runs the same tests over this and over the real
packages where they are installed, so that the two cannot part unseen.
"""

import os
import runpy
import sys
import types
from pathlib import Path

import yaml


class Declared:
    def __init__(self, name, *, default_value, description, choices=None):
        self.name, self.default, self.choices = name, default_value, choices

    def visit(self, context):
        value = context.launch_configurations.setdefault(self.name, self.default)
        if self.choices is not None and value not in self.choices:
            raise RuntimeError(f'{self.name}: expected one of {self.choices}, got {value}')
        return []


class Opaque:
    def __init__(self, *, function):
        self.function = function

    def visit(self, context):
        return self.function(context)


class Logged:
    def __init__(self, *, msg):
        self.message = msg

    def visit(self, context):
        print(f'launch: {self.message}', file=sys.stderr)
        return []


class Variable:
    def __init__(self, name, value):
        self.name, self.value = name, value

    def visit(self, context):
        context.environment[self.name] = self.value
        return []


class Node:
    def __init__(self, *, package, executable, arguments=(), parameters=(), remappings=(),
                 ros_arguments=(), namespace='', name=None, additional_env=None, on_exit=None,
                 **_more):
        self.executable, self.additional_env = executable, additional_env or {}
        self.on_exit = on_exit
        renamed = [('__ns', f'/{namespace}'), *([('__node', name)] if name else []), *remappings]
        self.words = [*arguments, '--ros-args', *ros_arguments,
                      *(word for old, new in renamed for word in ('-r', f'{old}:={new}'))]
        self.parameters = {}
        for given in parameters:
            if isinstance(given, str):
                for node in yaml.safe_load(Path(given).read_text(encoding='utf-8')).values():
                    self.parameters.update(node['ros__parameters'])
            else:
                self.parameters.update(given)

    def visit(self, context):
        context.told[self.executable] = {
            'arguments': self.words, 'parameters': self.parameters, 'on_exit': self.on_exit,
            'environment': {**os.environ, **context.environment, **self.additional_env}}
        return []


class Context:
    def __init__(self, configurations):
        self.launch_configurations = configurations
        self.told, self.environment = {}, {}

    def visit(self, actions):
        for action in actions:
            self.visit(action.visit(self) or [])


def modules(share):
    """Return the modules to put into ``sys.modules``, with a folder as the package's share."""
    contents = {
        'launch': {'LaunchContext': Context, 'LaunchDescription': list},
        'launch.actions': {'DeclareLaunchArgument': Declared, 'LogInfo': Logged,
                           'OpaqueFunction': Opaque,
                           'SetEnvironmentVariable': Variable},
        'launch.events': {}, 'launch.events.process': {'ProcessExited': object},
        'launch_ros': {}, 'launch_ros.actions': {'Node': Node},
        'ament_index_python': {},
        'ament_index_python.packages': {'get_package_share_directory': lambda _: str(share)}}
    made = {name: types.ModuleType(name) for name in contents}
    for name, module in made.items():
        vars(module).update(contents[name])
    return made


def execute(path, arguments):
    """Return (exit code, what each command was told) of a launch file and its arguments."""
    context = Context(dict(arguments))
    try:
        context.visit(runpy.run_path(str(path))['generate_launch_description']())
    except Exception as error:
        print(f'launch: {error}', file=sys.stderr)
        return 1, {}
    return 0, context.told
