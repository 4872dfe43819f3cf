"""A robot for the daemon to drive, as ROS knows it: laser, odometry, mount, and a base that obeys /cmd_vel.

    ros_robot.py [NAMESPACE]

An empty hall of 12 m, lidar of 3.5 m, wheels without slip. It keeps to its last command, like a base without a
watchdog: whoever falls silent without a stop lets it drive on. First line: {"ready": true}; then
{"t": seconds of the monotonic clock, "linear": x, "angular": z} per command.
"""

import json
import math
import sys
import threading
import time

import numpy
import rclpy
from geometry_msgs.msg import TransformStamped, Twist
from nav_msgs.msg import Odometry
from rclpy.executors import ExternalShutdownException
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import LaserScan
from tf2_msgs.msg import TFMessage

HALF_M = 6.0
RANGE_M = 3.5
BEAMS = 360
ODOMETRY_S = 0.05
SCAN_EVERY = 2


class Robot:
    def __init__(self, namespace):
        self.node = rclpy.create_node("base", namespace=namespace)
        self.x, self.y, self.yaw, self.linear, self.angular = -4.5, -4.5, 0.3, 0.0, 0.0
        self.steps, self.last = 0, time.monotonic()
        self.odometry = self.node.create_publisher(Odometry, "odom", 10)
        self.scan = self.node.create_publisher(LaserScan, "scan", 10)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.mount = self.node.create_publisher(TFMessage, "/tf_static", latched)
        transform = TransformStamped()
        transform.header.frame_id, transform.child_frame_id = "base_link", "base_scan"
        transform.transform.rotation.w = 1.0
        self.mount.publish(TFMessage(transforms=[transform]))
        self.node.create_subscription(Twist, "cmd_vel", self.obey, 100)
        self.node.create_timer(ODOMETRY_S, self.step)

    def obey(self, message):
        self.linear, self.angular = message.linear.x, message.angular.z
        print(json.dumps({"t": time.monotonic(), "linear": self.linear, "angular": self.angular}), flush=True)

    def step(self):
        now = time.monotonic()
        elapsed, self.last = now - self.last, now
        middle = self.yaw + self.angular * elapsed / 2
        self.x += self.linear * elapsed * math.cos(middle)
        self.y += self.linear * elapsed * math.sin(middle)
        self.yaw += self.angular * elapsed
        stamp = self.node.get_clock().now().to_msg()
        message = Odometry()
        message.header.stamp, message.header.frame_id, message.child_frame_id = stamp, "odom", "base_link"
        message.pose.pose.position.x, message.pose.pose.position.y = self.x, self.y
        message.pose.pose.orientation.z = math.sin(self.yaw / 2)
        message.pose.pose.orientation.w = math.cos(self.yaw / 2)
        message.twist.twist.linear.x, message.twist.twist.angular.z = self.linear, self.angular
        self.odometry.publish(message)
        self.steps += 1
        if self.steps % SCAN_EVERY == 0:
            self.look(stamp)

    def look(self, stamp):
        angles = self.yaw + numpy.arange(BEAMS) * (2 * math.pi / BEAMS)
        with numpy.errstate(divide="ignore"):
            to_x = numpy.where(numpy.cos(angles) > 0, HALF_M - self.x, -HALF_M - self.x) / numpy.cos(angles)
            to_y = numpy.where(numpy.sin(angles) > 0, HALF_M - self.y, -HALF_M - self.y) / numpy.sin(angles)
        ranges = numpy.minimum(to_x, to_y)
        message = LaserScan()
        message.header.stamp, message.header.frame_id = stamp, "base_scan"
        message.angle_increment = 2 * math.pi / BEAMS
        message.angle_max = message.angle_increment * (BEAMS - 1)
        message.range_min, message.range_max = 0.1, RANGE_M
        message.ranges = numpy.where(ranges > RANGE_M, numpy.inf, ranges).astype(numpy.float32).tolist()
        self.scan.publish(message)


def main():
    rclpy.init()
    robot = Robot(sys.argv[1] if len(sys.argv) > 1 else "")
    # Whoever started this closes stdin to end it; in order, so that it leaves no shared memory of its own.
    threading.Thread(target=lambda: (sys.stdin.read(), rclpy.try_shutdown()), daemon=True).start()
    print(json.dumps({"ready": True}), flush=True)
    try:
        rclpy.spin(robot.node)
    except ExternalShutdownException:
        pass
    robot.node.destroy_node()


if __name__ == "__main__":
    main()
