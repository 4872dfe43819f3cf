"""Somebody at the button: publishes std_msgs/Bool true once, when somebody listens.

    ros_estop.py TOPIC

Prints {"said": true} when it is sent; stays until stdin is closed, so that the message is delivered.
"""

import json
import sys
import time

import rclpy
from std_msgs.msg import Bool

rclpy.init()
node = rclpy.create_node("button")
publisher = node.create_publisher(Bool, sys.argv[1], 1)
while publisher.get_subscription_count() == 0:
    time.sleep(0.02)
publisher.publish(Bool(data=True))
print(json.dumps({"said": True}), flush=True)
sys.stdin.read()
node.destroy_node()
rclpy.try_shutdown()
