"""A robot for LeRobot that stands in memory: what it measures is told by the number of the look, what it is told to do
is printed, one line of JSON each. Importing this registers it as `--robot.type=puppet`."""

import json
import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from lerobot.robots import Robot, RobotConfig

HEIGHT, WIDTH = 48, 64
JOINTS = [f"joint_{i}" for i in range(1, 7)] + ["gripper"]


def say(**facts) -> None:
    print(json.dumps(facts), flush=True)


@RobotConfig.register_subclass("puppet")
@dataclass
class PuppetConfig(RobotConfig):
    # What a joint is further at the next look than at this one.
    stride: float = 1.0


class Puppet(Robot):
    config_class = PuppetConfig
    name = "puppet"

    def __init__(self, config: PuppetConfig):
        super().__init__(config)
        self.config = config
        self._looks = 0
        self._connected = False

    @cached_property
    def observation_features(self) -> dict:
        return {f"{joint}.pos": float for joint in JOINTS} | {"front": (HEIGHT, WIDTH, 3)}

    @cached_property
    def action_features(self) -> dict:
        return {f"{joint}.pos": float for joint in JOINTS}

    @property
    def is_connected(self) -> bool:
        return self._connected

    def connect(self, calibrate: bool = True) -> None:
        self._connected = True
        say(event="connected")

    @property
    def is_calibrated(self) -> bool:
        return True

    def calibrate(self) -> None:
        pass

    def configure(self) -> None:
        pass

    def get_observation(self) -> dict:
        look = self._looks
        self._looks += 1
        joints = {f"{joint}.pos": look * self.config.stride + i / 16 for i, joint in enumerate(JOINTS)}
        say(event="looked", look=look, at=time.time())
        return joints | {"front": np.full((HEIGHT, WIDTH, 3), look % 200, np.uint8)}

    def send_action(self, action: dict) -> dict:
        say(event="acted", action=[action[f"{joint}.pos"] for joint in JOINTS])
        return action

    def disconnect(self) -> None:
        self._connected = False
