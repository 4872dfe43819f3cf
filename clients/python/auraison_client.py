"""A client of Auraison robots in one file, with nothing but the standard library (Python 3.9 or newer).

Copy this file beside your program or notebook.

    from auraison_client import connect

    robot = connect()                                # the daemon of this host, or AURAISON_URL with AURAISON_TOKEN
    run = robot.submit("maze/find_exit")
    print(run.wait(timeout_s=300).reason)

Lengths are metres, angles radians (counter-clockwise), times seconds. Poses are in the frame `map`, velocities in the frame
of the base: +x is forward. Times of the robot are nanoseconds as text, as the API gives them.

Every call has a deadline and a connection of its own, so that a stop waits behind nothing. An order of motion is never sent
again automatically: where its answer is lost, the call raises and you decide. Only reads and stops are repeated. Whatever goes
wrong is raised as `AuraisonError`. A robot may be shared by threads.
"""
from __future__ import annotations

import hashlib, http.client, json, math, os, re, socket, ssl, threading, time, warnings
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import quote, urlencode, urlsplit

__all__ = ["connect", "Robot", "Run", "Lease", "AuraisonError", "NotReached", "Pose", "State", "Motion", "Stopped",
           "Event", "Result", "Recording", "Sample", "Rows"]

FINISHED = ("succeeded", "failed", "cancelled")
SILENCE_S = 45.0  # the robot sends a sign of life on a stream each 15 s
COMMAND_PERIOD_S = 0.1  # a command of teleoperation counts for 0.3 s
PATIENCE_S = 3.0  # commands of teleoperation may fail for this long in a row
CODES = {"no_path": "robot.no_path", "stuck": "robot.stuck", "timeout": "deadline.exceeded",
         "starved": "robot.starved"}  # of outcomes; others: the robot was stopped or taken over


class AuraisonError(Exception):
    """What the robot answered instead of a result, or why there was no answer.

    `code`: as in contract/edge-error.ts, for example policy.denied, estop.engaged, api.unauthorised; without an answer
    cell.unavailable or deadline.exceeded; schema.invalid for a value that was not sent. `hint`: what to do about it, may be
    empty. `retryable`: the same call may succeed later. `status`: of HTTP, None where there was no answer.
    """

    def __init__(self, code: str, message: str, hint: str = "", retryable: bool = False, status: Optional[int] = None):
        super().__init__(f"{code}: {message}" + (f"; {hint}" if hint else ""))
        self.code, self.message, self.hint, self.retryable, self.status = code, message, hint, retryable, status


class NotReached(AuraisonError):
    """A motion ended before its goal, and the robot stands. `motion` says where and why."""

    def __init__(self, motion: Motion):
        code = CODES.get(motion.outcome, "robot.preempted")
        super().__init__(code, f"the motion ended as {motion.outcome}: {motion.message}")
        self.motion = motion


class Pose(NamedTuple):
    """In the frame `map`: metres, and the heading in radians, counter-clockwise from +x."""

    x: float
    y: float
    yaw: float


@dataclass(frozen=True)
class State:
    """`motion`: idle, moving, …; `linear_m_s` and `angular_rad_s`: in the frame of the base; `raw`: all that the robot says."""

    connected: bool
    pose: Optional[Pose]
    linear_m_s: float
    angular_rad_s: float
    motion: str
    estop: bool
    lease_holder: str
    raw: Dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Motion:
    """How a motion ended: `outcome` is reached, no_path, stuck, timeout, preempted, stopped or starved."""

    outcome: str
    message: str
    pose: Optional[Pose]
    distance_m: float
    duration_s: float


@dataclass(frozen=True)
class Stopped:
    """`confirmed`: nothing speaks against it that the robot stands. Where it is false, `warnings` say why: look at the robot."""

    confirmed: bool
    warnings: Tuple[str, ...]


@dataclass(frozen=True)
class Event:
    """`cursor`: for `after`, also of another process."""

    kind: str
    payload: Dict[str, Any]
    cursor: str
    run_id: Optional[str]
    raw: Dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Result:
    """The end of a run. `status`: succeeded, failed or cancelled."""

    status: str
    reason: str
    summary: Dict[str, Any]
    raw: Dict[str, Any] = field(repr=False)

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"


@dataclass(frozen=True)
class Recording:
    """A sealed MCAP file of a recording on the robot. Times are those of its samples, as text of SQL."""

    bag: str
    file: str
    bytes: int
    messages: int
    sha256: str
    start_time: str
    end_time: str
    topics: Dict[str, int]


