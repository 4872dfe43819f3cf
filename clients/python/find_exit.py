"""Asks the simulated robot of `npm start` to find the exit, and follows the run to its end.

    python3 find_exit.py [URL TOKEN]
"""
import sys

from auraison_client import connect

robot = connect(*sys.argv[1:3])
run = robot.submit("maze/find_exit")
print(f"run {run.id}", flush=True)
for event in run.events(["run.phase", "tool.called"], timeout_s=600):
    if event.kind == "run.phase":
        print(f"phase {event.payload['phase']}: {event.payload['reason']}")
    else:
        print(f"tool {event.payload['tool']}")
done = run.wait(timeout_s=30)
print(f"{done.status}: {done.reason}")
