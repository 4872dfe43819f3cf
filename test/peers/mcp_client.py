"""The official Python client of MCP against this robot. Says one JSON object of what it saw.

Usage: mcp_client.py http <url> <token> <auto|legacy>
       mcp_client.py stdio <command> [args...]
"""

import asyncio
import json
import sys

from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client


async def talk(transport, mode: str) -> dict:
    seen: dict = {"progress": []}

    async def progress(done, total, message):
        seen["progress"].append(message)

    async with Client(transport, mode=mode) as client:
        tools = (await client.list_tools()).tools
        seen["tools"] = sorted(tool.name for tool in tools)
        state = await client.call_tool("robot_state", {})
        seen["state"] = state.structured_content
        wrong = await client.call_tool("run_submit", {"type": "maze/find_exit", "priority": "5"})
        seen["wrong"] = [wrong.is_error, wrong.content[0].text]
        run = await client.call_tool(
            "run_submit",
            {"type": "maze/find_exit", "wait_s": 240, "idempotency_key": f"python-{mode}-{transport!r:.20}"},
            progress_callback=progress,
        )
        seen["run"] = run.structured_content
        run_id = run.structured_content["run_id"]
        resource = await client.read_resource(f"robot://runs/{run_id}")
        seen["resource"] = json.loads(resource.contents[0].text)["intent"]["policy_ctx"]
        clip = await client.call_tool("clip_record", {"reason": "python", "after_s": 0})
        seen["clip"] = [clip.is_error, clip.content[0].text]
        query = await client.call_tool("lake_query", {"sql": "select 6 * 7 as answer"})
        seen["query"] = [query.is_error, query.content[0].text]
    return seen


async def main(kind: str, *rest: str) -> dict:
    if kind == "stdio":
        return await talk(stdio_client(StdioServerParameters(command=rest[0], args=list(rest[1:]))), "legacy")
    url, token, mode = rest
    http = create_mcp_http_client(headers={"authorization": f"Bearer {token}"})
    return await talk(streamable_http_client(url, http_client=http), mode)


print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
