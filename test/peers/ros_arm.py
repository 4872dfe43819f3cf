"""An arm and two grippers as ros2_control shows them: joint states, FollowJointTrajectory, both gripper actions.

    ros_arm.py [NAMESPACE]

Two joints that follow a trajectory exactly, and come to rest within 1.2 s when it is cancelled. The grippers stop at 0.02 m, where they
hold something. Joints it does not have, and trajectories beyond 3 rad, are refused with the controller's codes.
Lines: {"ready": true}, {"goal": action}, {"cancel": action}, {"end": action, "status": .., "positions": [..]}.
"""

import json
import math
import sys
import threading
import time

import rclpy
from control_msgs.action import FollowJointTrajectory, GripperCommand, ParallelGripperCommand
from rclpy.action import ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from sensor_msgs.msg import JointState

JOINTS = ["shoulder", "elbow"]
STEP_S = 0.02
LIMIT_RAD = 3.0
THING_M = 0.02
COAST_S = 1.2


SAYING = threading.Lock()


def say(**line):
    # Callbacks run side by side: a line is written as one.
    with SAYING:
        print(json.dumps(line), flush=True)


class Arm:
    def __init__(self, namespace):
        self.node = rclpy.create_node("arm", namespace=namespace)
        self.positions, self.speeds = [0.0, 0.0], [0.0, 0.0]
        # Speeds at a cancellation, from which the joints come to rest.
        self.coast = []
        group = ReentrantCallbackGroup()
        self.states = self.node.create_publisher(JointState, "joint_states", 10)
        self.node.create_timer(STEP_S, self.tell, callback_group=group)
        self.servers = [
            self.serve(FollowJointTrajectory, "arm_controller/follow_joint_trajectory", self.follow, group),
            self.serve(GripperCommand, "gripper_controller/gripper_cmd", self.grip, group),
            self.serve(ParallelGripperCommand, "parallel_gripper_controller/gripper_cmd", self.grip_parallel, group),
        ]

    def tell(self):
        for i, speed in enumerate(self.coast):
            self.positions[i] += self.speeds[i] * STEP_S
            slower = abs(self.speeds[i]) - abs(speed) * STEP_S / COAST_S
            self.speeds[i] = math.copysign(max(0.0, slower), speed)
        state = JointState(name=JOINTS, position=list(self.positions), velocity=list(self.speeds))
        state.header.stamp = self.node.get_clock().now().to_msg()
        self.states.publish(state)

    def serve(self, action, name, work, group):
        def execute(handle):
            say(goal=name)
            result, status = work(handle, action.Result())
            if status == "canceled":
                self.coast = list(self.speeds)
            else:
                self.speeds = [0.0, 0.0]
            {"succeeded": handle.succeed, "canceled": handle.canceled, "aborted": handle.abort}[status]()
            say(end=name, status=status, positions=self.positions)
            return result

        def on_cancel(_):
            say(cancel=name)
            return CancelResponse.ACCEPT

        return ActionServer(self.node, action, name, execute, callback_group=group, cancel_callback=on_cancel)

    def follow(self, handle, result):
        trajectory = handle.request.trajectory
        if sorted(trajectory.joint_names) != sorted(JOINTS):
            result.error_code = FollowJointTrajectory.Result.INVALID_JOINTS
            return result, "aborted"
        self.coast = []
        order = [list(trajectory.joint_names).index(name) for name in JOINTS]
        before, before_s = list(self.positions), 0.0
        begun = time.monotonic()
        for point in trajectory.points:
            target = [point.positions[i] for i in order]
            if any(abs(at) > LIMIT_RAD for at in target):
                result.error_code = FollowJointTrajectory.Result.PATH_TOLERANCE_VIOLATED
                result.error_string = "beyond the limits of the joints"
                return result, "aborted"
            due = point.time_from_start.sec + point.time_from_start.nanosec / 1e9
            span = max(due - before_s, 1e-3)
            self.speeds = [(b - a) / span for a, b in zip(before, target)]
            while (share := (time.monotonic() - begun - before_s) / span) < 1:
                if handle.is_cancel_requested:
                    return result, "canceled"
                self.positions = [a + share * (b - a) for a, b in zip(before, target)]
                time.sleep(STEP_S)
            self.positions, before, before_s = list(target), target, due
        return result, "succeeded"

    def grip(self, handle, result):
        wanted = handle.request.command.position
        result.stalled = wanted < THING_M
        result.reached_goal = not result.stalled
        result.position = max(wanted, THING_M)
        time.sleep(0.2)
        return result, "succeeded"

    def grip_parallel(self, handle, result):
        wanted = handle.request.command.position[0]
        result.stalled = wanted < THING_M
        result.reached_goal = not result.stalled
        result.state = JointState(name=handle.request.command.name, position=[max(wanted, THING_M)])
        time.sleep(0.2)
        # As controllers do that do not allow a stall.
        return result, "aborted" if result.stalled else "succeeded"


def end_with_stdin():
    sys.stdin.read()
    rclpy.try_shutdown()


def main():
    rclpy.init()
    arm = Arm(sys.argv[1] if len(sys.argv) > 1 else "")
    executor = MultiThreadedExecutor(num_threads=4)
    executor.add_node(arm.node)
    threading.Thread(target=end_with_stdin, daemon=True).start()
    say(ready=True)
    try:
        executor.spin()
    except (ExternalShutdownException, KeyboardInterrupt):
        pass


main()
