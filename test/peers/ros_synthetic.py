"""Writes a recording like the one the tests use, for a clone that has no recorded data beside it.

    ros_synthetic.py OUT.db3

46 s of a robot driving a circle: the topics, types, QoS and message counts of a small indoor recording, 2,425
messages, the same bytes on every run.
"""

import math
import sqlite3
import sys

from geometry_msgs.msg import TransformStamped, Twist
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from sensor_msgs.msg import LaserScan
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

START_NS = 1_663_967_375_548_411_329
DURATION_NS = 46_202_568_732


def profile(reliability: int, durability: int) -> str:
    return f"- history: 3\n  depth: 0\n  reliability: {reliability}\n  durability: {durability}"


TOPICS = [
    (1, "/robot_description", "std_msgs/msg/String", "", 1),
    (2, "/cmd_vel", "geometry_msgs/msg/Twist", profile(1, 2), 192),
    (3, "/tf_static", "tf2_msgs/msg/TFMessage", profile(1, 1), 2),
    (4, "/scan", "sensor_msgs/msg/LaserScan", profile(1, 2), 357),
    (5, "/tf", "tf2_msgs/msg/TFMessage", profile(1, 2), 953),
    (6, "/odom", "nav_msgs/msg/Odometry", profile(2, 2), 920),
]


def stamped(header, stamp: int, frame: str) -> None:
    header.stamp.sec, header.stamp.nanosec = divmod(stamp, 1_000_000_000)
    header.frame_id = frame


def transform(stamp: int, parent: str, child: str, angle: float) -> TransformStamped:
    out = TransformStamped()
    stamped(out.header, stamp, parent)
    out.child_frame_id = child
    out.transform.translation.x, out.transform.translation.y = math.cos(angle), math.sin(angle)
    out.transform.rotation.z, out.transform.rotation.w = math.sin(angle / 2), math.cos(angle / 2)
    return out


def message(topic: str, index: int, stamp: int):
    angle = index * 0.01
    if topic == "/robot_description":
        return String(data="<robot name='synthetic'>" + "<link/>" * 4600 + "</robot>")
    if topic == "/cmd_vel":
        out = Twist()
        out.linear.x, out.angular.z = 0.2, 0.2 * math.sin(angle)
        return out
    if topic == "/tf_static":
        count = 20 + 10 * index
        return TFMessage(transforms=[transform(stamp, "base_link", f"fixed_{i}", 0.1 * i) for i in range(count)])
    if topic == "/tf":
        return TFMessage(transforms=[transform(stamp, "odom", "base_link", angle)])
    if topic == "/odom":
        out = Odometry(child_frame_id="base_link")
        stamped(out.header, stamp, "odom")
        out.pose.pose.position.x, out.pose.pose.position.y = math.cos(angle), math.sin(angle)
        out.pose.pose.orientation.z, out.pose.pose.orientation.w = math.sin(angle / 2), math.cos(angle / 2)
        out.twist.twist.linear.x = 0.2
        return out
    rays = [1.5 + 0.5 * math.sin(angle + ray * 0.05) for ray in range(722)]
    out = LaserScan(angle_min=-math.pi, angle_max=math.pi, range_min=0.1, range_max=10.0, ranges=rays)
    stamped(out.header, stamp, "base_laser_link")
    out.intensities = [float(ray) for ray in range(722)]
    return out


def main() -> None:
    out = sqlite3.connect(sys.argv[1])
    out.executescript(
        "create table topics(id integer primary key, name text not null, type text not null,"
        " serialization_format text not null, offered_qos_profiles text not null);"
        "create table messages(id integer primary key, topic_id integer not null, timestamp integer not null,"
        " data blob not null);"
    )
    for topic_id, name, type_name, offered, count in TOPICS:
        out.execute("insert into topics values (?, ?, ?, 'cdr', ?)", (topic_id, name, type_name, offered))
        for index in range(count):
            stamp = START_NS + DURATION_NS * index // max(1, count - 1)
            data = serialize_message(message(name, index, stamp))
            out.execute("insert into messages(topic_id, timestamp, data) values (?, ?, ?)", (topic_id, stamp, data))
    out.commit()


if __name__ == "__main__":
    main()
