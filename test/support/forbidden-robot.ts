import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { AgentEvent, RunDetails, Submitted } from '../../contract/index.ts';
import { allEvents, finishedRun, type TestDaemon, testDaemon, until } from './daemon.ts';
import { notingCommands, type SimCommand, simCommands } from './sim-commands.ts';
import type { Way } from './ways-to-move.ts';

const FORBID = `@id("all") permit (principal, action, resource);
@id("stand") @reason("nothing moves today") forbid (principal, action == Auraison::Action::"tool", resource) when {
  resource.effect == "actuate" && (resource in Auraison::Group::"robot" || resource in Auraison::Group::"arm" ||
  resource in Auraison::Group::"controller" || resource in Auraison::Group::"ros" || resource in Auraison::Group::"bag")
};
`;
const PERMIT = '@id("all") permit (principal, action, resource);\n';
/** The reason of the policy. */
export const WORDS = 'nothing moves today';
/** After the attempts so long is waited for commands that come late, milliseconds. */
const LATE_MS = 1_000;

export const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
export const moves = ({ linear, angular }: SimCommand) => Math.abs(linear) > 1e-9 || Math.abs(angular) > 1e-9;

/** Ways that open a run before anybody looks, and for whom. */
export const OPENED_EARLIER: readonly (readonly [Way, string])[] = [
  ['schedule', 'schedule/often'],
  ['start of the daemon', 'r1'],
];

/** A whole daemon under a policy that forbids motion, whose robot writes down what reaches it. */
export class ForbiddenRobot {
  readonly daemon: TestDaemon;
  readonly #folder: string;

  private constructor(daemon: TestDaemon, folder: string) {
    this.daemon = daemon;
    this.#folder = folder;
  }

  static async start(
    folder: string,
    toml: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<ForbiddenRobot> {
    mkdirSync(join(folder, 'policies'), { recursive: true });
    writeFileSync(join(folder, 'policies', 'site.cedar'), FORBID);
    const config = join(folder, 'robot.toml');
    writeFileSync(config, `${toml}\n[policy]\ndir = "${join(folder, 'policies')}"\n`);
    const daemon = await testDaemon(join(folder, 'data'), {
      AURAISON_CONFIG: config,
      ...notingCommands(join(folder, 'commands')),
      ...env,
    });
    return new ForbiddenRobot(daemon, folder);
  }

  moving(): readonly SimCommand[] {
    return simCommands(join(this.#folder, 'commands')).filter(moves);
  }

  async allow(): Promise<void> {
    writeFileSync(join(this.#folder, 'policies', 'site.cedar'), PERMIT);
    await this.daemon.api.post('/v1/policy/reload', {});
  }

  /** What the policy denied so far; the last of it is told after `from`. */
  async denied(from = 0): Promise<readonly AgentEvent<'policy.decided'>[]> {
    const decided = (await allEvents(
      this.daemon.api,
      '&kind=policy.decided',
    )) as AgentEvent<'policy.decided'>[];
    return decided.filter(({ payload }) => payload.decision === 'deny').slice(from);
  }

  /** What opened its run before anybody looked: that run's own log has the denial. */
  async stood(way: Way, runId: string): Promise<void> {
    expect(await this.runOf(runId)).toContain(WORDS);
    const denials = (await this.denied()).filter(({ run_id }) => run_id === runId);
    expect(denials.map(({ payload }) => payload.determining)).toContainEqual(['site.cedar#stand']);
    expect([way, this.moving()]).toEqual([way, []]);
  }

  /** The attempt is denied by the policy, is in the log with its name, and moves nothing; `stillStands` waits for late commands. */
  async stands(way: Way, attempt: () => Promise<string | undefined>): Promise<void> {
    const before = (await this.denied()).length;
    const answer = await attempt();
    if (answer !== undefined) expect(answer).toContain(WORDS);
    const denials = await until(async () => {
      const found = await this.denied(before);
      return found.length > 0 && found;
    }, `${way}: a denial is in the log`);
    for (const { payload } of denials) expect(payload.determining).toEqual(['site.cedar#stand']);
    expect([way, this.moving()]).toEqual([way, []]);
  }

  /** Nothing has moved since the start, and nothing that was attempted moves it late. Once, after all attempts. */
  async stillStands(): Promise<void> {
    await wait(LATE_MS);
    expect(this.moving()).toEqual([]);
  }

  /** Sent again where the order may be old because the host held the daemon up, as its hint says. */
  async refusal(path: string, body: object): Promise<string> {
    return await until(async () => {
      const said = await this.daemon.api.post(path, body).then(
        (answer) => `taken: ${JSON.stringify(answer)}`,
        (thrown: Error & { code?: string }) => `${thrown.code}: ${thrown.message}`,
      );
      return said.startsWith('command.expired') ? undefined : said;
    }, `${path} is judged`);
  }

  /** The run that an intent of this type opens. */
  async submitted(type: string): Promise<string> {
    return (await this.daemon.api.post<Submitted>('/v1/intents', { type })).run.run_id;
  }

  /** The run comes to an end, and its log says by which policy its motion was refused. */
  async runOf(runId: string): Promise<string> {
    const { api } = this.daemon;
    const details: RunDetails = await finishedRun(api, runId);
    expect(details.run.status).not.toBe('succeeded');
    const events = (await allEvents(api)).filter(({ run_id }) => run_id === runId);
    return JSON.stringify(events.filter(({ kind }) => kind === 'policy.decided' || kind === 'tool.returned'));
  }

  async newestRun(origin: string): Promise<string> {
    return await until(async () => {
      const accepted = (await allEvents(
        this.daemon.api,
        '&kind=intent.accepted',
      )) as AgentEvent<'intent.accepted'>[];
      return accepted.findLast(({ payload }) => payload.intent.policy_ctx.origin === origin)?.run_id;
    }, `a run that came from ${origin}`);
  }

  /** The newest run of somebody. */
  async runOfPrincipal(principal: string): Promise<string> {
    return await until(async () => {
      const accepted = (await allEvents(
        this.daemon.api,
        '&kind=intent.accepted',
      )) as AgentEvent<'intent.accepted'>[];
      return accepted.findLast(({ payload }) => payload.intent.policy_ctx.principal === principal)?.run_id;
    }, `a run of ${principal}`);
  }
}
