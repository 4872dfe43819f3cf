"""A real rclpy node that asks the daemon for inference by the services of auraison_interfaces.

    ros_infer.py BASE    a policy twice, what must be refused, a model, a plan; prints JSON lines
"""

import json
import os
import sys
import threading

import rclpy
from auraison_interfaces.msg import NamedTensor
from auraison_interfaces.srv import Chat, Infer, Plan
from builtin_interfaces.msg import Time
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image


def say(**line):
    print(json.dumps(line), flush=True)


def main():
    base = sys.argv[1]
    rclpy.init()
    node = rclpy.create_node("asker")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    threading.Thread(target=executor.spin, daemon=True).start()

    def ask(kind, name, **fields):
        client = node.create_client(kind, f"{base}/{name}")
        if not client.wait_for_service(timeout_sec=90.0):
            say(missing=name)
            os._exit(1)
        done = threading.Event()
        future = client.call_async(kind.Request(**fields))
        future.add_done_callback(lambda _: done.set())
        if not done.wait(60.0):
            say(timeout=name)
            os._exit(1)
        return future.result()

    def tensors(first):
        scan = [first + i / 8 for i in range(36)]
        return [
            NamedTensor(name="scan", shape=[1, 36], data=scan),
            NamedTensor(name="state", shape=[4], data=[1.0, 2.0, 3.0, 4.0]),
        ]

    for first in (0.5, 1.5):
        answer = ask(Infer, "infer", caller="asker", tensors=tensors(first), stamp=Time(sec=7, nanosec=9), deadline_ms=20000.0)
        say(
            ok=answer.success,
            error=answer.message,
            shape=list(answer.actions.shape),
            actions=[float(x) for x in answer.actions.data],
            step_ms=answer.step_ms,
            stamp=[answer.stamp.sec, answer.stamp.nanosec],
            hash=answer.policy_hash,
        )
    nan = tensors(0.5)
    nan[1].data[2] = float("nan")
    odd = Image(height=2, width=2, encoding="mono8", step=2, data=bytes(4))
    for fields in (dict(tensors=nan), dict(tensors=tensors(0.5)[:1]), dict(policy="other", tensors=tensors(0.5)), dict(image_names=["a"], images=[odd])):
        answer = ask(Infer, "infer", **fields)
        say(refused=answer.error_code, ok=answer.success, retryable=answer.retryable)
    answer = ask(Chat, "chat", request_json=json.dumps({"messages": [{"role": "user", "content": "hi"}]}))
    say(chat=answer.text, whole=json.loads(answer.response_json or "{}"), error=answer.message)
    say(chat_refused=ask(Chat, "chat", request_json="{").error_code)
    answer = ask(Plan, "plan", request_json=json.dumps({"goal": "go"}), deadline_ms=5000.0)
    say(plan=json.loads(answer.response_json or "{}"), error=answer.message)
    say(done=True)
    # Threads of rclpy do not end by themselves.
    os._exit(0)


main()
