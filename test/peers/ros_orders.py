"""A real rclpy node that orders an intent by auraison_interfaces/action/RunIntent, again and again.

    ros_orders.py ACTION TYPE    one goal after the other; one that has ended is followed by the next a second later

Ends with its stdin. Prints {"sent": accepted} for each goal.
"""

import json
import os
import sys
import threading
import time

import rclpy
from auraison_interfaces.action import RunIntent
from rclpy.action import ActionClient


def main():
    action, kind = sys.argv[1:3]
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    rclpy.init()
    node = rclpy.create_node("orders")
    client = ActionClient(node, RunIntent, action)
    client.wait_for_server(timeout_sec=60.0)
    while True:
        sent = client.send_goal_async(RunIntent.Goal(type=kind))
        rclpy.spin_until_future_complete(node, sent, timeout_sec=10.0)
        handle = sent.result() if sent.done() else None
        print(json.dumps({"sent": bool(handle and handle.accepted)}), flush=True)
        if handle and handle.accepted:
            rclpy.spin_until_future_complete(node, handle.get_result_async(), timeout_sec=30.0)
        time.sleep(1.0)


main()
