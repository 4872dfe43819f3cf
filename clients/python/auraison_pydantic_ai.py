"""Agents of Pydantic AI as a runtime of a robot. Needs pydantic-ai-slim (tried with 2.68) and auraison_runtime.py beside it.

    python3 auraison_pydantic_ai.py my_agents:guide my_agents:scout      (MODULE:NAME of each Agent)

An agent keeps its own model, tools and instructions, and gets the tools of its run beside them. Every call of those goes
to the robot, as a call of the run. AURAISON_URL and AURAISON_RUNTIME_TOKEN are set where the daemon starts this program.
"""
import asyncio, importlib, json, os, sys

from pydantic_ai import Tool
from pydantic_ai.toolsets import FunctionToolset

from auraison_runtime import Failed, serve


def robot_tools(run):
    """The tools of a run for its agent: the names with `_` for `.`, the schemas as they are, one call at a time."""
    count = len(run.calls)

    def made(name, tool):
        def call(**args):
            nonlocal count
            count += 1
            try:
                return run.call(name, args, f"call-{count}")
            except Failed as failed:  # the model reads why, and decides
                return {"error": failed.error}

        return Tool.from_schema(
            call, name.replace(".", "_"), tool.get("description", ""), tool["input"], sequential=True)

    return FunctionToolset([made(name, tool) for name, tool in run.tools.items()])


def prompt(run):
    """What is wanted; after a cut also what was done before it."""
    wanted = run.text or json.dumps(run.params)
    if not run.calls:
        return wanted
    done = "\n".join("- " + json.dumps({key: call.get(key) for key in ("tool", "args", "answer")}) for call in run.calls)
    return f"{wanted}\n\nYou were interrupted. These calls were made before, do not make them again:\n{done}"


def worker(agent):
    def work(run):
        instructions = run.instructions or None
        done = asyncio.run(agent.run(prompt(run), instructions=instructions, toolsets=[robot_tools(run)]))
        output = done.output
        return output if isinstance(output, str) else json.dumps(output, default=lambda value: value.model_dump())

    return work


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    places = [place.partition(":") for place in sys.argv[1:]]
    agents = {name: worker(getattr(importlib.import_module(module), name)) for module, _, name in places}
    if not agents:
        sys.exit("usage: auraison_pydantic_ai.py MODULE:NAME …")
    serve(os.environ["AURAISON_URL"], os.environ["AURAISON_RUNTIME_TOKEN"], agents)