@dataclass(frozen=True)
class Sample:
    """A message of a topic as values. `stamp_ns`, `received_ns`: of the clock of the robot."""

    topic: str
    type: str
    message: Dict[str, Any]
    stamp_ns: int
    received_ns: int


class Rows(List[Dict[str, Any]]):
    """Rows of a query, a dict each. `truncated`: there are more, and `reason` names the limit. A column whose name comes twice is `name_2`."""

    columns: Sequence[str] = ()
    truncated: bool = False
    reason: str = ""
    notes: Tuple[str, ...] = ()

    def to_pandas(self) -> Any:
        """A pandas DataFrame; raises ImportError where pandas is not installed."""
        import pandas

        return pandas.DataFrame(list(self), columns=self.columns)


def connect(url: Optional[str] = None, token: Optional[str] = None, data_dir: Optional[str] = None) -> Robot:
    """The robot at `url` (http://127.0.0.1:7601) with `token`; else of AURAISON_URL with AURAISON_TOKEN; else of the daemon
    with this data directory on this host.

    A token of this host is never sent to an address that is given: then it takes `token`, and AURAISON_TOKEN only where
    AURAISON_URL is that address. Asks the robot nothing. Raises AuraisonError: schema.invalid, cell.unavailable,
    api.unauthorised.
    """
    named = os.environ.get("AURAISON_URL")
    if url is not None or (named and data_dir is None):
        given = os.environ.get("AURAISON_TOKEN") if url in (None, named) else None
        return Robot(url or named or "", token or given)
    folder = data_dir or _data_dir()
    address = os.path.join(folder, "run", "api.json")
    try:
        with open(address, encoding="utf8") as file:
            found = json.load(file)["url"]
    except (OSError, ValueError, KeyError, TypeError) as cause:
        hint = "start it with: auraison up; or connect(url, token), connect(data_dir=...), or set AURAISON_URL"
        raise AuraisonError("cell.unavailable", f"no daemon has written its address into {address}", hint, True) from cause
    token = token or os.environ.get("AURAISON_TOKEN")
    secret = os.path.join(folder, "token")
    if not token and os.path.exists(secret):
        try:
            with open(secret, encoding="utf8") as file:
                token = file.read().strip()
        except OSError as cause:
            hint = "run as the user of the daemon, or give a token: connect(url, token), AURAISON_TOKEN"
            raise AuraisonError("api.unauthorised", f"{secret} cannot be read: {cause.strerror}", hint) from cause
    return Robot(found, token)


def _data_dir() -> str:
    env = os.environ
    named = env.get("AURAISON_DAEMON_DATA_DIR") or (env.get("STATE_DIRECTORY") or "").split(":")[0]
    share = env.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return named or os.path.join(share, "auraison-edge")


