import { createHmac } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endpointOf } from '../../daemon/client/api-client.ts';
import type { TestDaemon } from './daemon.ts';

const SECRET = 'what only the sender and this robot know';

/** Headers of a message that is signed as Standard Webhooks says; `seconds`: its time. */
export function signedHeaders(
  body: string,
  id: string,
  seconds: number,
  secret: string | Uint8Array = SECRET,
): Record<string, string> {
  const hmac = createHmac('sha256', secret).update(`${id}.${seconds}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': `${seconds}`, 'webhook-signature': `v1,${hmac}` };
}

/**
 * A package whose webhook drives the robot, and the lines of the configuration that let it take messages, where `folder` is one
 * of the packages.
 */
export function drivingWebhook(folder: string): string {
  mkdirSync(join(folder, 'pushed'), { recursive: true });
  writeFileSync(
    join(folder, 'pushed', 'app.toml'),
    `name = "pushed"
version = "1.0.0"
description = "Drives when another system says so"
harness = "flow"
tools = ["robot.maneuver"]
[[intents]]
type = "pushed/go"
description = "Drive a bit"
[[webhook]]
name = "go"
[[webhook.rule]]
when = [{ value = "/go", is = true }]
`,
  );
  writeFileSync(
    join(folder, 'pushed', 'flow.yaml'),
    'steps:\n  - id: drive\n    tool: robot.maneuver\n    args: { kind: drive, distance_m: 0.3 }\n  - id: done\n    end: succeeded\n',
  );
  writeFileSync(join(folder, 'secret'), SECRET, { mode: 0o600 });
  return `[[apps.webhooks]]
name = "pushed.go"
secret_file = "${join(folder, 'secret')}"
roles = ["operator"]
`;
}

/** Sends such a message, without a token; the run that it opened. */
export async function sendWebhook({ settings }: Pick<TestDaemon, 'settings'>, id: string): Promise<string> {
  const body = JSON.stringify({ go: true });
  const { url } = endpointOf(settings, '/v1/webhooks/pushed/go');
  const headers = signedHeaders(body, id, Math.floor(Date.now() / 1_000));
  const response = await fetch(url, { method: 'POST', headers, body });
  const answer = (await response.json()) as { run_id?: string };
  if (answer.run_id === undefined) throw new Error(`${response.status} ${JSON.stringify(answer)}`);
  return answer.run_id;
}
