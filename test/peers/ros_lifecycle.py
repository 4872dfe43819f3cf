"""Drives a managed node by the services that every manager of ROS uses.

    ros_lifecycle.py NODE STEP...    a step is configure, activate, deactivate, cleanup, shutdown, or =STATE: wait for it

Prints {"step", "success", "state"} for each.
"""

import json
import sys
import time

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState

STEPS = {
    'configure': Transition.TRANSITION_CONFIGURE,
    'activate': Transition.TRANSITION_ACTIVATE,
    'deactivate': Transition.TRANSITION_DEACTIVATE,
    'cleanup': Transition.TRANSITION_CLEANUP,
    'shutdown': Transition.TRANSITION_INACTIVE_SHUTDOWN,
}


def main():
    target, *steps = sys.argv[1:]
    rclpy.init()
    node = rclpy.create_node('manager')
    change = node.create_client(ChangeState, f'{target}/change_state')
    get = node.create_client(GetState, f'{target}/get_state')
    for client in (change, get):
        assert client.wait_for_service(timeout_sec=60.0), 'the node offers no lifecycle services'

    def call(client, request):
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future, timeout_sec=120.0)
        return future.result()

    def state():
        return call(get, GetState.Request()).current_state.label

    for step in steps:
        if step.startswith('='):
            end = time.monotonic() + 60.0
            while state() != step[1:] and time.monotonic() < end:
                time.sleep(0.2)
            success = state() == step[1:]
        else:
            success = call(change, ChangeState.Request(transition=Transition(id=STEPS[step]))).success
        print(json.dumps({'step': step, 'success': success, 'state': state()}), flush=True)


main()