class Robot:
    """One robot; see `connect`. Every `timeout_s` is the time in seconds after which a call raises deadline.exceeded."""

    def __init__(self, url: str, token: Optional[str] = None):
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise AuraisonError("schema.invalid", f'expected an address like http://127.0.0.1:7601, found "{url}"')
        if token and not re.fullmatch(r"[\x21-\x7e]+", token):
            raise AuraisonError("schema.invalid", "the token has characters that no token has", "copy it again")
        self.url, self._token, self._secure = url.rstrip("/"), token, parts.scheme == "https"
        self._host, self._path = parts.hostname, parts.path.rstrip("/")
        self._port = port or (443 if self._secure else 80)
        self._stops = 0

    def __repr__(self) -> str:
        return f"Robot({self.url!r})"

    # --- the API itself

    def call(self, method: str, path: str, body: Any = None, timeout_s: float = 15.0) -> Any:
        """Any call of the API (docs/api.md): `robot.call("GET", "/v1/me")`. It is sent once."""
        return self._call(method, path, body, timeout_s)

    def status(self, timeout_s: float = 15.0) -> Dict[str, Any]:
        """`GET /v1/status`: cells, runs, robot, recorder, lake and link. A part whose cell is down says so."""
        return self._call("GET", "/v1/status", None, timeout_s)

    # --- runs

    def submit(self, type: str, params: Optional[Dict[str, Any]] = None, *, priority: Optional[int] = None,
               idempotency_key: Optional[str] = None, timeout_s: float = 60.0) -> Run:
        """Asks for something, for example "maze/find_exit". The run is durable when this returns.

        It is sent once. With an `idempotency_key` you may send it again where the answer was lost: it is one run.
        """
        wanted = {"type": type, "params": params, "priority": priority, "idempotency_key": idempotency_key}
        body = {key: value for key, value in wanted.items() if value is not None}
        return Run(self, self._order("/v1/intents", body, timeout_s)["run"]["run_id"])

    def run(self, run_id: str) -> Run:
        """A run that was opened before, by its id. Asks nothing."""
        return Run(self, run_id)

    def ask(self, words: str, timeout_s: float = 90.0) -> Dict[str, Any]:
        """What would be done for these words, in `kind`: intent, agent, unclear, or stopped.

        Nothing is done before `confirm`, with one exception: words that are an order to stop stop the robot at once.
        """
        return self._call("POST", "/v1/ask", {"words": words}, timeout_s)

    def confirm(self, plan: Dict[str, Any], timeout_s: float = 60.0) -> Run:
        """Does what `ask` planned: its answer, or one of the `candidates` of an unclear one."""
        if plan.get("kind") not in ("intent", "agent"):
            hint = "confirm one of plan['candidates']" if plan.get("kind") == "unclear" else ""
            raise AuraisonError("schema.invalid", f"a plan of the kind {plan.get('kind')} cannot be confirmed", hint)
        answer = self._order(f"/v1/ask/{quote(plan['ask_id'], safe='')}/confirm", {}, timeout_s)
        return Run(self, answer["run"]["run_id"])

    def events(self, kinds: Sequence[str] = (), *, run: Optional[str] = None, after: Optional[str] = None,
               since: str = "start", follow: bool = True, timeout_s: Optional[float] = None,
               patience_s: float = 60.0) -> Iterator[Event]:
        """Events, each exactly once and in order. A lost connection is made again and continues after the last cursor.

        `run`: only of this run; it ends with the run. `after`: the cursor to continue from; without it `since` "start" or
        "now". `follow=False`: those of now. `timeout_s`: ends quietly after this time. Raises AuraisonError where the robot
        refuses, and where it was away for `patience_s`.
        """
        path = "/v1/events" if run is None else f"/v1/runs/{quote(run, safe='')}/events"
        # The robot ends the stream of a run by this event, and only where it is asked for.
        asked = {*kinds, "run.finished"} if kinds and run else set(kinds)
        query: List[Tuple[str, str]] = [("kind", kind) for kind in sorted(asked)]
        query += [] if follow else [("follow", "false")]
        query += [("since", "now")] if since == "now" and run is None else []
        cursor, away = after, time.monotonic()
        end = math.inf if timeout_s is None else time.monotonic() + _number("timeout_s", timeout_s, 0)
        while True:
            try:
                for name, id, data in self._messages(f"{path}?{urlencode(query)}", cursor, end):
                    away = time.monotonic()
                    if name == "end":
                        return
                    if name == "error":
                        raise _error_of(json.loads(data), 200)
                    if id:
                        cursor = id
                    if id and data:
                        raw = json.loads(data)
                        if kinds and raw["kind"] not in kinds:
                            continue
                        yield Event(raw["kind"], raw["payload"], id, raw.get("run_id"), raw)
                        away = time.monotonic()  # what the caller did with it takes no patience
            except AuraisonError as error:
                if time.monotonic() >= end:
                    return
                if not error.retryable or time.monotonic() - away > patience_s:
                    raise
            if time.monotonic() >= end:
                return
            time.sleep(max(0.0, min(1.0, end - time.monotonic())))

    # --- the robot

    def state(self, timeout_s: float = 15.0) -> State:
        """Where the robot is and what it does. Raises cell.unavailable where its cell is down."""
        raw = self.status(timeout_s).get("robot", {})
        if not raw.get("available"):
            raise AuraisonError("cell.unavailable", f"the state is not known: {raw.get('reason', '')}", "auraison status", True)
        twist = raw.get("twist", {})
        return State(bool(raw.get("connected")), _pose(raw.get("pose")), twist.get("linear", 0.0), twist.get("angular", 0.0),
                     raw.get("motion", ""), bool(raw.get("estop", {}).get("engaged")), raw.get("lease", {}).get("holder", ""), raw)

    def drive(self, distance_m: float, timeout_s: Optional[float] = None) -> Motion:
        """Straight ahead without a map, -5 to 5 m; negative is backwards. Returns when the robot stands at the goal.

        Raises NotReached where it stands elsewhere, AuraisonError where it was refused (policy.denied, estop.engaged,
        lease.held). When this call ends early (`timeout_s`, Ctrl-C), the robot stops.
        """
        distance = _number("distance_m", distance_m, -5, 5)
        return self._move("maneuver", {"kind": "drive", "distance_m": distance}, 2 + abs(distance) / 0.03, timeout_s)

    def spin(self, angle_rad: float, timeout_s: Optional[float] = None) -> Motion:
        """On the spot, -25 to 25 rad, counter-clockwise. Returns and raises as `drive`."""
        angle = _number("angle_rad", angle_rad, -25, 25)
        return self._move("maneuver", {"kind": "spin", "angle_rad": angle}, 2 + abs(angle) / 0.1, timeout_s)

    def navigate(self, x_m: float, y_m: float, yaw_rad: Optional[float] = None, *, tolerance_m: Optional[float] = None,
                 robot_time_s: float = 120.0, timeout_s: Optional[float] = None) -> Motion:
        """To a place in the frame `map`, around obstacles. Without `yaw_rad` any heading is right.

        `tolerance_m`: what counts as reached, 0.02 to 10, 0.25 where absent. `robot_time_s`: it may take this long by the
        clock of the robot. Returns and raises as `drive`.
        """
        yaw = 0.0 if yaw_rad is None else _number("yaw_rad", yaw_rad, -6.3, 6.3)
        robot_time = _number("robot_time_s", robot_time_s, 0.001, 3600)
        pose = {"x": _number("x_m", x_m, -10_000, 10_000), "y": _number("y_m", y_m, -10_000, 10_000), "yaw": yaw}
        body: Dict[str, Any] = {"pose": pose, "timeout_ms": robot_time * 1000, "align_yaw": yaw_rad is not None}
        if tolerance_m is not None:
            body["tolerance_m"] = _number("tolerance_m", tolerance_m, 0.02, 10)
        return self._move("navigate", body, robot_time, timeout_s)

    def stop(self, reason: str = "", timeout_s: float = 10.0) -> Stopped:
        """Stops the robot and cancels every run. Orders of this object that other threads have not sent yet are not sent."""
        answer = self._stop("/v1/robot/stop", {"reason": reason[:256]}, timeout_s).get("result") or {}
        return Stopped(answer.get("confirmed", True), tuple(answer.get("warnings", ())))

    def estop(self, reason: str = "", timeout_s: float = 10.0) -> Stopped:
        """Engages the emergency stop: nothing moves until a person releases it. It is software, and replaces no button."""
        answer = self._stop("/v1/estop", {"reason": reason[:256]}, timeout_s)
        return Stopped(answer.get("confirmed", True), tuple(answer.get("warnings", ())))

    def release_estop(self, press: Optional[str] = None, reason: str = "", timeout_s: float = 15.0) -> None:
        """Releases the emergency stop; nothing starts to move by it. `press`: of `estop_state()`, so that a newer press holds."""
        body = {"reason": reason[:256], **({} if press is None else {"press": press})}
        self._call("POST", "/v1/estop/release", body, timeout_s)

    def estop_state(self, timeout_s: float = 15.0) -> Dict[str, Any]:
        """Whether the emergency stop is engaged, since when, by whom and why."""
        return self._call("GET", "/v1/estop", None, timeout_s)

    def teleop(self, ttl_s: float = 2.0) -> Lease:
        """The right to steer by hand, for `with`. It outranks every program, and ends `ttl_s` (0.1 to 3600) after its last renewal."""
        return Lease(self, _number("ttl_s", ttl_s, 0.1, 3600))

    # --- data

    def query(self, sql: str, limit: int = 1000, timeout_s: float = 40.0) -> Rows:
        """One read-only statement on the lakehouse of the robot (docs/lake.md). Look at `truncated` where rows are counted."""
        answer = self._call("POST", "/v1/query", {"sql": sql, "limit": limit}, timeout_s)
        names: List[str] = []
        for column in answer["columns"]:
            name, count = column["name"], 2
            while name in names:
                name, count = f"{column['name']}_{count}", count + 1
            names.append(name)
        rows = Rows(dict(zip(names, row)) for row in answer["rows"])
        rows.columns, rows.truncated, rows.reason = names, answer["truncated"], answer["reason"]
        rows.notes = tuple(answer.get("notes", ()))
        return rows

    def recordings(self, limit: int = 1000) -> List[Recording]:
        """Sealed files of the recordings on the robot, newest first. The lake has them a moment after they are sealed."""
        found = self.query("SELECT bag, path, bytes, messages, sha256, start_time, end_time, topics FROM segments "
                           "ORDER BY ts DESC", limit)
        return [Recording(row["bag"], row["path"].split("/")[-1], int(row["bytes"]), int(row["messages"]), row["sha256"],
                          row["start_time"], row["end_time"], json.loads(row["topics"] or "{}")) for row in found]

    def seal_recording(self, timeout_s: float = 60.0) -> None:
        """Seals the file that is recorded now and starts a new one, so that it can be downloaded."""
        self._call("POST", "/v1/recorder/seal", {}, timeout_s)

    def download(self, recording: Recording, path: str, progress: Optional[Callable[[int, int], None]] = None,
                 silence_s: float = 30.0) -> str:
        """Writes a recording to the file `path`, or into the folder `path`, and returns its name.

        It is written as `….part` and gets its name when its SHA-256 is right. A broken connection continues where it was, up
        to five times. `progress(done, total)`: bytes. Raises AuraisonError after `silence_s` without a byte; OSError of the disk.
        """
        target = os.path.join(path, recording.file) if os.path.isdir(path) else path
        place = f"/v1/bags/{quote(recording.bag, safe='')}/files/{quote(recording.file, safe='')}"
        digest, done, part = hashlib.sha256(), 0, f"{target}.part"
        with open(part, "wb") as file:
            for again in range(6):
                try:
                    with self._open("GET", place, None, silence_s, {"range": f"bytes={done}-"}) as answer:
                        for piece in answer.pieces():
                            file.write(piece)
                            digest.update(piece)
                            done += len(piece)
                            if progress:
                                progress(done, recording.bytes)
                    break
                except AuraisonError as error:
                    if not error.retryable or again == 5:
                        raise
                    time.sleep(1)
        if digest.hexdigest() != recording.sha256:
            os.remove(part)
            raise AuraisonError("mcap.malformed", f"{recording.file} came with another SHA-256 than the robot wrote down", "", True)
        os.replace(part, target)
        return target

    def topics(self, timeout_s: float = 15.0) -> List[Dict[str, Any]]:
        """Topics of the robot: topic, type, hz, latched, readable."""
        return self._call("GET", "/v1/topics", None, timeout_s)["topics"]

    def sample(self, topic: str, after_ns: Optional[int] = None, wait_s: float = 5.0) -> Optional[Sample]:
        """The newest message of a topic, or the first after `after_ns` (`received_ns` of the one before). None: none in `wait_s` (0 to 30)."""
        wait = _number("wait_s", wait_s, 0, 30)
        query = {"topic": topic, "wait_ms": int(wait * 1000), **({} if after_ns is None else {"after_ns": str(after_ns)})}
        found = self._call("GET", f"/v1/topics/message?{urlencode(query)}", None, wait + 10)["sample"]
        return found and Sample(found["topic"], found["type"], found["message"], int(found["stamp_ns"]), int(found["received_ns"]))

    def samples(self, topic: str, count: Optional[int] = None, timeout_s: float = 60.0) -> Iterator[Sample]:
        """Messages of a topic as they come, one request each: some of a fast topic are left out. Ends after `count` or `timeout_s`."""
        end, after, given = time.monotonic() + _number("timeout_s", timeout_s, 0), None, 0
        while (count is None or given < count) and time.monotonic() < end:
            found = self.sample(topic, after, min(5.0, max(0.0, end - time.monotonic())))
            if found:
                after, given = found.received_ns, given + 1
                yield found

    # --- below: one request, one connection

    def _move(self, kind: str, body: Dict[str, Any], robot_time_s: float, timeout_s: Optional[float]) -> Motion:
        # The daemon ends a motion after this time itself, with the better message.
        most = robot_time_s * 4 + 15 if timeout_s is None else timeout_s
        raw = self._order(f"/v1/robot/{kind}", body, most)
        motion = Motion(raw["outcome"], raw["message"], _pose(raw.get("pose")), raw["distance_m"], raw["duration_ms"] / 1000)
        if motion.outcome != "reached":
            raise NotReached(motion)
        return motion

    def _order(self, path: str, body: Any, timeout_s: float, since: Optional[int] = None) -> Any:
        """What may move the robot: sent once, and not at all when a stop of this object was asked for meanwhile."""
        stops = self._stops if since is None else since

        def check() -> None:
            if self._stops != stops:
                raise AuraisonError("robot.preempted", "the robot was stopped before this was sent", "ask again")

        return self._call("POST", path, body, timeout_s, check)

    def _stop(self, path: str, body: Any, timeout_s: float) -> Any:
        self._stops += 1
        end = time.monotonic() + _number("timeout_s", timeout_s, 0.001)
        for again in range(3):
            try:
                return self._call("POST", path, body, max(0.001, end - time.monotonic()))
            except AuraisonError as error:
                # A broken connection; who is refused, or finds nothing there, learns it at once.
                again_helps = error.status is None and error.code == "cell.unavailable" and error.retryable
                if not again_helps or isinstance(error.__cause__, ConnectionRefusedError) or again == 2:
                    raise

    def _call(self, method: str, path: str, body: Any, timeout_s: float, check: Callable[[], None] = lambda: None) -> Any:
        with self._open(method, path, body, timeout_s, {}, check, whole=True) as answer:
            data = b"".join(answer.pieces())
            try:
                return json.loads(data) if data else None
            except ValueError as cause:
                raise AuraisonError("cell.unavailable", f"what answers at {self.url} is not a robot") from cause

    def _messages(self, path: str, cursor: Optional[str], end: float) -> Iterator[Tuple[str, str, str]]:
        """Server-sent events as they come; a part of one is dropped."""
        headers = {"accept": "text/event-stream", **({"last-event-id": cursor} if cursor else {})}
        with self._open("GET", path, None, max(0.001, min(SILENCE_S, end - time.monotonic())), headers) as answer:
            if answer.status == 204:
                yield "end", "", ""
                return
            name, id, data = "", "", ""
            for line in answer.lines(end):
                if line == "":
                    yield name, id, data
                    name, id, data = "", "", ""
                elif line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("id: "):
                    id = line[4:]
                elif line.startswith("data: "):
                    data += line[6:]

    def _open(self, method: str, path: str, body: Any, timeout_s: float, headers: Dict[str, str],
              check: Callable[[], None] = lambda: None, whole: bool = False) -> _Answer:
        """`whole`: `timeout_s` is for all of the answer; else for each silence in it."""
        seconds = _number("timeout_s", timeout_s, 0.001)
        head = {"connection": "close", "accept": "application/json", **headers}
        if self._token:
            head["authorization"] = f"Bearer {self._token}"
        data = None
        if method != "GET":
            head["content-type"] = "application/json"
            try:
                data = json.dumps({} if body is None else body, allow_nan=False).encode()
            except (TypeError, ValueError) as cause:
                raise AuraisonError("schema.invalid", f"{method} {path} was not sent: {cause}",
                                    "numbers have to be finite, and values plain Python") from cause
        kind: Any = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=min(seconds, 3600), **({"context": ssl.create_default_context()} if self._secure else {}))
        answer = _Answer(self, f"{method} {path}", connection, seconds, whole)
        with answer.opening():
            connection.connect()
            if answer.late:
                raise TimeoutError()
            check()
            connection.request(method, f"{self._path}{path}", data, head)
            answer.response = connection.getresponse()
            if answer.status >= 300:
                raise _error_of(answer.json(), answer.status, self.url)
        return answer


