"""An agent of Pydantic AI with a tool of its own and a scripted model: it drives there, asks its tool, and drives back."""
from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel


def script(messages, info):
    names = {tool.name for tool in info.function_tools}
    results = [part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
    steps = [
        ("robot_maneuver", {"kind": "drive", "distance_m": 0.15}),
        ("weather", {}),
        # No policy and no tool of the application lets it: the model reads why.
        ("robot_maneuver", {"kind": "drive", "distance_m": "far"}),
        ("robot_maneuver", {"kind": "drive", "distance_m": -0.15}),
    ]
    if len(results) < len(steps):
        name, args = steps[len(results)]
        assert name in names, f"{name} is not among {names}"
        return ModelResponse([ToolCallPart(name, args)])
    refused = str(results[2].content)
    return ModelResponse([TextPart(f"it is {results[1].content}; {'schema.invalid' in refused}; {info.instructions}")])


guide = Agent(FunctionModel(script))


@guide.tool_plain
def weather() -> str:
    """The weather at the dock."""
    return "dry"
