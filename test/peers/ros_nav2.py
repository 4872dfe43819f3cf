"""What Nav2 is to its clients: navigators and behaviours by the types of nav2_msgs, driving the base over cmd_vel.

    ros_nav2.py [NAMESPACE]

It stands where Nav2 stands, beside a base like that of ros_robot.py: it hears odometry, publishes velocities while a
goal is executed, tells where `odom` is in `map`, and the map. No planner, no costmap: it drives straight, knows the
hall it is in, and aborts with Nav2's codes. A goal at x > 50 is accepted and then nothing happens: neither motion, nor
result, nor an answer to cancellations. Also a battery and diagnostics, as a robot has them.
Lines: {"ready": true}, then {"goal": action, "x": ..}, {"cancel": action}, {"end": action, "status": ..}.
"""

import json
import math
import sys
import threading
import time

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import TransformStamped, Twist
from nav2_msgs.action import BackUp, DriveOnHeading, NavigateThroughPoses, NavigateToPose, Spin
from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import BatteryState
from tf2_msgs.msg import TFMessage

# `odom` in `map`, metres: odometry began elsewhere than the map.
SHIFT_X, SHIFT_Y = 1.0, 2.0
HALF_M, CELL_M = 6.0, 0.1
SPEED, TURN = 0.4, 1.2
STEP_S = 0.05
ARRIVED_M, ARRIVED_RAD = 0.12, 0.08
GOAL_OUTSIDE_MAP = 204
NOWHERE_X = 50.0


SAYING = threading.Lock()


def say(**line):
    # Callbacks run side by side: a line is written as one.
    with SAYING:
        print(json.dumps(line), flush=True)


def wrap(angle):
    return math.atan2(math.sin(angle), math.cos(angle))


def yaw_of(rotation):
    return 2 * math.atan2(rotation.z, rotation.w)