class _Answer:
    """One connection. Whatever breaks in it is an AuraisonError; leaving it closes it."""

    response: http.client.HTTPResponse

    def __init__(self, robot: Robot, operation: str, connection: http.client.HTTPConnection, seconds: float, whole: bool):
        self._robot, self._operation, self._connection, self._seconds = robot, operation, connection, seconds
        self.late = False
        # A timeout of a socket is for one silence: drops of an answer could go on for ever.
        self._timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._end) if whole else None
        if self._timer:
            self._timer.daemon = True
            self._timer.start()

    @property
    def status(self) -> int:
        return self.response.status

    def __enter__(self) -> _Answer:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._timer:
            self._timer.cancel()
        self._connection.close()

    def opening(self) -> _Opening:
        return _Opening(self)

    def json(self) -> Any:
        try:
            return json.loads(self.response.read(1 << 20))
        except ValueError:
            return None

    def pieces(self) -> Iterator[bytes]:
        """The bytes of the body. Raises cell.unavailable where it is shorter than it says."""
        while True:
            try:
                piece = self.response.read1(1 << 16)
                if not piece and self.response.length:
                    raise http.client.IncompleteRead(b"", self.response.length)
            except (OSError, http.client.HTTPException) as cause:
                raise self.fault(cause) from cause
            if self.late:
                raise self.fault(TimeoutError())
            if not piece:
                return
            yield piece

    def lines(self, end: float) -> Iterator[str]:
        """Whole lines; ends where the connection ends."""
        while True:
            left = end - time.monotonic()
            try:
                if self._connection.sock:
                    self._connection.sock.settimeout(max(0.001, min(SILENCE_S, left)))
                line = self.response.readline(1 << 24)
            except (OSError, http.client.HTTPException) as cause:
                raise self.fault(cause) from cause
            if not line.endswith(b"\n"):
                return
            yield line.decode("utf8", "replace").rstrip("\r\n")

    def fault(self, cause: BaseException) -> AuraisonError:
        url, said = self._robot.url, f"{type(cause).__name__}: {cause}"
        if self.late or isinstance(cause, (socket.timeout, TimeoutError)):
            doubt = "" if self._operation.startswith("GET") else "it is not known whether it was carried out: look before you ask again"
            return AuraisonError("deadline.exceeded", f"{url} did not answer {self._operation} within {self._seconds:g} s", doubt, True)
        if isinstance(cause, socket.gaierror):
            return AuraisonError("cell.unavailable", f"the name {self._robot._host} is not known", "check the address")
        if isinstance(cause, ConnectionRefusedError):
            return AuraisonError("cell.unavailable", f"no daemon answers at {url}", "start it with: auraison up", True)
        if isinstance(cause, ssl.SSLError):
            return AuraisonError("cell.unavailable", f"no TLS with {url}: {said}", "check http or https, and the certificate")
        if isinstance(cause, http.client.BadStatusLine) and not isinstance(cause, ConnectionError):
            return AuraisonError("cell.unavailable", f"what answers at {url} is not HTTP", "check http or https, and the port")
        return AuraisonError("cell.unavailable", f"the connection to {url} broke in {self._operation}: {said}", "", True)

    def _end(self) -> None:
        self.late = True
        try:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass  # not open yet, or not any longer


