"""A server of MCP as Python authors write them: arguments and results are pydantic models, by the official SDK.

Usage: mcp_models.py            serves over stdio
       mcp_models.py schemas    says its tools with their schemas as JSON, as test/golden/mcp/pydantic-tools.json has them
"""

import asyncio
import json
import sys
from typing import Annotated, Literal, Optional, Union

from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel, Field


class Point(BaseModel):
    x: float
    y: float


class Pose(BaseModel):
    """Where the robot stands."""

    at: Point
    yaw: Annotated[float, Field(ge=-6.3, le=6.3, description="radians")] = 0.0


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Tree(BaseModel):
    name: str
    children: list["Tree"] = []


server = MCPServer("models")


@server.tool()
def drive(
    goal: Pose,
    via: list[Pose] = [],
    speed: Optional[float] = None,
    back: Optional[Pose] = None,
    start: Annotated[Pose, Field(description="from where")] = Pose(at=Point(x=0, y=0)),
    span: tuple[float, float] = (0, 1),
) -> Pose:
    """Drives to a pose."""
    return goal


@server.tool()
def feed(pet: Annotated[Union[Cat, Dog], Field(discriminator="kind")]) -> str:
    """Feeds a pet."""
    return pet.kind


@server.tool()
def climb(tree: Tree) -> str:
    """Climbs a tree, whose model refers to itself."""
    return tree.name


if sys.argv[1:] == ["schemas"]:
    tools = [tool.model_dump(by_alias=True) for tool in asyncio.run(server.list_tools())]
    keys = ["name", "description", "inputSchema", "outputSchema"]
    print(json.dumps([{key: tool[key] for key in keys} for tool in tools], indent=2))
else:
    server.run("stdio")
