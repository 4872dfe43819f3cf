"""Start the Auraison Edge daemon beside a robot's nodes.

    ros2 launch launch/robot.launch.py namespace:=robot7 config:=/etc/auraison-edge/auraison-edge.toml

The daemon is not a ROS node itself: it joins the graph through its ROS client process. It is restarted when
it dies and is told to stop with SIGTERM, which stops the robot first and flushes within 5 s.
"""

import os
import pathlib

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration

ROOT = pathlib.Path(__file__).resolve().parent.parent

ARGUMENTS = [
    ('auraison', str(ROOT / 'bin' / 'auraison'), 'the auraison command'),
    ('namespace', '', 'ROS namespace of the robot, without slashes around it'),
    ('name', '', 'name of the robot; empty: the namespace, else "robot"'),
    ('config', '', 'TOML file; empty: the usual places'),
    ('data_dir', '', 'where bags, events and the lakehouse live; empty: the default'),
    ('source', 'ros', 'where the robot is: ros, sim or none'),
    ('domain_id', '', 'ROS domain; empty: ROS_DOMAIN_ID, else 0'),
    ('log_level', 'info', 'debug, info, warn or error'),
    ('respawn', 'true', 'start the daemon again when it dies'),
]


def start(context):
    """Turn the launch arguments into one process with the matching environment."""
    value = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    namespace = value['namespace'].strip('/')
    command = [value['auraison'], 'up']
    if value['config']:
        command += ['--config', value['config']]
    if value['data_dir']:
        command += ['--data-dir', value['data_dir']]
    environment = {
        'AURAISON_DAEMON_NAME': value['name'] or namespace or 'robot',
        'AURAISON_DAEMON_LOG_LEVEL': value['log_level'],
        'AURAISON_ROBOT_SOURCE': value['source'],
        'AURAISON_ROS_NAMESPACE': f'/{namespace}' if namespace else '',
        'AURAISON_ROS_DOMAIN_ID': value['domain_id'] or os.environ.get('ROS_DOMAIN_ID', '0'),
    }
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
