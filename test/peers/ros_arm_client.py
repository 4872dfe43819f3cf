"""A stock client of an arm behind ros2_control: hears it, moves it, closes its gripper, cancels a motion.

    ros_arm_client.py

Lines: {"joints": [..], "positions": {..}}, {"image": encoding, "size": [w, h]}, {"follow": code, "joint_1": ..},
{"grip": position, "reached": bool}, {"canceled": status}, {"forward": joint_2}, {"refused": true}.
"""

import json
import sys
import time

import rclpy
from action_msgs.msg import GoalStatus
from control_msgs.action import FollowJointTrajectory, GripperCommand
from rclpy.action import ActionClient
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectoryPoint

WAIT_S = 120.0


def say(**line):
    print(json.dumps(line), flush=True)


class Client:
    def __init__(self):
        self.node = rclpy.create_node("arm_client")
        self.state, self.image = None, None
        self.node.create_subscription(JointState, "/joint_states", self.hear, qos_profile_sensor_data)
        self.node.create_subscription(Image, "/camera/front/image_raw", self.see, qos_profile_sensor_data)
        self.commands = self.node.create_publisher(Float64MultiArray, "/forward_position_controller/commands", 10)
        self.follow = ActionClient(
            self.node, FollowJointTrajectory, "/joint_trajectory_controller/follow_joint_trajectory"
        )
        self.grip = ActionClient(self.node, GripperCommand, "/gripper_controller/gripper_cmd")

    def hear(self, message):
        self.state = dict(zip(message.name, message.position))
        self.names = list(message.name)

    def see(self, message):
        self.image = message

    def until(self, done):
        end = time.monotonic() + WAIT_S
        while not done():
            if time.monotonic() > end:
                sys.exit("waited too long")
            rclpy.spin_once(self.node, timeout_sec=0.1)

    def goal(self, client, goal):
        asked = client.send_goal_async(goal)
        self.until(asked.done)
        return asked.result()

    def result(self, handle):
        told = handle.get_result_async()
        self.until(told.done)
        return told.result()

    def trajectory(self, joint, position, seconds):
        goal = FollowJointTrajectory.Goal()
        goal.trajectory.joint_names = [joint]
        point = JointTrajectoryPoint(positions=[position])
        point.time_from_start.sec = seconds
        goal.trajectory.points = [point]
        return goal


def main():
    rclpy.init()
    client = Client()
    client.until(lambda: client.state is not None)
    say(joints=client.names, positions=client.state)
    client.until(lambda: client.image is not None)
    say(image=client.image.encoding, size=[client.image.width, client.image.height])
    client.until(lambda: client.follow.server_is_ready() and client.grip.server_is_ready())
    told = client.result(client.goal(client.follow, client.trajectory("joint_1", 0.3, 1)))
    say(follow=told.result.error_code, joint_1=client.state["joint_1"])
    grip = GripperCommand.Goal()
    grip.command.position, grip.command.max_effort = 0.02, 10.0
    told = client.result(client.goal(client.grip, grip))
    say(grip=told.result.position, reached=told.result.reached_goal)
    handle = client.goal(client.follow, client.trajectory("joint_1", -1.0, 30))
    asked = handle.cancel_goal_async()
    client.until(asked.done)
    say(canceled=client.result(handle).status == GoalStatus.STATUS_CANCELED)
    say(refused=not client.goal(client.follow, client.trajectory("no_such_joint", 0.1, 1)).accepted)
    target = [client.state[name] for name in client.names]
    target[1] = 0.35
    message = Float64MultiArray(data=target)

    def forwarded():
        client.commands.publish(message)
        return abs(client.state["joint_2"] - 0.35) < 0.01

    client.until(forwarded)
    say(forward=client.state["joint_2"])
    rclpy.shutdown()


main()
