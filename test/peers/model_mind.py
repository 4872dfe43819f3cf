"""A foreign runtime whose agent is led by a language model: it turns the robot, makes a mark, and so on until it is enough.

Usage: python model_mind.py ADDRESS MODEL RADIANS   (ADDRESS: of an OpenAI API, with its version)
AURAISON_URL and AURAISON_RUNTIME_TOKEN are those that the daemon gives to a runtime that it starts.
"""
import json
import os
import sys
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients" / "python"))
from auraison_runtime import Failed, serve  # noqa: E402

ADDRESS, MODEL, RADIANS = sys.argv[1], sys.argv[2], float(sys.argv[3])
TURNS_MAX = 12
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
STATUS = {
    "type": "object", "properties": {"status": {"type": "string", "enum": ["succeeded", "failed"]}},
    "required": ["status"], "additionalProperties": False,
}
CHOICES = [("turn", "Turns the robot", NOTHING), ("mark", "Writes a mark", NOTHING), ("finish", "Ends the run", STATUS)]
CALLS = {"turn": ("robot.maneuver", {"kind": "spin", "angle_rad": RADIANS}), "mark": ("mcp.marks.mark", {})}


def ask(said, instructions):
    """What the model chooses. The server holds it to the form of one of the choices."""
    lines = "\n".join(f"- {name}: {what} Arguments: {json.dumps(schema)}" for name, what, schema in CHOICES)
    form = 'Answer with JSON only: {"tool": "<name>", "arguments": {…}} to use a tool.'
    prompt = f"{instructions}\n\nTools:\n{lines}\n{form}"
    forms = [{
        "type": "object", "properties": {"tool": {"const": name}, "arguments": schema},
        "required": ["tool", "arguments"], "additionalProperties": False,
    } for name, _, schema in CHOICES]
    body = {
        "model": MODEL, "temperature": 0, "max_tokens": 64,
        "messages": [{"role": "system", "content": prompt}, {"role": "user", "content": said}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"anyOf": forms}}},
    }
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(ADDRESS + "/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=300) as answer:
        chosen = json.loads(json.load(answer)["choices"][0]["message"]["content"])
    return chosen["tool"], chosen["arguments"]


def mind(run):
    said = run.text
    # After a cut the same calls under the same ids get the answers that they had, and nothing happens again.
    before = [(call["tool"], call["args"]) for call in run.calls]
    for turn in range(TURNS_MAX):
        if turn < len(before):
            tool, args = before[turn]
        else:
            name, arguments = ask(said, run.instructions)
            if name == "finish":
                return arguments["status"], said
            tool, args = CALLS[name]
        try:
            result = run.call(tool, args, f"c{turn}")
            said = "Call mark." if tool == "robot.maneuver" else result["text"]
        except Failed as failed:
            run.say(f"{tool}: {failed}")
            said = run.text
    return "failed", "too many turns"


serve(os.environ["AURAISON_URL"], os.environ["AURAISON_RUNTIME_TOKEN"], {"*": mind})
