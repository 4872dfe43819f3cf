"""Publishes best-effort camera images as fast as a flood, to see what is lost and counted.

    ros_images.py /image --count 300 --bytes 921600 --hz 100

Waits for a subscriber, then prints {"sent": count}. The first and the last images come slowly: a
reader notices a gap only between two messages that arrive.
"""

import argparse
import json
import sys
import time

import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("topic")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--bytes", type=int, default=921_600)
    parser.add_argument("--hz", type=float, default=100.0)
    args = parser.parse_args()
    rclpy.init()
    node = rclpy.create_node("camera")
    qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
    publisher = node.create_publisher(Image, args.topic, qos)
    deadline = time.monotonic() + 20
    while publisher.get_subscription_count() == 0:
        if time.monotonic() > deadline:
            sys.exit("nobody subscribed")
        time.sleep(0.02)
    time.sleep(0.5)
    image = Image(height=480, width=640, encoding="rgb8", step=1920, data=bytes(args.bytes))
    slow = 20
    for index in range(args.count):
        image.header.stamp.sec = index + 1
        publisher.publish(image)
        unhurried = index < slow or index >= args.count - slow
        time.sleep(0.1 if unhurried else 1 / args.hz)
    print(json.dumps({"sent": args.count}), flush=True)
    sys.stdin.read()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
