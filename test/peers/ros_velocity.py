"""A stand-in for a robot base: prints every velocity command it receives as a JSON line.

    ros_velocity.py /cmd_vel

First line: {"ready": true}. Then {"t": seconds of the monotonic clock, "linear": x, "angular": z}.
"""

import json
import os
import sys
import threading
import time

import rclpy
from geometry_msgs.msg import Twist


def main() -> None:
    rclpy.init()
    node = rclpy.create_node("base")

    def on_twist(message: Twist) -> None:
        line = {"t": time.monotonic(), "linear": message.linear.x, "angular": message.angular.z}
        print(json.dumps(line), flush=True)

    node.create_subscription(Twist, sys.argv[1], on_twist, 100)
    # Whoever started this closes stdin to end it.
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    print(json.dumps({"ready": True}), flush=True)
    rclpy.spin(node)


if __name__ == "__main__":
    main()
