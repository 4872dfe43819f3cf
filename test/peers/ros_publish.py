"""Publishes a rosbag2 recording (SQLite) byte by byte from a real rclpy node, and says what it sent.

    ros_publish.py RECORDING.db3 --speed 10 [--reliability recorded|reliable|best_effort] [--depth 1000]

Each topic waits for its first subscriber. When everything is sent, and acknowledged where reliable, it prints
one JSON line {"topic": {"type", "count", "sha256"}}; it stays until stdin closes, for latched topics.
"""

import argparse
import hashlib
import json
import sqlite3
import sys
import time

import rclpy
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from ros_types import message_class

DISCOVERY_S = 20.0
ACKNOWLEDGED_S = 20
AFTER_BURST_S = 1.0


def recorded_policies(profile: str) -> tuple[int, int]:
    """Reliability and durability of the first recorded publisher, as numbers of rmw/types.h."""
    values = {"reliability": 1, "durability": 2}
    for line in profile.splitlines():
        key, _, value = line.strip(" -").partition(":")
        if key in values and value.strip().isdigit():
            values[key] = int(value)
    return values["reliability"], values["durability"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("recording")
    parser.add_argument("--speed", type=float, default=10.0)
    parser.add_argument("--reliability", choices=["recorded", "reliable", "best_effort"], default="recorded")
    parser.add_argument("--depth", type=int, default=1000)
    args = parser.parse_args()

    source = sqlite3.connect(f"file:{args.recording}?mode=ro&immutable=1", uri=True)
    topics = source.execute("select id, name, type, offered_qos_profiles from topics").fetchall()
    rclpy.init()
    node = rclpy.create_node("recording")
    publishers, sent = {}, {}
    for topic_id, name, type_name, profile in topics:
        reliability, durability = recorded_policies(profile)
        if args.reliability != "recorded":
            reliability = 1 if args.reliability == "reliable" else 2
        if name == "/robot_description":
            durability = 1
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=args.depth,
            reliability=ReliabilityPolicy(reliability),
            durability=DurabilityPolicy(durability),
        )
        publishers[topic_id] = (node.create_publisher(message_class(type_name), name, qos), reliability == 1)
        sent[topic_id] = {"topic": name, "type": type_name, "count": 0, "hash": hashlib.sha256()}

    deadline = time.monotonic() + DISCOVERY_S
    while any(publisher.get_subscription_count() == 0 for publisher, _ in publishers.values()):
        if time.monotonic() > deadline:
            missing = [sent[i]["topic"] for i, (p, _) in publishers.items() if p.get_subscription_count() == 0]
            sys.exit(f"nobody subscribed to {missing}")
        time.sleep(0.02)
    # Our side of the match may be earlier than the other side's.
    time.sleep(0.3)

    def publish(topic_id: int, data: bytes) -> None:
        publishers[topic_id][0].publish(bytes(data))
        sent[topic_id]["count"] += 1
        sent[topic_id]["hash"].update(data)

    # A reader learns of a loss by what comes after it: the last ones of best effort come when the burst is over.
    order = "from messages order by timestamp, id"
    last = {topic_id: row for row, topic_id in source.execute(f"select id, topic_id {order}")}
    held = []
    began, first = time.monotonic(), None
    for row, topic_id, stamp, data in source.execute(f"select id, topic_id, timestamp, data {order}"):
        first = stamp if first is None else first
        wait = (stamp - first) / 1e9 / args.speed - (time.monotonic() - began)
        if wait > 0:
            time.sleep(wait)
        if row == last[topic_id] and not publishers[topic_id][1]:
            held.append((topic_id, data))
        else:
            publish(topic_id, data)
    if held:
        time.sleep(AFTER_BURST_S)
    for topic_id, data in held:
        publish(topic_id, data)
    for publisher, reliable in publishers.values():
        if reliable:
            publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGED_S))
    report = {
        line["topic"]: {"type": line["type"], "count": line["count"], "sha256": line["hash"].hexdigest()}
        for line in sent.values()
    }
    print(json.dumps(report), flush=True)
    sys.stdin.read()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
