"""A real rclpy node that asks the daemon for something by auraison_interfaces/action/RunIntent.

    ros_intent.py ACTION TYPE    one goal to its end with feedback, one refused, one canceled; then it waits
                                 for stdin: a line sends a goal, `quit` leaves while it runs

Prints JSON lines.
"""

import json
import os
import sys
import time

import rclpy
from auraison_interfaces.action import RunIntent
from builtin_interfaces.msg import Time
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor

STATUS = {4: "succeeded", 5: "canceled", 6: "aborted"}


def say(**line):
    print(json.dumps(line), flush=True)


def main():
    action, kind = sys.argv[1:3]
    rclpy.init()
    node = rclpy.create_node("asker")
    # One thread asks and reads: with a second one, rclpy drops an answer that comes before its own request is noted.
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    client = ActionClient(node, RunIntent, action)
    if not client.wait_for_server(timeout_sec=60.0):
        say(missing=action)
        os._exit(1)

    def wait(future, seconds=150.0):
        executor.spin_until_future_complete(future, timeout_sec=seconds)
        if not future.done():
            say(timeout=True)
            os._exit(1)
        return future.result()

    def send(**fields):
        heard = []
        goal = RunIntent.Goal(**fields)
        handle = wait(client.send_goal_async(goal, feedback_callback=lambda m: heard.append(m.feedback.status)))
        return handle, heard

    def result(handle):
        answer = wait(handle.get_result_async())
        r = answer.result
        return {
            "status": STATUS.get(answer.status, answer.status),
            "run_id": r.run_id,
            "run": r.status,
            "reason": r.reason,
            "error_code": r.error_code,
            "score": None if r.score != r.score else r.score,
            "summary": json.loads(r.summary_json),
        }

    say(default_priority=RunIntent.Goal().priority)
    # Nobody drives here: it ends when its time is over.
    soon = Time(sec=int(time.time()) + 8)
    handle, heard = send(type=kind, params_json="{}", idempotency_key="from-rclpy", deadline=soon)
    say(ended=result(handle), heard=heard)
    handle, _ = send(type=kind, idempotency_key="from-rclpy", deadline=soon)
    say(again=result(handle))
    handle, _ = send(type=kind, params_json='{"floor": "two"}')
    say(refused=result(handle))
    handle, heard = send(type=kind, priority=9)
    canceled = wait(handle.cancel_goal_async())
    say(canceled=result(handle), canceling=len(canceled.goals_canceling))
    for line in sys.stdin:
        if line.strip() == "quit":
            os._exit(0)
        handle, _ = send(type=kind)
        say(sent=handle.accepted)
    os._exit(0)


main()
