"""Start the Auraison Edge daemon with its simulated robot: no robot, no Gazebo, no ROS nodes are needed.

    ros2 launch auraison_edge sim.launch.py namespace:=robot7
"""

import pathlib

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

HERE = pathlib.Path(__file__).resolve().parent

ARGUMENTS = [
    ('namespace', '', 'ROS namespace of the robot, without slashes around it'),
    ('name', '', 'name of the robot; empty: the namespace, else that of the configuration'),
    ('config', '', 'TOML file; empty: the usual places'),
    ('data_dir', '', 'where bags, events and the lakehouse live; empty: the default'),
]


def generate_launch_description():
    declared = [DeclareLaunchArgument(name, default_value=default, description=about) for name, default, about in ARGUMENTS]
    robot = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(HERE / 'robot.launch.py')),
        # The other arguments have the same names there, and are inherited.
        launch_arguments=[('source', 'sim')],
    )
    return LaunchDescription([*declared, robot])
