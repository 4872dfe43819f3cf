"""Hears topics as serialized bytes and says what came: an rclpy node of the tests.

Usage: ros_listen.py TOPIC:TYPE:RELIABILITY:DURABILITY ...

Prints {"ready": true}, then {"topics": {TOPIC: {"count", "sha256"}}} whenever a count has changed (at most ten times
a second), until its standard input closes.
"""

import hashlib
import json
import sys
import threading

import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from ros_types import message_class

RELIABILITY = {"reliable": ReliabilityPolicy.RELIABLE, "best_effort": ReliabilityPolicy.BEST_EFFORT}
DURABILITY = {"volatile": DurabilityPolicy.VOLATILE, "transient_local": DurabilityPolicy.TRANSIENT_LOCAL}


def main():
    rclpy.init()
    node = rclpy.create_node("listener")
    heard = {}
    for argument in sys.argv[1:]:
        topic, kind, reliability, durability = argument.split(":")
        heard[topic] = [0, hashlib.sha256()]

        def take(data, entry=heard[topic]):
            entry[0] += 1
            entry[1].update(data)

        qos = QoSProfile(depth=5000, reliability=RELIABILITY[reliability], durability=DURABILITY[durability])
        node.create_subscription(message_class(kind), topic, take, qos, raw=True)
    open_input = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), open_input.set()), daemon=True).start()
    print(json.dumps({"ready": True}), flush=True)
    told = None
    while not open_input.is_set():
        end = node.get_clock().now().nanoseconds + 100_000_000
        while node.get_clock().now().nanoseconds < end:
            rclpy.spin_once(node, timeout_sec=0.02)
        now = {t: {"count": c, "sha256": h.copy().hexdigest()} for t, (c, h) in heard.items()}
        if now != told:
            told = now
            print(json.dumps({"topics": now}), flush=True)
    node.destroy_node()
    rclpy.shutdown()


main()
