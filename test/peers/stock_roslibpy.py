"""roslibpy, as it is published, at the rosbridge of a robot. Prints one JSON object of what it saw.

Usage: stock_roslibpy.py HOST PORT [TOKEN]     without a token it looks only
"""

import json
import sys
import threading

import roslibpy

WAIT_S = 60
TWIST = "geometry_msgs/msg/Twist"


def once(topic):
    """The next message of a topic."""
    heard, event = [], threading.Event()

    def take(message):
        heard.append(message)
        event.set()

    topic.subscribe(take)
    if not event.wait(WAIT_S):
        raise TimeoutError(f"{topic.name}: no message")
    topic.unsubscribe()
    return heard[0]


def called(ros, name, kind):
    """Whether a service without arguments was carried out, and what it answered."""
    try:
        answer = roslibpy.Service(ros, name, kind).call(roslibpy.ServiceRequest(), timeout=WAIT_S)
        return [True, dict(answer)]
    except Exception as refused:
        return [False, str(refused)]


def main(host, port, token=None):
    # The token is a part of the address; roslibpy takes a whole address as its host.
    ros = roslibpy.Ros(f"ws://{host}:{port}/?token={token}") if token else roslibpy.Ros(host, int(port))
    ros.run(timeout=WAIT_S)
    seen = {"topics": ros.get_topics(), "type": ros.get_topic_type("/odom"), "services": ros.get_services()}
    seen["odom"] = once(roslibpy.Topic(ros, "/odom", "nav_msgs/msg/Odometry"))["child_frame_id"]
    throttled = roslibpy.Topic(ros, "/odom", "nav_msgs/msg/Odometry", throttle_rate=50, queue_length=1)
    seen["throttled"] = once(throttled)["header"]["frame_id"]
    details = ros.get_message_details(TWIST)["typedefs"]
    seen["twist"] = {one["type"]: one["fieldnames"] for one in details}
    seen["request"] = ros.get_service_request_details("std_srvs/srv/SetBool")["typedefs"][0]["fieldnames"]
    seen["lease"] = called(ros, "/auraison/take_lease", "std_srvs/srv/Trigger")
    velocity = roslibpy.Topic(ros, "/cmd_vel", TWIST)
    velocity.advertise()
    moved, stop = threading.Event(), threading.Event()

    def drive():
        while not stop.wait(0.1):
            velocity.publish(roslibpy.Message({"linear": {"x": 0.2}}))

    def watch(message):
        if abs(message["twist"]["twist"]["linear"]["x"]) > 0.05:
            moved.set()

    roslibpy.Topic(ros, "/odom", "nav_msgs/msg/Odometry").subscribe(watch)
    driver = threading.Thread(target=drive)
    driver.start()
    # Without the lease nothing moves, and there is no event to wait for.
    seen["moved"] = moved.wait(WAIT_S if seen["lease"][0] else 2)
    stop.set()
    driver.join()
    ros.terminate()
    return seen


print(json.dumps(main(*sys.argv[1:])))
