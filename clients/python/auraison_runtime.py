"""A runtime for Auraison robots in one file, with nothing but the standard library (Python 3.9 or newer).

Copy this file beside your program. The contract is contract/RUNTIME.md.

    from auraison_runtime import serve

    def patrol(run):
        run.call("robot.maneuver", {"kind": "drive", "distance_m": 0.3})
        return "drove"

    serve("ws://127.0.0.1:7601", token, {"patrol": patrol})

Each run is a thread. `serve` reconnects automatically; open calls and messages continue where they were.
"""
import base64, hashlib, json, os, queue, socket, ssl, struct, threading, time
from urllib.parse import urlsplit

FINAL = {4410, 4426}  # an operator disconnected us; no common version: trying again does not help


class Failed(Exception):
    """A call was answered with an error; `code` as in the contract, for example policy.denied."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code, self.error = error.get("code", ""), error


class Ended(BaseException):
    """The run is over: a person stopped it, or the session was lost. Let it pass through."""


class Closed(Exception):
    def __init__(self, code, reason=""):
        super().__init__(f"closed {code} {reason}")
        self.code = code


class Run:
    """One run. `params`, `text` and `intent` say what is wanted; `tools` what may be called; `resume` where it was."""

    def __init__(self, session, spawn):
        self._session, self._answers, self._counter = session, {}, 0
        self._over = threading.Event()
        self.id, self.agent, self.attempt = spawn["run"], spawn["agent"], spawn.get("attempt", 1)
        self.tools = {tool["name"]: tool for tool in spawn.get("tools", [])}
        self.instructions, self.resume = spawn.get("instructions", ""), spawn.get("resume")
        self.calls, self.messages = spawn.get("calls", []), queue.Queue()
        self.intent, self.params, self.text = "", {}, ""
        self.phase_name = (self.resume or {}).get("phase")

    def call(self, tool, args=None, id=None):
        """Calls a tool and gives its result; raises Failed. Ids are counted: the same steps have the same ids again,
        so that a run which starts over gets the answers it had. Give ids yourself where steps differ by chance."""
        self._counter += 1
        id = id or f"{(self.phase_name or 'start')}-{self._counter}"
        message = self._ask(("result", id), {"type": "call", "call": id, "tool": tool, "args": args or {}})
        if message["ok"]:
            return message["result"]
        raise Failed(message["error"])

    def phase(self, name, reason="", **facts):
        """Durable: a later attempt finds name and facts in `resume`, and starts there."""
        events = [{"kind": "run.phase", "payload": {"phase": name, "reason": reason, "facts": facts}}]
        batch = f"phase-{name}-{self._counter}"
        noted = self._ask(("noted", batch), {"type": "events", "batch": batch, "events": events})
        if not noted["ok"]:
            raise Failed(noted["error"])
        self.phase_name, self._counter = name, 0

    def say(self, text):
        """Text for people who look on; not kept."""
        self._send({"type": "stream", "channel": "text", "text": text[:16384]})

    @property
    def stopped(self):
        return self._over.is_set()

    def _send(self, message):
        if self.stopped:
            raise Ended(self.id)
        self._session.post({**message, "run": self.id})

    def _ask(self, key, message):
        box = self._answers.setdefault(key, queue.Queue())
        self._send(message)
        answer = box.get()
        if answer is None:
            raise Ended(self.id)
        return answer

    def _hear(self, key, message):
        self._answers.setdefault(key, queue.Queue()).put(message)

    def _end(self):
        self._over.set()
        for box in list(self._answers.values()):
            box.put(None)
        self.messages.put(None)

    def _work(self, agent):
        try:
            done = agent(self)
            status, reason = done if isinstance(done, tuple) else ("succeeded", done or "done")
        except Ended:
            return
        except Exception as error:  # what an agent throws ends its run and nothing else
            status, reason = "failed", f"{type(error).__name__}: {error}"
        try:
            self._send({"type": "finish", "status": status, "reason": str(reason)[:512]})
        except Ended:
            pass


class Session:
    """Numbered messages over one connection after another."""

    def __init__(self, agents):
        self.agents, self.runs, self.lock = agents, {}, threading.RLock()
        self.socket, self.id, self.seq, self.received, self.unacked = None, None, 0, 0, []
        self.sent, self.window = 0, {"window_messages": 256, "window_bytes": 4194304}

    def post(self, message):
        with self.lock:
            self.seq += 1
            self.unacked.append((self.seq, json.dumps({**message, "seq": self.seq})))
            self._flow()

    def _flow(self):
        """Sends what the window allows; the rest waits for acknowledgements."""
        bytes_on_way = sum(len(text) for _, text in self.unacked[: self.sent])
        while self.socket and self.sent < len(self.unacked) and self.sent < self.window["window_messages"]:
            text = self.unacked[self.sent][1]
            bytes_on_way += len(text)
            if self.sent and bytes_on_way > self.window["window_bytes"]:
                return
            self.sent += 1
            self._raw(text)

    def _raw(self, text):
        try:
            self.socket.send(text)
        except OSError:
            pass  # the reader sees it too, and what was not acknowledged is sent again

    def connection(self, url, token, hello):
        """Reads one connection to its end. Raises Closed or OSError."""
        wire = WebSocket(url, token)
        resume = {"resume": {"session": self.id, "received": self.received}} if self.id else {}
        wire.send(json.dumps({**hello, "type": "hello", "versions": [1], "agents": list(self.agents), **resume}))
        welcome = json.loads(wire.receive() or "{}")
        if welcome.get("type") != "welcome":
            raise Closed(4426 if "version" in str(welcome) else 4400, str(welcome.get("error")))
        with self.lock:
            if not welcome["resumed"]:
                self._forget()
                self.id = welcome["session"]
            self.window, self.sent, self.socket = welcome["limits"], 0, wire
            self._acked(welcome["received"])
            self._flow()
        beat, heard = welcome["heartbeat_ms"] / 1000, time.monotonic()
        try:
            while True:
                text = wire.receive(beat)
                now = time.monotonic()
                if text is None:
                    if now - heard > 3 * beat:
                        raise Closed(4408, "the daemon is silent")
                    self._raw('{"type":"ping"}')
                    continue
                heard = now
                self._take(json.loads(text))
        finally:
            with self.lock:
                self.socket = None
            wire.close()

    def _forget(self):
        for run in self.runs.values():
            run._end()
        self.runs, self.seq, self.received, self.unacked = {}, 0, 0, []

    def _acked(self, received):
        while self.unacked and self.unacked[0][0] <= received:
            self.unacked.pop(0)
            self.sent = max(0, self.sent - 1)

    def _take(self, message):
        with self.lock:
            kind = message["type"]
            if kind == "ping":
                return self._raw('{"type":"pong"}')
            if kind == "ack":
                self._acked(message["received"])
                return self._flow()
            if "seq" not in message or message["seq"] <= self.received:
                return
            self.received = message["seq"]
            self._raw(json.dumps({"type": "ack", "received": self.received}))
            run = self.runs.get(message.get("run"))
            if kind == "spawn":
                if run:
                    run._end()
                run = self.runs[message["run"]] = Run(self, message)
                for said in message.get("messages", []):
                    run.messages.put(said)
                self.post({"type": "spawned", "run": run.id})
            elif run and kind == "invoke":
                run.intent, run.params = message["intent"]["type"], message["intent"]["params"]
                run.text = message.get("text", "")
                agent = self.agents.get(run.agent) or self.agents["*"]
                threading.Thread(target=run._work, args=(agent,), daemon=True).start()
            elif run and kind == "result":
                run._hear(("result", message["call"]), message)
            elif run and kind == "noted":
                run._hear(("noted", message["batch"]), message)
            elif run and kind == "channel":
                run.messages.put(message)
            elif run and kind == "destroy":
                run._end()
                del self.runs[run.id]


def serve(url, token, agents, language="python", version="", log=print):
    """Serves for ever: `agents` maps names to functions of a Run. Returns when trying again would not help."""
    session, pause = Session(agents), 1.0
    hello = {"runtime": {"language": language, "version": version}, "capabilities": ["stream", "messages"]}
    while True:
        began = time.monotonic()
        try:
            session.connection(url, token, hello)
        except Closed as closed:
            log(f"auraison: {closed}")
            if closed.code in FINAL or 400 <= closed.code < 500:
                return closed.code
        except OSError as error:
            log(f"auraison: {error}")
        pause = 1.0 if time.monotonic() - began > 30 else min(30.0, pause * 2)
        time.sleep(pause / 2)


class WebSocket:
    """The part of RFC 6455 that the contract needs: a client, text frames, no extensions."""

    def __init__(self, url, token):
        parts = urlsplit(url)
        secure = parts.scheme in ("wss", "https")
        self._buffer, self._text, self._lock = b"", b"", threading.Lock()
        self._socket = socket.create_connection((parts.hostname, parts.port or (443 if secure else 80)), 10)
        if secure:
            self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=parts.hostname)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET /v1/runtime HTTP/1.1", f"Host: {parts.netloc}", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
                 "Sec-WebSocket-Protocol: auraison.runtime.v1", f"Authorization: Bearer {token}"]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        status = int(head.split(b" ", 2)[1])
        wanted = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        if status != 101 or wanted.lower() not in head.lower():
            raise Closed(status, head.split(b"\r\n")[0].decode(errors="replace"))

    def _more(self):
        data = self._socket.recv(65536)
        if not data:
            raise OSError("the connection is closed")
        self._buffer += data

    def send(self, text, opcode=1):
        data = text.encode() if isinstance(text, str) else text
        size = len(data)
        head = bytes([0x80 | opcode]) + (
            bytes([0x80 | size]) if size < 126
            else struct.pack("!BH", 0xFE, size) if size < 65536 else struct.pack("!BQ", 0xFF, size))
        mask = os.urandom(4)
        key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        masked = (int.from_bytes(data, "big") ^ key).to_bytes(size, "big")
        with self._lock:
            self._socket.sendall(head + mask + masked)

    def receive(self, timeout=10.0):
        """The next text; None when none came in time. Raises Closed and OSError."""
        self._socket.settimeout(timeout)
        while True:
            frame = self._frame()
            if frame is None:
                try:
                    self._more()
                except socket.timeout:
                    return None
                continue
            last, opcode, data = frame
            if opcode == 8:
                raise Closed(struct.unpack("!H", data[:2])[0] if len(data) > 1 else 1005, data[2:].decode(errors="replace"))
            if opcode == 9:
                self.send(data, 10)
            elif opcode in (0, 1):
                self._text += data
                if last:
                    text, self._text = self._text.decode(), b""
                    return text

    def _frame(self):
        """One whole frame of the buffer, or None."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, at = buffer[1] & 0x7F, 2
        if size > 125:
            wide, code = (2, "!H") if size == 126 else (8, "!Q")
            if len(buffer) < 2 + wide:
                return None
            size, at = struct.unpack(code, buffer[2:2 + wide])[0], 2 + wide
        if len(buffer) < at + size:
            return None
        self._buffer = buffer[at + size:]
        return bool(buffer[0] & 0x80), buffer[0] & 0x0F, buffer[at:at + size]

    def close(self):
        try:
            self._socket.close()
        except OSError:
            pass