class _Opening:
    """Closes the answer where it does not come to one."""

    def __init__(self, answer: _Answer):
        self._answer = answer

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: Any, error: Optional[BaseException], _trace: Any) -> None:
        if error is None:
            return
        self._answer.__exit__()
        if isinstance(error, (OSError, http.client.HTTPException)):
            raise self._answer.fault(error) from error


class Run:
    """A run, by its `id`."""

    def __init__(self, robot: Robot, id: str):
        self._robot, self.id = robot, id

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    def details(self, timeout_s: float = 15.0) -> Dict[str, Any]:
        """`GET /v1/runs/{id}`: run, intent, phase, reason, summary, error."""
        return self._robot._call("GET", f"/v1/runs/{quote(self.id, safe='')}", None, timeout_s)

    def wait(self, timeout_s: float = 600.0) -> Result:
        """Waits for the end. Raises deadline.exceeded where the run is not over in time: it continues, see `cancel`."""
        end, last = time.monotonic() + _number("timeout_s", timeout_s, 0), ""
        while True:
            left = end - time.monotonic()
            try:
                raw = self.details(max(0.1, min(15.0, left)))
                last = raw["run"]["status"]
                if last in FINISHED:
                    return Result(last, raw["reason"], raw.get("summary") or {}, raw)
            except AuraisonError as error:
                if not error.retryable or left <= 0:
                    raise
            if left <= 0:
                raise AuraisonError("deadline.exceeded", f"run {self.id} is {last} after {timeout_s:g} s", "run.cancel() ends it", True)
            time.sleep(max(0.0, min(0.25, left)))

    def events(self, kinds: Sequence[str] = (), after: Optional[str] = None, timeout_s: Optional[float] = None) -> Iterator[Event]:
        """Events of this run, to its end; see `Robot.events`."""
        return self._robot.events(kinds, run=self.id, after=after, timeout_s=timeout_s)

    def cancel(self, reason: str = "", timeout_s: float = 30.0) -> Dict[str, Any]:
        """Stops the robot, then ends the run. `stop_confirmed` is False where it was not confirmed that the robot stands."""
        return self._robot._call("POST", f"/v1/runs/{quote(self.id, safe='')}/cancel", {"reason": reason[:256]}, timeout_s)


