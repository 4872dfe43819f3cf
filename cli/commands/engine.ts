import type { Command } from 'commander';
import { action } from '../context.ts';
import { bytes } from '../output.ts';

type Engine = {
  readonly engine: string;
  readonly state: string;
  readonly reason: string;
  readonly pid?: number;
  readonly restarts: number;
  readonly revision: string;
  readonly running: number;
  readonly waiting: number;
  readonly memory: { readonly kind: string; readonly free_bytes?: number; readonly floor_bytes: number };
  readonly log: readonly string[];
};

/** Loading weights takes its time, milliseconds. */
const ORDER_MS = 240_000;

export function addEngineCommands(program: Command): void {
  const engine = program
    .command('engine')
    .description('the model server that this daemon runs: state, pin, memory')
    .option('--log', 'its last lines too')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison engine --log\n  auraison engine sleep\n  auraison engine digest ~/models/qwen3-4b',
    )
    .action(
      action(async ({ api, out }, options: { log?: boolean }) => {
        const view = await api.get<Engine>('/v1/engine');
        out.result(view, () => engineText(view, options.log === true));
        return view.state === 'failed' ? 1 : 0;
      }),
    );
  for (const [order, about] of [
    ['sleep', 'end its calls, then give its memory back until somebody asks'],
    ['wake', 'bring its weights back'],
    ['restart', 'stop it and start it again, also after it failed'],
  ] as const) {
    engine
      .command(order)
      .description(about)
      .addHelpText('after', `\nExample:\n  auraison engine ${order}`)
      .action(
        action(async ({ api, out }) => {
          const view = await api.post<Engine>(`/v1/engine/${order}`, {}, ORDER_MS);
          out.result(view, () => engineText(view, false));
          return 0;
        }),
      );
  }
  engine
    .command('digest <folder>')
    .description('what a folder with a model is, for engine.revision')
    .addHelpText('after', '\nExample:\n  auraison engine digest ~/models/qwen3-4b')
    .action(
      action(async ({ out }, folder: string) => {
        const { folderDigest } = await import('../../adapters/vllm/engine/engine-revision.ts');
        const digest = await folderDigest(folder);
        out.result({ folder, digest }, () => `revision = "${digest}"`);
        return 0;
      }),
    );
}

function engineText(view: Engine, log: boolean): string {
  const { memory } = view;
  const free = memory.free_bytes === undefined ? 'unknown' : bytes(memory.free_bytes);
  const floor = memory.floor_bytes === 0 ? '' : `, ${bytes(memory.floor_bytes)} are needed`;
  const lines = [
    `${view.engine} ${view.state}${view.reason === '' ? '' : `: ${view.reason}`}`,
    `model      ${view.revision === '' ? 'not pinned' : view.revision}`,
    `memory     ${free} free (${memory.kind})${floor}`,
    `calls      ${view.running} running, ${view.waiting} waiting`,
    `process    ${view.pid ?? 'none'}, ${view.restarts} restarts`,
  ];
  return [...lines, ...(log ? ['', ...view.log] : [])].join('\n');
}
