"""A real rclpy node at one end of a route. One line of JSON per result; ends when stdin closes.

    ros_route.py publish '{"/counter": {"count": 500, "hz": 200}}'   numbers from 0, when all are subscribed
    ros_route.py listen /goal                                         prints {"topic", "n"} for each number
"""

import json
import sys
import threading
import time

import rclpy
from rclpy.duration import Duration
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import UInt32

RELIABLE = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)


def say(**fields):
    print(json.dumps(fields), flush=True)


def publish(node, plan):
    publishers = {topic: node.create_publisher(UInt32, topic, RELIABLE) for topic in plan}
    deadline = time.monotonic() + 60
    while any(publisher.get_subscription_count() == 0 for publisher in publishers.values()):
        if time.monotonic() > deadline:
            sys.exit("nobody subscribed")
        time.sleep(0.02)
    time.sleep(0.3)
    began = time.monotonic()
    turns = sorted((i / step["hz"], topic, i) for topic, step in plan.items() for i in range(step["count"]))
    for at, topic, i in turns:
        wait = at - (time.monotonic() - began)
        if wait > 0:
            time.sleep(wait)
        publishers[topic].publish(UInt32(data=i))
    for publisher in publishers.values():
        publisher.wait_for_all_acked(Duration(seconds=20))
    say(sent={topic: step["count"] for topic, step in plan.items()}, seconds=time.monotonic() - began)


def listen(node, topic):
    node.create_subscription(UInt32, topic, lambda message: say(topic=topic, n=message.data), RELIABLE)
    threading.Thread(target=rclpy.spin, args=(node,), daemon=True).start()
    deadline = time.monotonic() + 60
    while node.count_publishers(topic) == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    say(ready=True)


def main():
    rclpy.init()
    node = rclpy.create_node("peer_" + sys.argv[1])
    if sys.argv[1] == "publish":
        publish(node, json.loads(sys.argv[2]))
    else:
        listen(node, sys.argv[2])
    sys.stdin.read()
    # Threads of rclpy do not end in order; nothing is left to say.
    import os

    os._exit(0)


main()
