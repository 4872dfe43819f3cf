"""A robot's load from a real rclpy node: whole messages, serialized once, at their pace. Ends when stdin closes.

    ros_load.py '{"seconds": 20, "topics": [{"topic": "/scan", "type": "LaserScan", "bytes": 6000, "hz": 40,
                 "depth": 200}]}'

Prints {"ready"} when every topic has a reader, begins with a line on stdin, and prints {"sent", "seconds", "cpu_s",
"late_ms", "acked"} when everything is sent and acknowledged. Deadlines are absolute: who is late catches up.
"""

import array
import heapq
import json
import os
import struct
import sys
import time

import rclpy
from rclpy.duration import Duration
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image, JointState, LaserScan, PointCloud2, PointField


def say(**fields):
    print(json.dumps(fields), flush=True)


def joint_state(size):
    count = max(1, size // 40)
    return JointState(
        name=["joint_%02d" % i for i in range(count)],
        position=[0.1] * count,
        velocity=[0.2] * count,
    )


def laser_scan(size):
    return LaserScan(range_max=10.0, ranges=array.array("f", [1.5]) * (size // 4))


def image(size):
    width = 640
    height = max(1, size // (width * 3))
    data = array.array("B", bytes(width * height * 3))
    return Image(width=width, height=height, encoding="rgb8", step=width * 3, data=data)


def point_cloud(size):
    fields = [PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate("xyzi")]
    width = max(1, size // 16)
    data = array.array("B", bytes(width * 16))
    return PointCloud2(height=1, width=width, fields=fields, point_step=16, row_step=width * 16, data=data)


MAKE = {
    "JointState": (JointState, joint_state),
    "LaserScan": (LaserScan, laser_scan),
    "Image": (Image, image),
    "PointCloud2": (PointCloud2, point_cloud),
}


class Lane:
    def __init__(self, node, plan):
        kind, make = MAKE[plan["type"].rsplit("/", 1)[-1]]
        self.topic = plan["topic"]
        self.period = 1 / plan["hz"]
        # The stamp is the first thing behind the four bytes of encapsulation; the rest stays as it is.
        message = serialize_message(make(plan["bytes"]))
        self.head, self.body = message[:4], message[12:]
        self.sent = 0
        qos = QoSProfile(depth=plan["depth"], reliability=ReliabilityPolicy.RELIABLE)
        self.publisher = node.create_publisher(kind, self.topic, qos)

    def send(self):
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        self.publisher.publish(self.head + struct.pack("<iI", seconds, nanoseconds) + self.body)
        self.sent += 1


def main():
    plan = json.loads(sys.argv[1])
    rclpy.init()
    node = rclpy.create_node("load_%d" % os.getpid())
    lanes = [Lane(node, topic) for topic in plan["topics"]]
    deadline = time.monotonic() + 60
    while any(lane.publisher.get_subscription_count() == 0 for lane in lanes):
        if time.monotonic() > deadline:
            sys.exit("nobody subscribed")
        time.sleep(0.05)
    # The readers hear of us a moment after we hear of them.
    time.sleep(0.5)
    say(ready=True)
    sys.stdin.readline()

    began = time.monotonic()
    cpu = time.process_time()
    late = 0.0
    # Spread over their period, as cameras that nobody triggers together.
    turns = [(i / len(lanes) * lane.period, i, lane) for i, lane in enumerate(lanes)]
    heapq.heapify(turns)
    while turns[0][0] < plan["seconds"]:
        at, i, lane = turns[0]
        wait = at - (time.monotonic() - began)
        if wait > 0:
            time.sleep(wait)
        late = max(late, -wait)
        lane.send()
        heapq.heapreplace(turns, (at + lane.period, i, lane))
    seconds = time.monotonic() - began
    cpu = time.process_time() - cpu
    acked = [lane.publisher.wait_for_all_acked(Duration(seconds=30)) for lane in lanes]
    say(
        sent={lane.topic: lane.sent for lane in lanes},
        seconds=seconds,
        cpu_s=cpu,
        late_ms=late * 1000,
        acked=all(acked),
    )
    sys.stdin.read()
    # Threads of rclpy do not end in order; nothing is left to say.
    os._exit(0)


main()
