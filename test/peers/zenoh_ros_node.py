"""ROS 2 nodes over Zenoh that know nothing of us: zenoh-ros2-sdk, an implementation of the rmw_zenoh conventions.

Reads one JSON object from standard input: `types`, by name `{definition, hash}`, where hashes are those that
ROS 2 itself published (without them zenoh-ros2-sdk computes its own where it can). Each event is one line of
JSON on standard output. Actions, which zenoh-ros2-sdk has no classes for, are made of its services and topics
as rcl_action makes them.

  robot PORT DOMAIN    publishes /scan, /odom, /chatter, obeys /cmd_vel, serves /add_two_ints, /lights, /fibonacci
  asker PORT DOMAIN    asks the daemon for something by /run_intent: one goal that is refused, one that is canceled
  client PORT DOMAIN   calls /sum of ours, sends a goal to our /count, hears /edge_text
"""

import json
import sys
import threading
import time
import uuid

import numpy
import zenoh_ros2_sdk as sdk
from zenoh_ros2_sdk.session import ZenohSession
from zenoh_ros2_sdk.qos import QosDurability, QosProfile, QosReliability

MODE, PORT, DOMAIN = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
TYPES = json.loads(sys.stdin.readline())["types"]
LOCK = threading.Lock()


def say(**fields):
    with LOCK:
        print(json.dumps(fields), flush=True)


def common(node):
    return {"node_name": node, "namespace": "/base", "domain_id": DOMAIN, "router_port": PORT}


def topic(kind, name, type_name, node, **more):
    """A publisher or subscription; its hash is the published one, or the SDK's own for types without parts."""
    known = TYPES[type_name]
    hashed = {"type_hash": known["hash"]} if "MSG:" in known["definition"] else {}
    return kind(name, type_name, msg_definition=known["definition"], **hashed, **common(node), **more)


def service(kind, name, type_name, node, **more):
    asked, answered = (TYPES[f"{type_name}_{part}"]["definition"] for part in ("Request", "Response"))
    hashed = {"type_hash": TYPES[type_name]["hash"]} if "hash" in TYPES[type_name] else {}
    made = kind(
        name, type_name, request_definition=asked, response_definition=answered, **hashed, **common(node), **more
    )
    say(hash={type_name: made.type_hash})
    return made


def message(type_name, **fields):
    """A message by the name of its type; rosbags files parts of services and actions under names of its own."""
    types = ZenohSession._instance.store.types
    package, name = type_name.split("/")[0], type_name.split("/")[-1]
    found = [key for key in types if key.split("/")[0] == package and key.split("/")[-1] == name]
    return types[type_name if type_name in types else found[0]](**fields)


