"""Both sides of the Agent2Agent protocol by its official Python library.

a2a_peer.py serve PORT            an agent that asks for robot.maneuver (contract/A2A-TOOLS.md) and then says what happened;
                                  prints {"ready": true}
a2a_peer.py send URL SKILL PARAMS a client: sends a message that names a skill, follows the task, prints a line of JSON
                                  for each state and at last {"task": id, "state": name, "text": words, "skills": […]};
                                  the token of the robot is in A2A_TOKEN
a2a_peer.py cancel URL SKILL      sends such a message and cancels its task as soon as it is there
"""

import asyncio
import json
import os
import sys

import httpx
from a2a.client import ClientConfig, create_client
from a2a.helpers import get_data_parts, get_message_text, new_data_part, new_task_from_user_message, new_text_part
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentExtension,
    AgentInterface,
    AgentSkill,
    CancelTaskRequest,
    Message,
    Role,
    SendMessageRequest,
    TaskState,
)

EXTENSION = "urn:auraison:a2a:robot-tools:1"


def serve(port: int) -> None:
    import uvicorn
    from a2a.server.agent_execution import AgentExecutor
    from a2a.server.request_handlers import DefaultRequestHandler
    from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
    from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
    from starlette.applications import Starlette

    class Errand(AgentExecutor):
        async def execute(self, context, event_queue):
            task = context.current_task
            if task is None:
                task = new_task_from_user_message(context.message)
                await event_queue.enqueue_event(task)
            updater = TaskUpdater(event_queue, task.id, task.context_id)
            data = {k: v for part in get_data_parts(context.message.parts) for k, v in part.items()}
            if "robot_tools" in data:
                metres = json.loads(os.environ.get("METRES", "0.3"))
                call = {"id": "drive", "name": "robot.maneuver", "args": {"kind": "drive", "distance_m": metres}}
                parts = [new_data_part({"tool_calls": [call]})]
                await updater.requires_input(updater.new_agent_message(parts))
                return
            (result,) = data["tool_results"]
            words = "driven" if result["ok"] else f"refused: {result['error']['code']}"
            message = updater.new_agent_message([new_text_part(words)])
            await (updater.complete(message) if result["ok"] else updater.failed(message))

        async def cancel(self, context, event_queue):
            await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()

    card = AgentCard(
        name="errands",
        description="Errands with a robot",
        version="1",
        supported_interfaces=[
            AgentInterface(url=f"http://127.0.0.1:{port}/", protocol_binding="JSONRPC", protocol_version="1.0")
        ],
        capabilities=AgentCapabilities(streaming=True, extensions=[AgentExtension(uri=EXTENSION)]),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="errand", name="errand", description="drives", tags=["robot"])],
    )
    handler = DefaultRequestHandler(Errand(), InMemoryTaskStore(), card)
    routes = [*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/")]

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            print(json.dumps({"ready": True}), flush=True)

    Server(uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=port, log_level="warning")).run()


async def send(url: str, skill: str, params: dict, cancel: bool) -> None:
    http = httpx.AsyncClient(headers={"authorization": f"Bearer {os.environ['A2A_TOKEN']}"}, timeout=240)
    client = await create_client(url, ClientConfig(httpx_client=http))
    card = await client.get_extended_agent_card(request=extended())
    message = Message(
        message_id=f"python-{os.getpid()}",
        role=Role.ROLE_USER,
        parts=[new_data_part({"skill": skill, "params": params})],
    )
    task, state, words = "", TaskState.TASK_STATE_UNSPECIFIED, ""
    async for event in client.send_message(SendMessageRequest(message=message)):
        kind = event.WhichOneof("payload")
        if kind == "task":
            task, status = event.task.id, event.task.status
            if cancel:
                await client.cancel_task(CancelTaskRequest(id=task))
        elif kind == "status_update":
            status = event.status_update.status
        else:
            continue
        state = status.state
        if status.HasField("message"):
            words = get_message_text(status.message)
        print(json.dumps({"state": TaskState.Name(state)}), flush=True)
    skills = [one.id for one in card.skills]
    print(json.dumps({"task": task, "state": TaskState.Name(state), "text": words, "skills": skills}), flush=True)
    await client.close()


def extended():
    from a2a.types import GetExtendedAgentCardRequest

    return GetExtendedAgentCardRequest()


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
elif sys.argv[1] == "send":
    asyncio.run(send(sys.argv[2], sys.argv[3], json.loads(sys.argv[4]), cancel=False))
else:
    asyncio.run(send(sys.argv[2], sys.argv[3], {}, cancel=True))
