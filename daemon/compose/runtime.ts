import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openEventReader } from '../../adapters/event-log/index.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import {
  type Application,
  type Cell,
  type CellContext,
  fromWireTime,
  type HookQuestion,
  IdSource,
  toMs,
} from '../../contract/core.ts';
import { leaveStopFile } from '../../io/stop-file.ts';
import { principalsOf } from '../config/people.ts';
import { sandboxWarnings } from '../config/sandboxes.ts';
import type { HttpAuth } from '../http/http-ports.ts';
import { HttpServer } from '../http/http-server.ts';
import { isPortFree } from '../port-check.ts';
import { wholeAnswer } from '../runtime/attempt/stored-images.ts';
import { RunTokens } from '../runtime/chat/run-tokens.ts';
import { serveGovernanceRequests } from '../runtime/governance/governance-requests.ts';
import { mayAnswerQuestion } from '../runtime/governance/may-answer.ts';
import { judgeAction, judgeMotion } from '../runtime/law/motion-law.ts';
import { PolicyGate } from '../runtime/law/policy-gate.ts';
import { keyOf } from '../runtime/packages/package-key.ts';
import type { Packages } from '../runtime/packages/packages.ts';
import { PlanDesk } from '../runtime/planning/plan-desk.ts';
import { servePlans } from '../runtime/planning/plan-requests.ts';
import { StopWatch } from '../runtime/robot/stop-watch.ts';
import { TakeoverWatch } from '../runtime/robot/takeover-watch.ts';
import { RuntimeCell } from '../runtime/runtime-cell.ts';
import { serveRuntimeRequests } from '../runtime/runtime-requests.ts';
import { stoppingAnswers } from '../runtime/tools/stopping-answers.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';
import { VERSION } from '../version.ts';
import { makeA2a, makePush } from './a2a.ts';
import { makePackages } from './app-packages.ts';
import { makeChats } from './chat.ts';
import { configDeskOf } from './config-desk.ts';

import { foresightHarnesses, makeForesight } from './cosmos.ts';
import { extensionFolders, harnessParts, makeExtensions } from './extensions.ts';
import { makeGovernance } from './governance.ts';
import { makeMcpServers, makeRobotMcp } from './mcp.ts';
import { makeModels } from './models.ts';
import { piHarnesses, warmUp } from './pi.ts';
import { flowHarness, makePlanning } from './planning.ts';
import { makeRecordings } from './recordings.ts';
import { makeRemote } from './remote.ts';
import { makeReplay } from './replay.ts';
import { makeSandboxes } from './sandboxes.ts';
import { makeAutoStart, makeSchedules } from './schedules.ts';
import { makeSharing } from './sharing.ts';
import { makeShedding } from './shedding.ts';
import { makeTelemetry } from './telemetry.ts';
import { makeTools } from './tools.ts';
import { makeWebhooks } from './webhooks.ts';

/** Events looked at for the newest that is not of the cell itself. */
const LAST_EVENTS = 16;

