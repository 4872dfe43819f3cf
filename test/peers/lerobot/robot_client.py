"""Runs LeRobot's RobotClient as it is, with the puppet of this folder among its robots.

Usage: python robot_client.py --robot.type=puppet --server_address=127.0.0.1:8080 --policy_type=act ...
"""

import puppet  # noqa: F401  registers the robot
from lerobot.async_inference.robot_client import async_client

if __name__ == "__main__":
    async_client()
