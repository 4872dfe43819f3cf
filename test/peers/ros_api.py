"""A real rclpy node for the tests of services, actions, parameters, lifecycle, discovery and quality of service.

    ros_api.py serve                     /peer: AddTwoInts, Fibonacci (one per 50 ms), parameters; /managed: lifecycle
    ros_api.py call SERVICE ACTION       calls our service and sends a goal to our action server, cancels a second one
    ros_api.py trigger SERVICE           calls a std_srvs/Trigger once per line on stdin
    ros_api.py publish TOPIC TYPE [--best-effort] [--latched] [--deadline MS] [--lease MS] [--hz N] [--count N]
    ros_api.py listen TOPIC TYPE [--reliable] [--latched]

Prints JSON lines; ends when stdin closes.
"""

import argparse
import hashlib
import json
import os
import sys
import threading
import time

import rclpy
from rclpy.action import ActionClient, ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.duration import Duration
from rclpy.executors import MultiThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from rcl_interfaces.msg import SetParametersResult
from ros_types import message_class


def say(**line) -> None:
    print(json.dumps(line), flush=True)


class Managed(LifecycleNode):
    def on_configure(self, state):
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state):
        return TransitionCallbackReturn.SUCCESS


def serve(executor) -> None:
    from example_interfaces.action import Fibonacci
    from example_interfaces.srv import AddTwoInts

    node = rclpy.create_node("peer")
    group = ReentrantCallbackGroup()
    node.declare_parameter("speed", 0.5)
    node.declare_parameter("name", "peer")
    node.declare_parameter("ids", [1, 2**60])

    def judge(parameters):
        for parameter in parameters:
            if parameter.name == "speed" and parameter.value > 1.0:
                return SetParametersResult(successful=False, reason="too fast")
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(judge)

    def add(request, response):
        response.sum = request.a + request.b
        return response

    def execute(goal):
        sequence = [0, 1]
        for i in range(1, goal.request.order):
            if goal.is_cancel_requested:
                goal.canceled()
                say(goal="canceled")
                return Fibonacci.Result(sequence=sequence)
            # A long goal stays within int32.
            sequence.append((sequence[i] + sequence[i - 1]) % 1_000_000_007)
            goal.publish_feedback(Fibonacci.Feedback(sequence=sequence))
            time.sleep(0.05)
        goal.succeed()
        return Fibonacci.Result(sequence=sequence)

    node.create_service(AddTwoInts, "/peer/add", add, callback_group=group)
    keep = ActionServer(
        node,
        Fibonacci,
        "/peer/count",
        execute,
        goal_callback=lambda goal: GoalResponse.ACCEPT if goal.order >= 0 else GoalResponse.REJECT,
        cancel_callback=lambda goal: CancelResponse.ACCEPT,
        callback_group=group,
    )
    executor.add_node(node)
    managed = Managed("managed")
    executor.add_node(managed)
    say(ready=True)
    return keep


def call(executor, service: str, action: str) -> None:
    from example_interfaces.action import Fibonacci
    from example_interfaces.srv import AddTwoInts

    node = rclpy.create_node("caller")
    executor.add_node(node)
    group = ReentrantCallbackGroup()
    client = node.create_client(AddTwoInts, service, callback_group=group)
    actions = ActionClient(node, Fibonacci, action, callback_group=group)

    def wait(future, seconds=30.0):
        deadline = time.monotonic() + seconds
        while not future.done() and time.monotonic() < deadline:
            time.sleep(0.01)
        return future.result() if future.done() else None

    def work():
        for line in sys.stdin:
            order = json.loads(line)
            if order["do"] == "add":
                client.wait_for_service(30.0)
                answer = wait(client.call_async(AddTwoInts.Request(a=order["a"], b=order["b"])), order.get("s", 30))
                say(id=order["id"], sum=None if answer is None else answer.sum)
            else:
                actions.wait_for_server(30.0)
                feedback = []
                goal = wait(
                    actions.send_goal_async(
                        Fibonacci.Goal(order=order["order"]),
                        feedback_callback=lambda message: feedback.append(len(message.feedback.sequence)),
                    )
                )
                if goal is None or not goal.accepted:
                    say(id=order["id"], accepted=False)
                    continue
                if order["do"] == "cancel":
                    wait(goal.cancel_goal_async())
                result = wait(goal.get_result_async())
                say(id=order["id"], accepted=True, status=result.status, sequence=list(result.result.sequence), feedback=feedback)
        os._exit(0)

    threading.Thread(target=work, daemon=True).start()
    say(ready=True)


