"""A managed node for one Auraison Edge daemon.

    ros2 run auraison_edge daemon_node --ros-args -r __ns:=/robot7 -p config:=/etc/auraison-edge/auraison-edge.toml

configure   checks the configuration; with faults the node stays unconfigured and its log names them
activate    starts the daemon and waits until all its cells are up
deactivate  ends the daemon: the robot stops first
shutdown    the same, from every state

A daemon that dies while the node is active leads to error processing, and from there to unconfigured: whoever manages the
node decides. The daemon takes the namespace of the node, and its name from it. Parameters: auraison (the command), config,
data_dir, source (sim, ros, ros_zenoh, none), start_timeout in seconds; empty strings leave all to the configuration.
"""

import json
import os
import signal
import subprocess
import time

import rclpy
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

RCLError = rclpy_implementation.RCLError
# The daemon itself needs up to 5 s.
STOP_S = 8.0
LOOK_S = 0.5
PARAMETERS = {'auraison': 'auraison', 'config': '', 'data_dir': '', 'source': '', 'start_timeout': 90.0}


class DaemonNode(LifecycleNode):
    """One daemon as a managed node."""

    def __init__(self):
        super().__init__('auraison_edge')
        for name, value in PARAMETERS.items():
            self.declare_parameter(name, value)
        self._daemon = None
        self._watch = self.create_timer(LOOK_S, self._look)

    def on_configure(self, state):
        """Accept a configuration without faults only."""
        checked = self._run('config', 'check', '--json')
        if checked.returncode == 0:
            return TransitionCallbackReturn.SUCCESS
        self.get_logger().error(f'the configuration has faults: {(checked.stdout + checked.stderr).strip()}')
        return TransitionCallbackReturn.FAILURE

    def on_activate(self, state):
        """Start the daemon; active once all its cells are up."""
        self._daemon = subprocess.Popen([*self._command(), 'up'], env=self._environment(), start_new_session=True)
        end = time.monotonic() + self.get_parameter('start_timeout').value
        while time.monotonic() < end and self._daemon.poll() is None:
            if self._is_up():
                return super().on_activate(state)
            time.sleep(LOOK_S)
        code = self._daemon.poll()
        self.get_logger().error('the daemon is not up in time' if code is None else f'the daemon ended with {code}')
        self._stop()
        return TransitionCallbackReturn.FAILURE

    def on_deactivate(self, state):
        """End the daemon; an error where it had died before."""
        died = self._daemon is not None and self._daemon.poll() is not None
        self._stop()
        super().on_deactivate(state)
        return TransitionCallbackReturn.ERROR if died else TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state):
        self._stop()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state):
        self._stop()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state):
        """Back to unconfigured: configure and activate start the daemon again."""
        self._stop()
        return TransitionCallbackReturn.SUCCESS

    def close(self):
        """End the daemon with the node."""
        self._stop()

    def _look(self):
        if self._daemon is not None and self._daemon.poll() is not None:
            self.get_logger().error(f'the daemon died with {self._daemon.returncode}')
            self.trigger_deactivate()

    def _stop(self):
        daemon, self._daemon = self._daemon, None
        if daemon is None or daemon.poll() is not None:
            return
        daemon.send_signal(signal.SIGTERM)
        try:
            daemon.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.get_logger().error(f'the daemon did not end within {STOP_S} s and is killed')
            daemon.kill()
            daemon.wait()

    def _is_up(self):
        answer = self._run('status', '--json')
        if answer.returncode != 0:
            return False
        status = json.loads(answer.stdout)
        return all(cell['state'] == 'up' for cell in status['cells'])

    def _command(self):
        value = {name: self.get_parameter(name).value for name in PARAMETERS}
        command = [value['auraison']]
        if value['config']:
            command += ['--config', value['config']]
        if value['data_dir']:
            command += ['--data-dir', value['data_dir']]
        return command

    def _run(self, *args):
        return subprocess.run(
            [*self._command(), *args], env=self._environment(), capture_output=True, text=True, timeout=60, check=False
        )

    def _environment(self):
        namespace = self.get_namespace().strip('/')
        source = self.get_parameter('source').value
        given = {
            'AURAISON_DAEMON_NAME': namespace.replace('/', '-'),
            'AURAISON_ROS_NAMESPACE': f'/{namespace}' if namespace else '',
            'AURAISON_ROBOT_SOURCE': source,
        }
        return {**os.environ, **{name: text for name, text in given.items() if text}}


def main():
    """Run the node until it is shut down or interrupted; the daemon ends with it."""
    rclpy.init()
    node = DaemonNode()
    try:
        while rclpy.ok():
            try:
                rclpy.spin(node)
            except RCLError as error:
                # A transition that this state does not have: the caller gets no answer, and the robot keeps its daemon.
                node.get_logger().error(f'a request was refused: {error}')
    except (KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
        pass
    finally:
        node.close()
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
