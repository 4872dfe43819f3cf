"""Start the Auraison Edge daemon beside a robot's nodes.

    ros2 launch launch/robot.launch.py namespace:=robot7 config:=/etc/auraison-edge/auraison-edge.toml

The daemon is not a ROS node itself: it joins the graph through its ROS client process. It is restarted when
it dies and is stopped with SIGTERM, which stops the robot first and flushes within 5 s.
"""

import os
import pathlib
import re

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration

# Beside this file in a checkout or bundle; of an installed ROS package the command is that of the Debian package.
BESIDE = pathlib.Path(__file__).resolve().parent.parent / 'bin' / 'auraison'

ARGUMENTS = [
    ('auraison', str(BESIDE) if BESIDE.exists() else 'auraison', 'the auraison command'),
    ('namespace', '', 'ROS namespace of the robot, without slashes around it; empty: as configured'),
    ('name', '', 'name of the robot; empty: the namespace, else that of the configuration'),
    ('config', '', 'TOML file; empty: the usual places'),
    ('data_dir', '', 'where bags, events and the lakehouse live; empty: the default'),
    ('source', '', 'where the robot is: ros, ros_zenoh, sim or none; empty: as configured, else ros'),
    ('domain_id', '', 'ROS domain; empty: as configured, else ROS_DOMAIN_ID, else 0'),
    ('log_level', '', 'debug, info, warn or error; empty: as configured, else info'),
    ('respawn', 'true', 'start the daemon again when it dies'),
]


def names_source(config):
    """Whether somebody else says where the robot is: the environment, or the file that the daemon will read."""
    if os.environ.get('AURAISON_ROBOT_SOURCE'):
        return True
    home = pathlib.Path(os.environ.get('XDG_CONFIG_HOME') or pathlib.Path.home() / '.config')
    usual = (home / 'auraison-edge.toml', pathlib.Path('/etc/auraison-edge/auraison-edge.toml'))
    named = config or os.environ.get('AURAISON_CONFIG')
    file = pathlib.Path(named) if named else next((path for path in usual if path.exists()), None)
    try:
        text = file.read_text(encoding='utf-8') if file else ''
    except (OSError, UnicodeDecodeError):
        return False
    # The Python of older ROS has no reader of TOML.
    section = ''
    for line in text.splitlines():
        if header := re.match(r'\s*\[+\s*"?([\w.-]+)"?\s*\]', line):
            section = header[1]
        key = {'': r'\s*robot\s*(\.\s*source\s*=|=\s*\{.*\bsource\b)', 'robot': r'\s*source\s*='}.get(section)
        if key and re.match(key, line):
            return True
    return False


def start(context):
    """Turn the launch arguments into one process with the matching environment."""
    value = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    namespace = value['namespace'].strip('/')
    command = [value['auraison'], 'up']
    if value['config']:
        command += ['--config', value['config']]
    if value['data_dir']:
        command += ['--data-dir', value['data_dir']]
    given = {
        'AURAISON_DAEMON_NAME': value['name'] or namespace,
        'AURAISON_DAEMON_LOG_LEVEL': value['log_level'],
        'AURAISON_ROBOT_SOURCE': value['source'] or ('' if names_source(value['config']) else 'ros'),
        'AURAISON_ROS_NAMESPACE': f'/{namespace}' if namespace else '',
        'AURAISON_ROS_DOMAIN_ID': value['domain_id'],
    }
    # To the daemon the environment wins over its file: what no argument says is left to the file.
    environment = {name: text for name, text in given.items() if text}
    return [
        ExecuteProcess(
            cmd=command,
            name='auraison_edge',
            additional_env=environment,
            output='screen',
            respawn=value['respawn'] == 'true',
            respawn_delay=1.0,
            sigterm_timeout='8',
        )
    ]


def generate_launch_description():
    declared = [DeclareLaunchArgument(name, default_value=default, description=about) for name, default, about in ARGUMENTS]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