/** The runtime cell with the API beside it: intents, runs and the clients that ask for them. */
export async function composeRuntime(settings: Settings, context: CellContext): Promise<Cell> {
  const { config, dataDir } = settings;
  const { clock, bus } = context;
  const random = (length: number) => randomBytes(length);
  const sandboxes = makeSandboxes(settings, clock);
  for (const warning of sandboxWarnings(config)) context.report('warn', warning);
  const mcpServers = await makeMcpServers(settings, context, sandboxes);
  const ids = new IdSource(() => toMs(clock.now()), random);
  const { hooks, governance } = await makeGovernance(
    settings,
    context,
    (runId) => runtime.tenantOf(runId),
    (question) => appOfQuestion(question),
  );
  const appOfQuestion = ({ runId, about }: HookQuestion) =>
    runId === undefined
      ? runtime.apps.serving().find(({ name }) => name === about?.['app'])
      : runtime.apps.of(runId);
  const tokens = new RunTokens();
  const planning = makePlanning(config, context, { hooks, ids, others: () => packages.today() });
  const builtIn = planning ? [planning.app] : [];
  const packages: Packages = makePackages(settings, context, builtIn, sandboxes);
  const apps = [...builtIn, ...packages.today()];
  await warmUp(apps, context.report);
  const house = makeTools(
    ...([settings, context, ids, apps, () => runtime.sessionBlobs()] as const),
    (runId) => runtime.apps.of(runId),
    mayAnswerQuestion({
      ...{ hooks: new PolicyGate(hooks, clock), append: context.emit },
      rolesOf: (who) => governance.rolesOf(who),
    }),
  );
  const foresight = await makeForesight(settings, context, { blobs: house.blobs, hooks });
  const shedding = makeShedding(settings, context);
  const live = await makeModels(settings, context, {
    ...{ ids, hooks, blobs: house.blobs, budget: governance, shed: shedding.gate },
  });
  const models = live.router;
  const extensions = await makeExtensions(settings, context, apps, () => runtime.control);
  const remote = await makeRemote(
    settings,
    context,
    {
      pause: (runId, reason) => runtime.control.pauseLost(runId, reason),
      resume: (runId) => runtime.control.resumeLost(runId),
    },
    sandboxes,
  );
  const runtime: RuntimeCell = new RuntimeCell(context, {
    robot: config.daemon.name,
    apps,
    whyNot: (type) => packages.whyNot(type),
    hooks,
    governance,
    recording: config.recorder.enabled ? config.recorder.mode : 'off',
    ids,
    sharing: makeSharing(settings, () => models.queueDepth(), [shedding.watch.gauge]),
    models: models.forRun,
    tools: (app) => [
      ...house.tools,
      ...foresight,
      ...(extensions?.tools(keyOf(app)) ?? []),
      ...packages.tools(app),
      ...(mcpServers?.tools(app.name) ?? []),
    ],
    blobs: house.blobs,
    versionOf: (name, digest) => packages.versionOf(name, digest),
    readyVersions: (used) => ready([...apps, ...used]),
    harnesses: {
      ...remote.harnesses,
      ...foresightHarnesses(settings, {
        ...piHarnesses({
          blobs: house.blobs,
          promptBlocks: (app) => house.skillsBlock(app) ?? [],
          ...harnessParts(extensions),
          onText: ({ runId }, kind, text) => tokens.tell(runId, { kind, text }),
          report: context.report,
        }),
        flow: flowHarness(planning),
      }),
    },
  });
  const ready = async (used: readonly Application[]) => {
    await warmUp(used, context.report);
    await extensions?.takeApps(extensionFolders(config, used));
    await packages.ready(used);
  };
  const take = (now: readonly Application[]) => {
    runtime.apps.take(now);
    house.takeApps(now);
    void schedules
      .takeApps(now)
      .catch((error: Error) =>
        context.report('error', 'schedules of packages could not be read', { error: error.message }),
      );
  };
  const chats = makeChats(context, { runtime, models, ids, places: config.apps.places });
  const webhooks = await makeWebhooks(settings, context, { runtime, chat: chats.desk, ids });
  const plans = planning && new PlanDesk({ runtime, reader: context.log.reader(), clock });
  const robotMcp = makeRobotMcp(settings, context, {
    runtime,
    ids,
    hooks,
    houseTools: () => house.tools,
    wholeAnswer: (answer, tool) => wholeAnswer(house.blobs, answer, tool),
    approvals: runtime.approvals,
  });
  const push = makePush(settings, context, runtime);
  const a2a = makeA2a(settings, {
    ...{
      clock,
      runtime,
      push,
      ask: chats.ask,
      apps: () => runtime.apps.serving(),
      newId: () => ids.next<string>(),
    },
    message: (run, text, who, id) =>
      runtime.control.message(run, { kind: 'follow_up', text }, who, { messageId: id }),
  });
  const telemetry = await makeTelemetry(settings, context);
  const schedules = await makeSchedules(settings, context, runtime, packages.today());
  const autoStart = makeAutoStart(settings, context, runtime, apps);
  const address = join(dataDir, 'run', 'api.json');
  const http = new HttpServer(
    {
      robot: config.daemon.name,
      version: VERSION,
      host: config.api.host,
      port: config.api.port || (await formerPort(address, config.api.host, context)),
      auth: await authOf(settings),
      hostNames: config.api.host_names,
      releaseRole: config.estop.release_role,
      ...(config.a2a.url === '' ? {} : { publicUrl: config.a2a.url }),
    },
    {
      judgeMotion: (kind, goal, who) =>
        judgeMotion(new PolicyGate(hooks, clock), context.emit, { kind, goal, context: who }),
      judgeAction: (one, who) => judgeAction(new PolicyGate(hooks, clock), context.emit, one, who),
      leaveStop: (words) => leaveStopFile(join(dataDir, 'estop'), words),
      clock,
      runtime,
      control: runtime.control,
      replay: makeReplay(settings, clock),
      approvals: runtime.approvals,
      governance,
      config: configDeskOf(settings, context, ids),
      questions: stoppingAnswers(house.questions, (...order) => runtime.control.stops.refuse(...order)),
      skills: house.skills,
      ...(extensions ? { extensions } : {}),
      apps: packages,
      ...(remote.runtimes ? { runtimes: remote.runtimes } : {}),
      schedules: () => schedules.views(),
      autoStart: () => autoStart?.view(),
      models,
      chat: chats.desk,
      ask: chats.ask,
      tokens,
      blob: (sha256) => house.blobs.get(sha256),
      ...makeRecordings(dataDir, context, ids),
      ...(webhooks ? { webhooks } : {}),
      ...(plans ? { plans } : {}),
      engine: () => live.engine.api,
      ...(telemetry ? { telemetry: telemetry.stats } : {}),
      ...(mcpServers ? { mcpServers } : {}),
      ...(robotMcp ? { mcp: robotMcp.handle } : {}),
      ...(a2a ? { a2a } : {}),
      bus,
      openReader: (cell) => openEventReader(dataDir, cell),
      report: context.report,
      requestId: () => randomBytes(8).toString('hex'),
    },
  );
  const stops = new StopWatch({ bus, clock, runtime, report: context.report });
  const { resume, resume_after } = config.lease;
  const takeovers = new TakeoverWatch({
    ...{ bus, clock, runs: runtime.control, report: context.report },
    resumeAfterMs: resume === 'after' ? resume_after : undefined,
  });
  const lastEvent = lastEventOf(context);
  return {
    name: 'runtime',
    work: () => runtime.work(),
    async start() {
      serveRuntimeRequests(bus, runtime);
      serveGovernanceRequests(bus, runtime.approvals, governance);
      if (plans) servePlans(bus, plans);
      await house.start();
      live.start();
      shedding.watch.start();
      await extensions?.start();
      await runtime.start();
      await push?.start();
      await packages.start({
        ready,
        take,
        inUse: () => runtime.apps.inUse(),
        refused: () => runtime.apps.refused,
      });
      // Now it is known what was spent.
      chats.start();
      stops.start();
      takeovers.start(lastEvent);
      mcpServers?.start();
      telemetry?.start();
      house.blobs.start();
      const { url } = await http.start();
      remote.start(url);
      announce(address, { url, pid: process.pid });
      context.report('info', 'API listens', { url });
      await schedules.start();
      autoStart?.start();
    },
    async stop() {
      rmSync(address, { force: true });
      stops.close();
      takeovers.close();
      // Ending the runs stops the robot: it does not wait until readers of streams have said farewell.
      chats.close();
      push?.stop();
      const ended = runtime.stop();
      void ended.finally(() => remote.runtimes?.stop()).catch(() => {});
      await Promise.all([
        ended.finally(() => remote.stop()),
        ended.finally(() => live.stop()).finally(() => shedding.watch.stop()),
        ended.finally(() => extensions?.stop()),
        ended.finally(() => packages.stop()),
        mcpServers?.stop(),
        robotMcp?.close(),
        schedules.stop(),
        autoStart?.stop(),
        house.blobs.stop(),
        telemetry?.stop(),
        http.stop(),
      ]);
    },
  };
}

