"""Start Nav2 and localisation of a TurtleBot 3 or 4 together with the Auraison Edge daemon.

    ros2 launch launch/turtlebot.launch.py robot:=turtlebot4 map:=/maps/hall.yaml
    ros2 launch launch/turtlebot.launch.py robot:=turtlebot3 slam:=true

The base itself is brought up by the robot's own launch files (turtlebot3_bringup, turtlebot4_bringup). Nav2 and
localisation come from nav2_bringup, by default with its own parameters, which are made for these robots; the daemon
drives by Nav2's actions.
"""

import pathlib

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

HERE = pathlib.Path(__file__).resolve().parent
ROBOTS = ('turtlebot3', 'turtlebot4')

ARGUMENTS = [
    ('robot', 'turtlebot4', 'turtlebot3 or turtlebot4: configuration of the daemon'),
    ('namespace', '', 'ROS namespace of the robot, without slashes around it'),
    ('map', '', 'map as YAML; empty with slam:=true'),
    ('slam', 'false', 'make the map while driving (slam_toolbox) instead of loading one'),
    ('use_sim_time', 'false', 'true in Gazebo'),
    ('params', '', 'parameters of Nav2; empty: those of nav2_bringup'),
    ('config', '', 'configuration of the daemon; empty: that of the robot beside this file'),
    ('data_dir', '', 'where bags, events and the lakehouse live; empty: the default'),
    ('domain_id', '', 'ROS domain; empty: as configured, else ROS_DOMAIN_ID, else 0'),
]


def include(path, **arguments):
    """Include a launch file; arguments that are empty keep its own default."""
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(path)),
        launch_arguments=[(name, text) for name, text in arguments.items() if text != ''],
    )


def start(context):
    """Nav2 with or without SLAM, then the daemon."""
    value = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    if value['robot'] not in ROBOTS:
        raise ValueError(f'robot:={value["robot"]}: one of {", ".join(ROBOTS)}')
    slam = value['slam'] == 'true'
    if not slam and not value['map']:
        raise ValueError('map:=FILE.yaml, or slam:=true to make one')
    namespace = value['namespace'].strip('/')
    config = HERE / 'turtlebot' / f'{value["robot"]}.toml'
    nav2 = pathlib.Path(get_package_share_directory('nav2_bringup')) / 'launch' / 'bringup_launch.py'
    return [
        include(
            nav2,
            namespace=namespace,
            use_namespace='True' if namespace else 'False',
            slam='True' if slam else 'False',
            map='' if slam else value['map'],
            use_sim_time=value['use_sim_time'],
            params_file=value['params'],
            autostart='True',
        ),
        include(
            HERE / 'robot.launch.py',
            namespace=namespace,
            name=namespace or ('' if value['config'] else value['robot']),
            config=value['config'] or str(config),
            data_dir=value['data_dir'],
            domain_id=value['domain_id'],
        ),
    ]


def generate_launch_description():
    declared = [DeclareLaunchArgument(name, default_value=default, description=about) for name, default, about in ARGUMENTS]
    return LaunchDescription([*declared, OpaqueFunction(function=start)])
