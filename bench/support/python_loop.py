"""
A control loop in a Python thread as LeRobot's asynchronous client has it: take an action from a queue under its lock,
turn it into a dictionary, hand it over, then sleep for what is left of the period (`time.sleep`, relative). A second
thread fills the queue, as the one that receives chunks does. Prints one line of JSON for each step: when it began, in
milliseconds of CLOCK_MONOTONIC.
"""

import sys
import threading
import time
from queue import Queue

hz = float(sys.argv[1])
period = 1.0 / hz
names = [f"joint_{i}.pos" for i in range(7)]
lock = threading.Lock()
queue: Queue = Queue()
sent: dict = {}


def fill() -> None:
    while True:
        with lock:
            missing = 50 - queue.qsize()
        for _ in range(missing):
            queue.put([0.1 * i for i in range(7)])
        time.sleep(0.1)


threading.Thread(target=fill, daemon=True).start()
time.sleep(0.2)
print(threading.get_native_id(), flush=True)
begins = []
while True:
    begin = time.perf_counter()
    begins.append(time.clock_gettime(time.CLOCK_MONOTONIC) * 1000)
    with lock:
        action = queue.get_nowait() if not queue.empty() else None
    if action is not None:
        sent = {name: action[i] for i, name in enumerate(names)}
    if len(begins) >= 500:
        sys.stdout.write(" ".join(f"{ms:.3f}" for ms in begins) + "\n")
        sys.stdout.flush()
        begins.clear()
    time.sleep(max(0.0, period - (time.perf_counter() - begin)))
