"""The package for colcon. The launch files lie beside this folder, so that they also work without an installation."""

from setuptools import setup

NAME = 'auraison_edge'
LAUNCH = f'share/{NAME}/launch'

setup(
    name=NAME,
    version='0.1.0',
    packages=[NAME],
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        (LAUNCH, [f'../{name}.launch.py' for name in ('robot', 'sim', 'turtlebot')]),
        (f'{LAUNCH}/turtlebot', [f'../turtlebot/turtlebot{kind}.toml' for kind in (3, 4)]),
    ],
    install_requires=['setuptools'],
    zip_safe=True,
    maintainer='Auraison Edge',
    maintainer_email='noreply@example.com',
    description='Starts the Auraison Edge daemon beside the nodes of a robot',
    license='Apache-2.0',
    entry_points={'console_scripts': [f'daemon_node = {NAME}.daemon_node:main']},
)
