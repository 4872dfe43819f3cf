"""One of a crowd of participants, all started at once: an rclpy node that says its name and hears the others.

    ros_crowd.py NAME EXPECTED

Publishes NAME on /crowd until it has heard EXPECTED names (its own included) and stdin closes; prints a JSON line
{"ready": true} when its node is made and {"heard": [...], "seconds": S} when the crowd is complete.
"""

import json
import sys
import threading
import time

import rclpy
from std_msgs.msg import String

name, expected = sys.argv[1], int(sys.argv[2])
heard, told = set(), False
begin = time.monotonic()
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()


def say(**fields):
    print(json.dumps(fields), flush=True)


rclpy.init()
node = rclpy.create_node(name)
publisher = node.create_publisher(String, "/crowd", 50)
node.create_subscription(String, "/crowd", lambda message: heard.add(message.data), 50)
node.create_timer(0.25, lambda: publisher.publish(String(data=name)))
say(ready=True)
while not over.is_set():
    rclpy.spin_once(node, timeout_sec=0.1)
    if not told and len(heard) >= expected:
        told = True
        say(heard=sorted(heard), seconds=round(time.monotonic() - begin, 2))