def stamp():
    now = time.time_ns()
    return message("builtin_interfaces/msg/Time", sec=now // 10**9, nanosec=now % 10**9)


def header(frame):
    return message("std_msgs/msg/Header", stamp=stamp(), frame_id=frame)


def serve_fibonacci(node):
    goals = {}

    base = "example_interfaces/action/Fibonacci"
    feedback = topic(sdk.ROS2Publisher, "/fibonacci/_action/feedback", f"{base}_FeedbackMessage", node)

    def send_goal(request):
        goal_id, order = bytes(request.goal_id.uuid), int(request.goal.order)
        accepted = order >= 0
        if accepted:
            goals[goal_id] = {"cancel": threading.Event(), "done": threading.Event(), "status": 2, "sequence": [0, 1]}
            threading.Thread(target=execute, args=(goal_id, request.goal_id, order), daemon=True).start()
        say(goal=goal_id.hex(), accepted=accepted)
        return message(f"{base}_SendGoal_Response", accepted=accepted, stamp=stamp())

    def execute(goal_id, uuid_message, order):
        goal = goals[goal_id]
        for _ in range(order - 1):
            if goal["cancel"].wait(0.02):
                break
            goal["sequence"].append(goal["sequence"][-1] + goal["sequence"][-2])
            part = message(f"{base}_Feedback", sequence=numpy.array(goal["sequence"], dtype=numpy.int32))
            feedback.publish(goal_id=uuid_message, feedback=part)
        goal["status"] = 5 if goal["cancel"].is_set() else 4
        goal["done"].set()

    def cancel_goal(request):
        info = request.goal_info
        goal = goals.get(bytes(info.goal_id.uuid))
        running = goal is not None and not goal["done"].is_set()
        if running:
            goal["cancel"].set()
        say(cancel=bytes(info.goal_id.uuid).hex(), running=running)
        code = 0 if running else 3 if goal else 2
        return message(
            "action_msgs/srv/CancelGoal_Response", return_code=code, goals_canceling=[info] if running else []
        )

    services = [
        service(sdk.ROS2ServiceServer, "/fibonacci/_action/cancel_goal", "action_msgs/srv/CancelGoal", node, callback=cancel_goal),
        service(sdk.ROS2ServiceServer, "/fibonacci/_action/send_goal", f"{base}_SendGoal", node, callback=send_goal),
    ]
    # Results are waited for: requests are taken from a queue and answered when their goal is over.
    results = service(sdk.ROS2ServiceServer, "/fibonacci/_action/get_result", f"{base}_GetResult", node, mode="queue")

    def answer_results():
        while True:
            try:
                key, request = results.take_request(timeout=1.0)
            except TimeoutError:
                continue
            threading.Thread(target=answer_result, args=(key, bytes(request.goal_id.uuid)), daemon=True).start()

    def answer_result(key, goal_id):
        goal = goals.get(goal_id)
        if goal:
            goal["done"].wait()
        sequence = numpy.array(goal["sequence"] if goal else [], dtype=numpy.int32)
        result = message(f"{base}_Result", sequence=sequence)
        status = goal["status"] if goal else 0
        results.send_response(key, message(f"{base}_GetResult_Response", status=status, result=result))

    threading.Thread(target=answer_results, daemon=True).start()
    return services


def robot():
    sensor = QosProfile(reliability=QosReliability.BEST_EFFORT, history_depth=5)
    latched = QosProfile(durability=QosDurability.TRANSIENT_LOCAL, history_depth=1)
    scan = topic(sdk.ROS2Publisher, "/scan", "sensor_msgs/msg/LaserScan", "lidar", qos=sensor)
    odom = topic(sdk.ROS2Publisher, "/odom", "nav_msgs/msg/Odometry", "base", qos=latched)
    chatter = topic(sdk.ROS2Publisher, "/chatter", "std_msgs/msg/String", "talker")
    say(hash={"std_msgs/msg/String": chatter.type_hash})
    # It moves as it was told last: it has neither inertia nor a watchdog.
    speeds = [0.0, 0.0]

    def obey(twist):
        speeds[:] = [twist.linear.x, twist.angular.z]
        say(cmd_vel=[twist.linear.x, twist.angular.z], t=time.monotonic())

    keep = [
        topic(
            sdk.ROS2Subscriber,
            "/cmd_vel",
            "geometry_msgs/msg/Twist",
            "base",
            callback=obey,
        ),
        service(
            sdk.ROS2ServiceServer,
            "/add_two_ints",
            "example_interfaces/srv/AddTwoInts",
            "adder",
            callback=lambda request: message("example_interfaces/srv/AddTwoInts_Response", sum=request.a + request.b),
        ),
        service(
            sdk.ROS2ServiceServer,
            "/lights",
            "std_srvs/srv/SetBool",
            "lights",
            callback=lambda request: message("std_srvs/srv/SetBool_Response", success=request.data, message="ok"),
        ),
        *serve_fibonacci("counter"),
    ]
    say(ready=len(keep))
    vector = lambda x=0.0, z=0.0: message("geometry_msgs/msg/Vector3", x=x, y=0.0, z=z)
    for count in range(10**9):
        scan.publish(
            header=header("laser"), angle_min=0.0, angle_max=1.0, angle_increment=0.5, time_increment=0.0, scan_time=0.1,
            range_min=0.1, range_max=10.0, ranges=numpy.array([1.0, 2.0, count % 7], dtype=numpy.float32),
            intensities=numpy.array([], dtype=numpy.float32),
        )
        pose = message(
            "geometry_msgs/msg/Pose",
            position=message("geometry_msgs/msg/Point", x=float(count), y=0.0, z=0.0),
            orientation=message("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
        )
        zeros = numpy.zeros(36)
        odom.publish(
            header=header("odom"), child_frame_id="base_link",
            pose=message("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=zeros),
            twist=message(
                "geometry_msgs/msg/TwistWithCovariance",
                twist=message("geometry_msgs/msg/Twist", linear=vector(x=speeds[0]), angular=vector(z=speeds[1])),
                covariance=zeros,
            ),
        )
        chatter.publish(data=f"hello {count}")
        time.sleep(0.02)


def client():
    text = topic(sdk.ROS2Subscriber, "/edge_text", "std_msgs/msg/String", "listener", callback=lambda m: say(text=m.data))
    total = service(sdk.ROS2ServiceClient, "/sum", "example_interfaces/srv/AddTwoInts", "caller")
    for _ in range(50):
        answer = total.call(a=40, b=2)
        if answer is not None:
            break
        time.sleep(0.2)
    say(sum=None if answer is None else int(answer.sum))

    base = "example_interfaces/action/Fibonacci"
    heard = topic(
        sdk.ROS2Subscriber,
        "/count/_action/feedback",
        f"{base}_FeedbackMessage",
        "goals",
        callback=lambda m: say(feedback=[int(n) for n in m.feedback.sequence], goal=bytes(m.goal_id.uuid).hex()),
    )
    send = service(sdk.ROS2ServiceClient, "/count/_action/send_goal", f"{base}_SendGoal", "goals")
    result = service(sdk.ROS2ServiceClient, "/count/_action/get_result", f"{base}_GetResult", "goals", timeout=60.0)
    cancel = service(sdk.ROS2ServiceClient, "/count/_action/cancel_goal", "action_msgs/srv/CancelGoal", "goals")

    def goal(order):
        raw = uuid.uuid4().bytes
        own = message("unique_identifier_msgs/msg/UUID", uuid=numpy.frombuffer(raw, dtype=numpy.uint8))
        answer = send.call(goal_id=own, goal=message(f"{base}_Goal", order=order))
        say(sent=raw.hex(), accepted=bool(answer.accepted))
        return own

    own = goal(5)
    ended = result.call(goal_id=own)
    say(status=int(ended.status), sequence=[int(n) for n in ended.result.sequence])
    endless = goal(1000)
    info = message(
        "action_msgs/msg/GoalInfo", goal_id=endless, stamp=message("builtin_interfaces/msg/Time", sec=0, nanosec=0)
    )
    answer = cancel.call(goal_info=info)
    say(canceling=len(answer.goals_canceling), code=int(answer.return_code))
    ended = result.call(goal_id=endless)
    say(status=int(ended.status), sequence=[int(n) for n in ended.result.sequence][:2])
    goal(-1)
    say(done=True)
    keep = (text, heard)
    while keep:
        time.sleep(1)


def asker():
    base = "auraison_interfaces/action/RunIntent"
    heard = topic(
        sdk.ROS2Subscriber,
        "/run_intent/_action/feedback",
        f"{base}_FeedbackMessage",
        "goals",
        callback=lambda m: say(feedback=m.feedback.status, run=m.feedback.run_id),
    )
    send = service(sdk.ROS2ServiceClient, "/run_intent/_action/send_goal", f"{base}_SendGoal", "goals")
    result = service(sdk.ROS2ServiceClient, "/run_intent/_action/get_result", f"{base}_GetResult", "goals", timeout=60.0)
    cancel = service(sdk.ROS2ServiceClient, "/run_intent/_action/cancel_goal", "action_msgs/srv/CancelGoal", "goals")
    never = message("builtin_interfaces/msg/Time", sec=0, nanosec=0)

    def goal(params):
        own = message("unique_identifier_msgs/msg/UUID", uuid=numpy.frombuffer(uuid.uuid4().bytes, dtype=numpy.uint8))
        fields = {"type": "maze/find_exit", "params_json": params, "idempotency_key": "", "priority": 7}
        asked = message(f"{base}_Goal", deadline=never, traceparent="", **fields)
        for _ in range(50):
            answer = send.call(goal_id=own, goal=asked)
            if answer is not None:
                break
            time.sleep(0.2)
        say(accepted=bool(answer.accepted))
        return own

    def ended(own):
        answer = result.call(goal_id=own)
        r = answer.result
        say(ended=r.status, status=int(answer.status), code=r.error_code, reason=r.reason, run=r.run_id)

    ended(goal("[]"))
    own = goal("{}")
    time.sleep(1)
    answer = cancel.call(goal_info=message("action_msgs/msg/GoalInfo", goal_id=own, stamp=never))
    say(canceling=len(answer.goals_canceling))
    ended(own)
    say(done=True)
    keep = (heard,)
    while keep:
        time.sleep(1)


{"robot": robot, "client": client, "asker": asker}[MODE]()