class Nav2:
    def __init__(self, namespace):
        self.node = rclpy.create_node("navigation", namespace=namespace)
        self.x = self.y = self.yaw = None
        group = ReentrantCallbackGroup()
        self.velocity = self.node.create_publisher(Twist, "cmd_vel", 10)
        self.node.create_subscription(Odometry, "odom", self.on_odometry, 10, callback_group=group)
        self.transforms = self.node.create_publisher(TFMessage, "/tf", 10)
        self.battery = self.node.create_publisher(BatteryState, "battery_state", 10)
        self.diagnostics = self.node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.map = self.node.create_publisher(OccupancyGrid, "map", latched)
        self.map.publish(self.hall())
        self.node.create_timer(0.1, self.tell, callback_group=group)
        self.servers = [
            self.serve(NavigateToPose, "navigate_to_pose", lambda goal: [goal.pose], group),
            self.serve(NavigateThroughPoses, "navigate_through_poses", lambda goal: list(goal.poses), group),
            self.serve(Spin, "spin", None, group),
            self.serve(BackUp, "backup", None, group),
            self.serve(DriveOnHeading, "drive_on_heading", None, group),
        ]

    def hall(self):
        grid = OccupancyGrid()
        cells = round(2 * HALF_M / CELL_M)
        grid.header.frame_id = "map"
        grid.header.stamp = self.node.get_clock().now().to_msg()
        grid.info.width = grid.info.height = cells
        grid.info.resolution = CELL_M
        grid.info.origin.position.x, grid.info.origin.position.y = SHIFT_X - HALF_M, SHIFT_Y - HALF_M
        grid.info.origin.orientation.w = 1.0
        grid.data = [0] * (cells * cells)
        return grid

    def tell(self):
        transform = TransformStamped()
        transform.header.stamp = self.node.get_clock().now().to_msg()
        transform.header.frame_id, transform.child_frame_id = "map", "odom"
        transform.transform.translation.x, transform.transform.translation.y = SHIFT_X, SHIFT_Y
        transform.transform.rotation.w = 1.0
        self.transforms.publish(TFMessage(transforms=[transform]))
        self.battery.publish(
            BatteryState(percentage=0.625, voltage=11.9, current=-1.5, power_supply_status=2, present=True)
        )
        parts = [
            DiagnosticStatus(level=DiagnosticStatus.OK, name="lidar", message="ok", hardware_id="lds-02"),
            DiagnosticStatus(level=DiagnosticStatus.WARN, name="motors", message="warm", hardware_id="xl430"),
            DiagnosticStatus(level=DiagnosticStatus.ERROR, name="camera", message="no frames", hardware_id="oak"),
        ]
        self.diagnostics.publish(DiagnosticArray(status=parts))

    def on_odometry(self, message):
        pose = message.pose.pose
        self.x, self.y, self.yaw = pose.position.x + SHIFT_X, pose.position.y + SHIFT_Y, yaw_of(pose.orientation)

    def serve(self, action, name, places, group):
        def execute(handle):
            goal = handle.request
            result = action.Result()
            if places is None:
                status = self.behave(handle, name, goal)
            else:
                poses = [stamped.pose for stamped in places(goal)]
                say(goal=name, x=poses[-1].position.x, y=poses[-1].position.y, poses=len(poses))
                status, result.error_code = self.navigate(handle, action, poses)
            self.velocity.publish(Twist())
            {"succeeded": handle.succeed, "canceled": handle.canceled, "aborted": handle.abort}[status]()
            say(end=name, status=status)
            return result

        def on_cancel(handle):
            if places is not None and places(handle.request)[-1].pose.position.x > NOWHERE_X:
                time.sleep(30)
            say(cancel=name)
            return CancelResponse.ACCEPT

        return ActionServer(
            self.node,
            action,
            name,
            execute,
            callback_group=group,
            goal_callback=lambda goal: GoalResponse.ACCEPT,
            cancel_callback=on_cancel,
        )

    def navigate(self, handle, action, poses):
        if poses[-1].position.x > NOWHERE_X:
            while rclpy.ok():
                time.sleep(1)
        for pose in poses:
            if abs(pose.position.x - SHIFT_X) > HALF_M or abs(pose.position.y - SHIFT_Y) > HALF_M:
                return "aborted", GOAL_OUTSIDE_MAP
        for i, pose in enumerate(poses):
            while True:
                if handle.is_cancel_requested:
                    return "canceled", 0
                dx, dy = pose.position.x - self.x, pose.position.y - self.y
                away = math.hypot(dx, dy)
                feedback = action.Feedback(distance_remaining=away)
                feedback.current_pose.pose.position.x = self.x
                feedback.current_pose.pose.position.y = self.y
                handle.publish_feedback(feedback)
                if away < ARRIVED_M:
                    break
                off = wrap(math.atan2(dy, dx) - self.yaw)
                self.drive(SPEED if abs(off) < 0.3 else 0.0, max(-TURN, min(TURN, 2 * off)))
            if i == len(poses) - 1 and not self.face(handle, yaw_of(pose.orientation)):
                return "canceled", 0
        return "succeeded", 0

    def face(self, handle, yaw):
        while abs(wrap(yaw - self.yaw)) > ARRIVED_RAD:
            if handle.is_cancel_requested:
                return False
            self.drive(0.0, max(-TURN, min(TURN, 2 * wrap(yaw - self.yaw))))
        return True

    def behave(self, handle, name, goal):
        say(goal=name)
        if name == "spin":
            return "succeeded" if self.face(handle, self.yaw + goal.target_yaw) else "canceled"
        from_x, from_y = self.x, self.y
        speed = -abs(goal.speed) if name == "backup" else abs(goal.speed)
        while math.hypot(self.x - from_x, self.y - from_y) < abs(goal.target.x):
            if handle.is_cancel_requested:
                return "canceled"
            self.drive(speed, 0.0)
        return "succeeded"

    def drive(self, linear, angular):
        twist = Twist()
        twist.linear.x, twist.angular.z = float(linear), float(angular)
        self.velocity.publish(twist)
        time.sleep(STEP_S)


def end_with_stdin():
    sys.stdin.read()
    rclpy.try_shutdown()


def main():
    rclpy.init()
    nav2 = Nav2(sys.argv[1] if len(sys.argv) > 1 else "")
    executor = MultiThreadedExecutor(num_threads=6)
    executor.add_node(nav2.node)
    threading.Thread(target=end_with_stdin, daemon=True).start()
    say(ready=True)
    try:
        executor.spin()
    except (ExternalShutdownException, KeyboardInterrupt):
        pass


main()