class Lease:
    """The right to steer, from `with` to its end; then the robot stands, also after an exception.

        with robot.teleop() as lease:
            lease.steer(0.1, 0.0, 2.0)

    `send` and `steer` renew it. Nothing renews it in the background: where the body hangs for `ttl_s`, the robot stops and the
    lease is lost (lease.lost). After a stop by somebody commands raise robot.preempted; `zero` is the new press.
    """

    def __init__(self, robot: Robot, ttl_s: float):
        self._robot, self._ttl, self._renewed, self._stops = robot, ttl_s, 0.0, 0
        self.id: Optional[int] = None

    def __enter__(self) -> Lease:
        self._stops = self._robot._stops
        answer = self._robot._order("/v1/lease", {"ttl_ms": int(self._ttl * 1000)}, 15)
        self.id, self._renewed = answer["lease_id"], time.monotonic()
        try:
            self._patiently(lambda: self.send(0.0, 0.0))  # what was held before is let go
        except BaseException:
            self.give_back()
            raise
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self.give_back()
        except AuraisonError as fault:
            if error is None:
                raise
            warnings.warn(f"the lease was not given back, and ends by its time: {fault}", stacklevel=2)

    def send(self, linear_m_s: float, angular_rad_s: float = 0.0) -> None:
        """One command: m/s forward and rad/s counter-clockwise, for 0.3 s, within the limits of the robot. It is sent once."""
        twist = {"linear": _number("linear_m_s", linear_m_s, -100, 100), "angular": _number("angular_rad_s", angular_rad_s, -100, 100)}
        if time.monotonic() - self._renewed > self._ttl / 3:
            self.renew()
        self._robot._order("/v1/teleop", {"lease_id": self._held(), "twist": twist}, 1.0, self._stops)

    def steer(self, linear_m_s: float, angular_rad_s: float, seconds: float) -> None:
        """Commands for this long, ten each second, then zero. Raises what `send` raises; single lost commands are passed over."""
        end = time.monotonic() + _number("seconds", seconds, 0, 3600)
        while time.monotonic() < end:
            self._patiently(lambda: self.send(linear_m_s, angular_rad_s))
            time.sleep(max(0.0, min(COMMAND_PERIOD_S, end - time.monotonic())))
        self._patiently(lambda: self.send(0.0, 0.0))

    def zero(self) -> None:
        """A command to stand. After a stop it is the new press: commands after it count again."""
        self._stops = self._robot._stops
        self.send(0.0, 0.0)

    def renew(self, timeout_s: float = 1.0) -> None:
        """The lease lives for `ttl_s` again from now."""
        self._robot._call("POST", "/v1/lease/renew", {"lease_id": self._held()}, timeout_s)
        self._renewed = time.monotonic()

    def give_back(self) -> None:
        """Sends zero and gives the lease back: the robot stands when this returns. Twice does nothing."""
        if self.id is None:
            return
        id, self.id = self.id, None
        try:
            self._robot._call("POST", "/v1/teleop", {"lease_id": id, "twist": {"linear": 0, "angular": 0}}, 1.0)
        except AuraisonError:
            pass  # the return stops it too
        for again in range(3):
            try:
                self._robot._call("POST", "/v1/lease/return", {"lease_id": id}, 10)
                return
            except AuraisonError as error:
                if error.code.startswith("lease."):
                    return  # it is lost: the robot was stopped then
                if not error.retryable or again == 2:
                    raise

    def _held(self) -> int:
        if self.id is None:
            raise AuraisonError("lease.lost", "the lease is not held", "steer inside of: with robot.teleop() as lease")
        return self.id

    def _patiently(self, step: Callable[[], None]) -> None:
        """A command that was late is followed by the next one, as long as the lease is held and nobody stopped the robot."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return step()
            except AuraisonError as error:
                fatal = error.code == "robot.preempted" or error.code.startswith("lease.")
                if fatal or not error.retryable or time.monotonic() >= end:
                    raise
            time.sleep(COMMAND_PERIOD_S)


def _number(name: str, value: Any, low: float, high: float = math.inf) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if math.isfinite(number) and low <= number <= high:
        return number
    limits = f"a number from {low:g} to {high:g}" if high < math.inf else f"a finite number of at least {low:g}"
    raise AuraisonError("schema.invalid", f"{name} is {value!r}: expected {limits}; nothing was sent")


def _pose(raw: Optional[Dict[str, float]]) -> Optional[Pose]:
    return None if not raw else Pose(raw["x"], raw["y"], raw["yaw"])


def _error_of(body: Any, status: int, url: str = "") -> AuraisonError:
    """Also of a proxy, whose body is a page: 5xx of it may pass."""
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    if isinstance(body, dict) and isinstance(body.get("code"), str):
        return AuraisonError(body["code"], str(body.get("message", "")), str(body.get("hint", "")), bool(body.get("retryable")), status)
    return AuraisonError("cell.unavailable", f"{url} answered {status}, which is not of the robot", "check the address", status >= 500, status)
