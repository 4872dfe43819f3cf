"""ros-mcp, as it is published, between a client of MCP and the rosbridge of a robot. Prints one JSON object of what
the client got, tool by tool.

Usage: stock_ros_mcp.py look|drive HOST PORT TOKEN     drive: somebody holds the lease with the same token
"""

import asyncio
import json
import os
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

PROGRAM = os.path.join(os.path.dirname(sys.executable), "ros-mcp")


async def main(task, host, port, token):
    seen = {}
    async with Client(StdioTransport(PROGRAM, [])) as client:

        async def call(name, **arguments):
            answer = await client.call_tool(name, arguments, raise_on_error=False)
            return json.loads(answer.content[0].text)

        # ros-mcp has no field for a token. It puts the port behind the address that it gets, so this one ends with a query.
        address = f"{host}:{port}/?token={token}&port="
        connected = await call("connect_to_robot", ip=address, port=int(port))
        seen["warning"] = connected.get("warning")
        if task == "look":
            seen["topics"] = await call("get_topics")
            seen["type"] = await call("get_topic_type", topic="/odom")
            seen["details"] = await call("get_message_details", message_type="geometry_msgs/Twist")
            seen["services"] = await call("get_services")
            seen["service"] = await call("get_service_details", service="/auraison/take_lease")
            seen["lease"] = await call(
                "call_service", service_name="/auraison/take_lease", service_type="std_srvs/srv/Trigger", request={}
            )
        seen["odom"] = await call("subscribe_once", topic="/odom", msg_type="nav_msgs/msg/Odometry", timeout=30)
        seen["drive"] = await call(
            "publish_for_durations",
            topic="/cmd_vel",
            msg_type="geometry_msgs/msg/Twist",
            messages=[{"linear": {"x": 0.2}}] * 5,
            durations=[0.1] * 5,
        )
        seen["after"] = await call("subscribe_once", topic="/odom", msg_type="nav_msgs/msg/Odometry", timeout=30)
    return seen


print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
