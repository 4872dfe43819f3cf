"""A program of a trial, by the Python client: `asks` for turns to the right, again and again, or `steers` to the left under
a lease, until a line comes on its input. Then it asks for nothing more; a lease that it has it keeps.

    python3 python_mover.py asks|steers URL TOKEN
"""
import sys
import threading
import time

from auraison_client import AuraisonError, connect

AGAIN_S = 0.3
HAND_S = 0.06
over = threading.Event()


def listen():
    sys.stdin.readline()
    over.set()


def ask(robot):
    robot.spin(-20, timeout_s=60)


def steer(robot):
    with robot.teleop(1.5) as lease:
        while not over.is_set():
            lease.send(0.0, 0.6)
            time.sleep(HAND_S)
        time.sleep(3600)


kind, url, token = sys.argv[1:]
threading.Thread(target=listen, daemon=True).start()
robot = connect(url, token)
while not over.is_set():
    try:
        (ask if kind == "asks" else steer)(robot)
    except AuraisonError:
        time.sleep(AGAIN_S)