async function authOf(settings: Settings): Promise<HttpAuth> {
  const { config, dataDir } = settings;
  if (config.api.auth === 'none') return { kind: 'none' };
  const configured = readSecret(config.api.token_file, 'api.token_file', process.env);
  const principals = principalsOf(config);
  if (configured !== undefined) return { kind: 'token', token: configured, principals };
  const secrets = new FileSecrets(dataDir, String(process.pid));
  return {
    kind: 'token',
    principals,
    token: await secrets.readOrCreate('token', () => randomBytes(32).toString('base64url')),
  };
}

/** Time of the newest event of an earlier life of this cell; 0: no such event. */
function lastEventOf({ log }: CellContext): bigint {
  const reader = log.reader();
  try {
    const newest = reader.read(Math.max(0, reader.lastSeq() - LAST_EVENTS), LAST_EVENTS);
    const last = newest.findLast(({ kind }) => !kind.startsWith('cell.'));
    return last ? fromWireTime(last.ts) : 0n;
  } finally {
    reader.close();
  }
}

/** A free port was picked: after a crash of this cell its clients find the API where it was. */
async function formerPort(path: string, host: string, { attempt }: CellContext): Promise<number> {
  if (attempt === 0) return 0;
  try {
    const { url } = JSON.parse(readFileSync(path, 'utf8')) as { url: string };
    const port = Number(new URL(url).port);
    return (await isPortFree(host, port)) ? port : 0;
  } catch {
    return 0;
  }
}

/** Where local clients find the API; whole or not there. */
function announce(path: string, address: { url: string; pid: number }): void {
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.tmp`, JSON.stringify(address));
  renameSync(`${path}.tmp`, path);
}
