"""The other side of the wires of policies, for the integration tests.

    wires_peer.py openpi-client URL [API_KEY]         stock openpi-client, unmodified
    wires_peer.py openpi-server                       stock openpi-server, unmodified
    wires_peer.py groot-client URL FORM [TOKEN]       pyzmq, as GR00T's own client writes and reads
    wires_peer.py groot-server FORM [TOKEN]           pyzmq, as GR00T's own server reads and writes

FORM is `flat` (N1.5) or `tuple` (N1.6). Clients read questions from stdin, one JSON a line: a map of names to text or
to {"dtype", "shape", "data"}; they print {"actions": {name: {"shape", "data"}}} or {"error"}. Servers print {"port"}
and answer actions of two steps: the state plus the mean of the picture, and the length of the task.
"""

import io
import json
import socket
import sys

import msgpack
import numpy as np
import zmq


def say(body):
    print(json.dumps(body), flush=True)


def array_of(value):
    if isinstance(value, dict) and "dtype" in value:
        return np.array(value["data"], dtype=value["dtype"]).reshape(value["shape"])
    if isinstance(value, dict):
        return {key: array_of(item) for key, item in value.items()}
    return value


def plain(value):
    return {"shape": list(value.shape), "dtype": str(value.dtype), "data": value.astype(float).ravel().tolist()}


def arrays_in(reply):
    return {key: plain(item) for key, item in reply.items() if isinstance(item, np.ndarray)}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def policy(state, picture, task):
    row = np.concatenate([state.astype(np.float32) + np.float32(picture.mean()), [np.float32(len(task))]])
    return np.stack([row, row + 1]).astype(np.float32)


def openpi_client(url, api_key=None):
    from openpi_client import websocket_client_policy

    client = websocket_client_policy.WebsocketClientPolicy(host=url, api_key=api_key)
    metadata = client.get_server_metadata()
    say({"metadata": {key: value for key, value in metadata.items() if isinstance(value, (str, int, float, bool))}})
    for line in sys.stdin:
        try:
            reply = client.infer({key: array_of(value) for key, value in json.loads(line).items()})
            say({"actions": arrays_in(reply), "timing": reply["server_timing"]})
        except Exception as error:
            say({"error": f"{type(error).__name__}: {error}"})


def openpi_server():
    from openpi_client import base_policy
    from openpi_server import websocket_policy_server

    class Policy(base_policy.BasePolicy):
        def infer(self, obs):
            state, picture = obs["observation.state"], obs["observation.images.front"]
            assert state.dtype == np.float32 and picture.dtype == np.uint8 and picture.ndim == 3
            return {"actions": policy(state, picture, obs["prompt"])}

    port = free_port()
    say({"port": port})
    websocket_policy_server.WebsocketPolicyServer(Policy(), host="127.0.0.1", port=port).serve_forever()


def to_bytes(data):
    def encode(value):
        if isinstance(value, np.ndarray):
            output = io.BytesIO()
            np.save(output, value, allow_pickle=False)
            return {"__ndarray_class__": True, "as_npy": output.getvalue()}
        raise TypeError(f"cannot be sent: {type(value)}")

    return msgpack.packb(data, default=encode)


def from_bytes(data):
    def decode(value):
        if "__ndarray_class__" in value:
            return np.load(io.BytesIO(value["as_npy"]), allow_pickle=False)
        return value

    return msgpack.unpackb(data, object_hook=decode)


def groot_client(url, form, token=None):
    context = zmq.Context()
    link = context.socket(zmq.REQ)
    link.connect(url)

    def call(endpoint, data=None):
        request = {"endpoint": endpoint}
        if data is not None:
            request["data"] = data
        if token:
            request["api_token"] = token
        link.send(to_bytes(request))
        reply = from_bytes(link.recv())
        if isinstance(reply, dict) and "error" in reply:
            raise RuntimeError(f"Server error: {reply['error']}")
        return reply

    for line in sys.stdin:
        try:
            question = json.loads(line)
            if "endpoint" in question:
                say({"reply": call(question["endpoint"], question.get("data"))})
                continue
            observation = array_of(question)
            if form == "flat":
                actions = call("get_action", observation)
            else:
                actions, _ = tuple(call("get_action", {"observation": observation, "options": None}))
            say({"actions": arrays_in(actions)})
        except Exception as error:
            say({"error": f"{type(error).__name__}: {error}"})


def groot_server(form, token=None):
    context = zmq.Context()
    link = context.socket(zmq.REP)
    port = link.bind_to_random_port("tcp://127.0.0.1")
    say({"port": port})

    def get_action(data):
        if form == "flat":
            assert data["state.state"].shape[0] == 1
            actions = policy(data["state.state"][0], data["video.front"], data["annotation.human.task_description"][0])
            return {"action.action": actions}
        observation = data["observation"]
        state, picture = observation["state"]["state"], observation["video"]["front"]
        assert state.shape[:2] == (1, 1) and picture.shape[:2] == (1, 1)
        (task,) = observation["language"].values()
        return [{"action": policy(state[0, 0], picture, task[0][0])[None]}, {}]

    while True:
        request = from_bytes(link.recv())
        try:
            endpoint = request.get("endpoint", "get_action")
            if token and request.get("api_token") != token:
                reply = {"error": "Unauthorized: Invalid API token"}
            elif endpoint == "get_action":
                reply = get_action(request["data"])
            elif endpoint == "ping":
                reply = {"status": "ok", "message": "Server is running"}
            elif endpoint == "reset" and form == "tuple":
                reply = {}
            else:
                raise ValueError(f"Unknown endpoint: {endpoint}")
        except Exception as error:
            reply = {"error": str(error)}
        link.send(to_bytes(reply))


ROLES = {
    "openpi-client": openpi_client,
    "openpi-server": openpi_server,
    "groot-client": groot_client,
    "groot-server": groot_server,
}
ROLES[sys.argv[1]](*sys.argv[2:])
