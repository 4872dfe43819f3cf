import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { runCases } from '../../cli/policy/cases.ts';
import { openLaw } from '../../daemon/compose/policy-law.ts';
import { loadSettings } from '../../daemon/settings.ts';

const configOf = (dir: string, more: string) => `[daemon]
name = "tb1"
data_dir = "${dir}/data"
[robot]
speed_max = "0.4 m/s"
[policy]
dir = "${dir}/policies"
[[policy.principals]]
name = "lena"
tenant = "lab"
roles = ["lead"]
token_file = "${dir}/lena.token"
[mcp]
roles = ["guest"]
[apps]
dirs = ["${dir}/apps"]
[[models]]
name = "big"
url = "https://models.example/v1"
model = "big-70b"
cost_out = 3.0
${more}`;
export const SITE = `@id("operators") permit (principal in Auraison::Role::"operator", action, resource);
@id("guests") permit (principal in Auraison::Role::"guest", action == Auraison::Action::"tool", resource);
@id("leads") permit (principal in Auraison::Role::"lead", action == Auraison::Action::"intent", resource);
@id("models") permit (principal, action == Auraison::Action::"model", resource);
@id("slow") @reason("too fast") forbid (principal, action == Auraison::Action::"tool", resource == Auraison::Tool::"robot.maneuver")
when { context.numbers.hasTag("speed_m_s") && context.numbers.getTag("speed_m_s").greaterThan(decimal("0.3")) };
@id("hall") @reason("outside of the hall") forbid (principal, action == Auraison::Action::"tool", resource == Auraison::Tool::"robot.navigate")
when { context.numbers.hasTag("x_max_m") && context.numbers.getTag("x_max_m").greaterThan(decimal("10.0")) };
@id("still") forbid (principal, action == Auraison::Action::"tool", resource) when { resource.effect == "actuate" && context.origin == "mcp" };
@id("dear") forbid (principal, action == Auraison::Action::"model", resource) when { context.numbers.hasTag("cost_out") && context.numbers.getTag("cost_out").greaterThan(decimal("2.0")) };
`;
const manifest = (intents: readonly string[]) => `name = "crane"
version = "1.0.0"
description = "Lifts"
harness = "flow"
tools = ["lab.lift"]
${intents.map((type) => `[[intents]]\ntype = "${type}"\ndescription = "Go"\n[intents.params.properties.kg]\ntype = "number"\n`).join('')}`;
const FLOW =
  'steps:\n  - id: lift\n    tool: lab.lift\n    args: { kg: "{/params/kg}" }\n  - id: done\n    end: succeeded\n    reason: lifted\n';
const LIGHT = `@id("light") @reason("too heavy for this gripper")
forbid (principal, action == Auraison::Action::"tool", resource == Auraison::Tool::"lab.lift")
when { context.numbers.hasTag("kg") && context.numbers.getTag("kg").greaterThan(decimal("5.0")) };
@id("stops") forbid (principal, action, resource == Auraison::Tool::"robot.stop");
`;

/** A configuration with policies of the site and of a package, fresh for each test; cases are judged by it. */
export function policySite() {
  let dir = '';
  const write = (file: string, text: string) => {
    const path = join(dir, file);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text, { mode: 0o600 });
  };
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'cases-'));
    write('lena.token', 'token-of-lena');
    write('config.toml', configOf(dir, ''));
    write('policies/site.cedar', SITE);
    write('apps/crane/app.toml', manifest(['crane/go']));
    write('apps/crane/flow.yaml', FLOW);
    write('apps/crane/policies/own.cedar', LIGHT);
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const settings = (env: Readonly<Record<string, string>> = {}) =>
    loadSettings(join(dir, 'config.toml'), env);
  const law = (env: Readonly<Record<string, string>> = {}) => openLaw(settings(env));
  /** The results of a file of cases. */
  const judged = async (text: string, file = 'cases.toml') => {
    write(file, text);
    return runCases(join(dir, file), (await law()).decide);
  };
  return {
    ...{ write, settings, law, judged, manifest },
    /** More lines of the configuration. */
    configure: (more: string) => write('config.toml', configOf(dir, more)),
    path: (file: string) => join(dir, file),
    /** Decision, policy or reason, and whether that was expected. */
    async one(keys: string) {
      const [first] = await judged(`[[case]]\n${keys}\n`);
      const { decision, determining, reason } = first!.found;
      return [decision, determining[0]?.split('#')[1] ?? reason, first!.ok];
    },
  };
}
