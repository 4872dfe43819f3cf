"""An agent that drives the robot there and back, and says what it does.

    AURAISON_URL=ws://127.0.0.1:7601 AURAISON_RUNTIME_TOKEN=$(auraison runtimes token workshop) python3 patrol.py
"""
import os

from auraison_runtime import serve


def patrol(run):
    metres = float(run.params.get("metres", 0.3))
    # After a cut the run starts in the phase it was in; what was done there is not done again.
    if not run.resume:
        run.say(f"I drive {metres} m.\n")
        run.call("robot.maneuver", {"kind": "drive", "distance_m": metres})
        run.phase("back", "the first leg is done", metres=metres)
    run.call("robot.maneuver", {"kind": "spin", "angle_rad": 3.14})
    run.call("robot.maneuver", {"kind": "drive", "distance_m": metres})
    state = run.call("robot.state")
    return f"there and back, {metres} m each; {state.get('bumps', 0)} bumps"


if __name__ == "__main__":
    serve(os.environ.get("AURAISON_URL", "ws://127.0.0.1:7601"), os.environ["AURAISON_RUNTIME_TOKEN"], {"patrol": patrol})
