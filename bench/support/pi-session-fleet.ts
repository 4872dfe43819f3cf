import { appendFile } from 'node:fs/promises';
import { AgentHarness, BACKGROUND_CONTEXT, JsonlSessionRepo } from '@earendil-works/pi-agent-core';
import { NodeExecutionEnv } from '@earendil-works/pi-agent-core/harness/env/nodejs';
import {
  createModels,
  type FauxResponseFactory,
  fauxAssistantMessage,
  fauxProvider,
  fauxToolCall,
} from '@earendil-works/pi-ai';
import { bareTool, type Steps, StepWatch, think } from './agent-fleet.ts';

/** Pi does not ask the disk to keep what it wrote: a session outlives a kill and no power cut. Here it does. */
class FlushedFiles extends NodeExecutionEnv {
  override async appendFile(...[path, content, context]: Parameters<NodeExecutionEnv['appendFile']>) {
    const done = await this.absolutePath(path, context);
    if (!done.ok) return done;
    await appendFile(done.value, content, { flush: true });
    return { ok: true, value: undefined } as const;
  }
}

/** Agents on Pi's own durable harness, each with a session in a file (JSONL). `flush`: each write is on the disk. */
export async function piSessionFleet(options: {
  readonly agents: number;
  readonly thinkMs: number;
  readonly stepsPerRun: number;
  readonly warmMs: number;
  readonly ms: number;
  readonly folder: string;
  readonly flush: boolean;
}): Promise<Steps> {
  const { agents, thinkMs, stepsPerRun, warmMs, ms, folder, flush } = options;
  const watch = new StepWatch();
  const until = performance.now() + warmMs + ms;
  setTimeout(() => watch.forget(), warmMs);
  const fileSystem = flush ? new FlushedFiles({ cwd: folder }) : new NodeExecutionEnv({ cwd: folder });
  const repo = new JsonlSessionRepo({ fileSystem, sessionsRoot: folder });
  const one = async (name: string) => {
    const faux = fauxProvider({ provider: name, tokenSize: { min: 1_000, max: 1_000 } });
    const models = createModels();
    models.setProvider(faux.provider);
    const { execute, ...tool } = bareTool();
    let steps = 0;
    const answer: FauxResponseFactory = async () => {
      watch.asked(name);
      await think(thinkMs);
      faux.appendResponses([answer]);
      const ends = ++steps > stepsPerRun || performance.now() >= until;
      watch.answered(name);
      return ends
        ? fauxAssistantMessage('done')
        : fauxAssistantMessage(fauxToolCall('work_step', { n: steps }), { stopReason: 'toolUse' });
    };
    faux.setResponses([answer]);
    while (performance.now() < until) {
      steps = 0;
      const session = await repo.create({ cwd: folder }, BACKGROUND_CONTEXT);
      const { harness } = await AgentHarness.create(
        {
          ...{ session, models, model: faux.getModel(), systemPrompt: 'You are a test.' },
          tools: [{ ...tool, execute: (id: string, args: { n: number }) => execute(id, args) } as never],
          toolExecution: 'sequential',
        },
        BACKGROUND_CONTEXT,
      );
      const lane = await harness.lane('main', BACKGROUND_CONTEXT);
      const end = await lane.prompt('Go.', undefined, BACKGROUND_CONTEXT);
      if (!end.ok) throw new Error(`the run of Pi ended: ${JSON.stringify(end.error)}`);
      watch.over(name);
      await harness.close(BACKGROUND_CONTEXT);
    }
  };
  await Promise.all(Array.from({ length: agents }, (_, i) => one(`agent-${i}`)));
  return watch.steps;
}
