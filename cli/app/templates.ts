import type { PackageFile } from '../../contract/core.ts';

export type TemplateKind = 'flow' | 'pi' | 'remote';

/** A package that works as it is: its robot drives so far as it is asked to, and back. */
export function templateFiles(name: string, kind: TemplateKind): readonly PackageFile[] {
  const texts = TEXTS[kind](name);
  return Object.entries(texts).map(([path, text]) => ({ path, bytes: new TextEncoder().encode(text) }));
}

const TEXTS: Readonly<Record<TemplateKind, (name: string) => Readonly<Record<string, string>>>> = {
  flow: (name) => ({
    'app.toml': flowManifest(name),
    'flow.yaml': FLOW,
    'tests/drive.toml': tests(name),
    'README.md': readme(name),
  }),
  pi: (name) => ({
    'app.toml': agentManifest(name),
    'AGENT.md': AGENT,
    'skills/careful-driving/SKILL.md': SKILL,
    'tests/drive.toml': tests(name),
    'README.md': readme(name),
  }),
  remote: (name) => ({ 'app.toml': remoteManifest(name), 'README.md': remoteReadme(name) }),
};

/** Intents are named `group/what`; a group is written with `_`. */
function intentOf(name: string): string {
  return `${name.replaceAll('-', '_')}/drive`;
}

function intentRows(name: string): string {
  return `[[intents]]
type = "${intentOf(name)}"
description = "Drive forward and back"
# Words for auraison ask, understood without a model: (a|b), [may be left out], {parameter:kind}; docs/write-an-app.md.
phrases = [
  "(patrol|drive) {metres:distance} and back",
  { say = "(patrol|drive) (there|forth) and back", params = { metres = 0.3 } },
]

[intents.params.properties.metres]
type = "number"
minimum = 0.1
maximum = 2.0
default = 0.3
description = "how far, metres"
`;
}

function flowManifest(name: string): string {
  return `name = "${name}"
version = "0.1.0"
description = "Drives forward and back"
harness = "flow"
# Tools that its steps may use: all names are in docs/tools.md; "robot.*" is every tool of that group.
tools = ["robot.maneuver", "robot.state"]
deadline = "10 min"

${intentRows(name)}`;
}

const FLOW = `# Each step is in the log before it starts; after a power cut the run continues in its last one.
# {/params/NAME} is a parameter of the intent, {/steps/ID/NAME} a result of a step.
steps:
  - id: forward
    tool: robot.maneuver
    args: { kind: drive, distance_m: "{/params/metres}" }
    on_error: blocked
  - id: look
    wait: 1 s
  - id: turn
    tool: robot.maneuver
    args: { kind: spin, angle_rad: 3.1416 }
    on_error: blocked
  - id: home
    tool: robot.maneuver
    args: { kind: drive, distance_m: "{/params/metres}" }
    on_error: blocked
  - id: done
    end: succeeded
    reason: "drove {/params/metres} m and back"
  - id: blocked
    end: failed
    reason: "did not get there: {/error/message}"
`;

function agentManifest(name: string): string {
  return `name = "${name}"
version = "0.1.0"
description = "Drives as it is asked to"
harness = "pi"
# Tools that its agent may use; "robot.*" is every tool of that group. All names are in docs/tools.md.
tools = ["robot.maneuver", "robot.state", "skill.load"]
deadline = "10 min"

${intentRows(name).replace('\n\n', '\nprompt = "Drive {/params/metres} m forward, then finish."\n\n')}
[model]
max_tokens = 512

[budget]
turns = 20
`;
}

const AGENT = `You steer a small robot.

Drive with robot_maneuver: {"kind": "drive", "distance_m": metres} or {"kind": "spin", "angle_rad": radians}.
Look where you are with robot_state before and after you drive.
When you have done what you were asked for, call run_finish with status "succeeded" and say how far you drove.
When the robot is stuck, call run_finish with status "failed" and say what was in the way.
`;

const SKILL = `---
name: careful-driving
description: How to drive where people may be near. Load it before you drive more than one metre.
---

Drive in pieces of at most half a metre. Look with robot_state after each of them.
When the outcome is not "reached", do not try the same again: back out 0.2 m first.
`;

function tests(name: string): string {
  return `# auraison app test runs each case on the simulated robot.
[[cases]]
name = "drives a little and comes back"
intent = "${intentOf(name)}"
params = { metres = 0.3 }
status = "succeeded"
# What the odometer of the robot counted, metres.
moved_min = 0.2
moved_max = 1.5
`;
}

function readme(name: string): string {
  return `# ${name}

    auraison app check .
    auraison app test .
    auraison app install .
    auraison intent send ${intentOf(name)} --params '{"metres": 0.3}' --wait
`;
}

function remoteManifest(name: string): string {
  return `name = "${name}"
version = "0.1.0"
description = "Drives forward and back"
harness = "remote"
# Tools that its program may use: all names are in docs/tools.md; "robot.*" is every tool of that group.
tools = ["robot.maneuver", "robot.state"]
deadline = "10 min"

# The program that executes its runs: [[runtimes.accept]] name = "workshop" in the configuration.
[remote]
runtime = "workshop"
agent = "patrol"

${intentRows(name)}`;
}

function remoteReadme(name: string): string {
  return `# ${name}

A program of yours executes its runs, on this host or another (docs/runtimes.md). In the configuration (robot.toml):

    [[runtimes.accept]]
    name = "workshop"
    command = ["python3", "/path/to/patrol.py"]   # clients/python/patrol.py is one; without it the program is started elsewhere
    sandbox = "none"

Then

    auraison app check .
    auraison app install .
    auraison up --config robot.toml &
    auraison status --wait
    auraison intent send ${intentOf(name)} --params '{"metres": 0.3}' --wait
`;
}