def trigger(executor, service: str) -> None:
    from std_srvs.srv import Trigger

    node = rclpy.create_node("presser")
    executor.add_node(node)
    client = node.create_client(Trigger, service)

    def work():
        for _ in sys.stdin:
            if not client.wait_for_service(60.0):
                say(missing=service)
                continue
            future = client.call_async(Trigger.Request())
            deadline = time.monotonic() + 30
            while not future.done() and time.monotonic() < deadline:
                time.sleep(0.01)
            if future.done():
                say(success=future.result().success, message=future.result().message)
            else:
                say(missing="an answer")
        os._exit(0)

    threading.Thread(target=work, daemon=True).start()


def qos_of(args) -> QoSProfile:
    qos = QoSProfile(depth=100)
    qos.reliability = ReliabilityPolicy.BEST_EFFORT if args.best_effort else ReliabilityPolicy.RELIABLE
    qos.durability = DurabilityPolicy.TRANSIENT_LOCAL if args.latched else DurabilityPolicy.VOLATILE
    if args.deadline:
        qos.deadline = Duration(nanoseconds=int(args.deadline * 1e6))
    if args.lease:
        qos.liveliness = LivelinessPolicy.MANUAL_BY_TOPIC
        qos.liveliness_lease_duration = Duration(nanoseconds=int(args.lease * 1e6))
    return qos


def publish(executor, args) -> None:
    """Each message differs; what was sent is told as count and hash of the bytes, after each message."""
    cls = message_class(args.type)
    node = rclpy.create_node(args.node)
    executor.add_node(node)
    publisher = node.create_publisher(cls, args.topic, qos_of(args))

    def work():
        digest = hashlib.sha256()
        deadline = time.monotonic() + 60
        while publisher.get_subscription_count() == 0 and not args.latched and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        for number in range(args.count):
            message = cls()
            if hasattr(message, "header"):
                message.header.stamp.sec = 1_000 + number
                message.header.frame_id = "map"
            if hasattr(message, "text"):
                message.text = f"number {number} äöü"
            if hasattr(message, "data") and isinstance(message.data, str):
                message.data = f"number {number}"
            if hasattr(message, "clock"):
                message.clock.sec = 500 + number
            data = bytes(serialize_message(message))
            publisher.publish(data)
            digest.update(data)
            say(sent=number + 1, bytes=len(data), sha256=digest.hexdigest())
            time.sleep(1.0 / args.hz)

    threading.Thread(target=work, daemon=True).start()


def listen(executor, args) -> None:
    node = rclpy.create_node(args.node)
    executor.add_node(node)
    node.create_subscription(message_class(args.type), args.topic, lambda message: say(heard=True), qos_of(args))
    say(ready=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["serve", "call", "trigger", "publish", "listen"])
    parser.add_argument("topic", nargs="?")
    parser.add_argument("type", nargs="?")
    parser.add_argument("--node", default="other")
    parser.add_argument("--best-effort", action="store_true")
    parser.add_argument("--latched", action="store_true")
    parser.add_argument("--deadline", type=float)
    parser.add_argument("--lease", type=float)
    parser.add_argument("--hz", type=float, default=50)
    parser.add_argument("--count", type=int, default=20)
    args = parser.parse_args()
    rclpy.init()
    executor = MultiThreadedExecutor(num_threads=4)
    if args.role == "serve":
        keep = serve(executor)
    elif args.role == "call":
        call(executor, args.topic, args.type)
    elif args.role == "trigger":
        trigger(executor, args.topic)
    elif args.role == "publish":
        publish(executor, args)
    else:
        listen(executor, args)
    threading.Thread(target=executor.spin, daemon=True).start()
    if args.role not in ("call", "trigger"):
        sys.stdin.read()
        os._exit(0)
    threading.Event().wait()


if __name__ == "__main__":
    main()
