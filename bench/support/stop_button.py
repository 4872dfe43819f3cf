"""Somebody at the button: presses once for each line on stdin.

    stop_button.py ros TOPIC | stop_button.py zenoh ENDPOINT KEY

Over ROS std_msgs/Bool true (rclpy), over Zenoh a put (eclipse-zenoh). First line: {"ready": true}, once somebody
listens; then {"pressed_ms": wall clock} per press, taken before it is sent.
"""

import json
import sys
import time


def say(**line):
    print(json.dumps(line), flush=True)


def ros(topic):
    import rclpy
    from std_msgs.msg import Bool

    rclpy.init()
    node = rclpy.create_node("button")
    publisher = node.create_publisher(Bool, topic, 1)
    while publisher.get_subscription_count() == 0:
        time.sleep(0.02)
    return lambda: publisher.publish(Bool(data=True))


def zenoh_key(endpoint, key):
    import zenoh

    config = zenoh.Config()
    config.insert_json5("mode", '"client"')
    config.insert_json5("connect/endpoints", json.dumps([endpoint]))
    config.insert_json5("scouting/multicast/enabled", "false")
    session = zenoh.open(config)
    publisher = session.declare_publisher(key)
    while not publisher.matching_status.matching:
        time.sleep(0.02)
    return lambda: (session, publisher.put("stop"))


press = ros(sys.argv[2]) if sys.argv[1] == "ros" else zenoh_key(sys.argv[2], sys.argv[3])
say(ready=True)
for _ in sys.stdin:
    pressed_ms = time.time() * 1e3
    press()
    say(pressed_ms=pressed_ms)
