import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { EdgeError, LIMITS } from '../../contract/core.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import { chunkBody, decodeChunk, encodeVlaRequest, vlaRequest } from '../../formats/inference/index.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';

type Policy = {
  readonly name: string;
  readonly kind: string;
  readonly state: string;
  readonly reason: string;
  readonly policy_hash: string;
  readonly sessions: number;
  readonly waiting: number;
  readonly calls: number;
  readonly failures: number;
  readonly p50_ms?: number;
  readonly p99_ms?: number;
};
type Chunk = {
  readonly actions: { readonly shape: readonly [number, number]; readonly data: readonly number[] };
  readonly step_ms: number;
  readonly policy_hash: string;
};
type Completion = { readonly choices: readonly { readonly message: { readonly content: string | null } }[] };
type Planned = {
  readonly plan: {
    readonly steps: readonly {
      readonly step_id: string;
      readonly subgoal: string;
      readonly params: unknown;
    }[];
  };
  readonly model: string;
};

/** The client waits a little longer than the daemon, whose message says more. */
const SPARE_MS = 5_000;
const DIGITS = 4;

export function addInferCommands(program: Command): void {
  const infer = program.command('infer').description('ask policies, planners and models of this robot');

  infer
    .command('policies')
    .description(
      'policies of this robot, which callers wait for them, how long they take; exit code 1 when one is not available',
    )
    .addHelpText('after', '\nExample:\n  auraison infer policies')
    .action(
      action(async ({ api, out }) => {
        const answer = await api.get<{ policies: Policy[] }>('/v1/inference/policies');
        out.result(answer, () => policiesText(answer.policies));
        return answer.policies.some(({ state }) => state === 'failed') ? 1 : 0;
      }),
    );

  infer
    .command('reload <policy>')
    .description(
      'make a policy again from where it came from, for example after its file changed; no question fails',
    )
    .addHelpText('after', '\nExample:\n  auraison infer reload pick')
    .action(
      action(async ({ api, out }, name: string) => {
        const path = `/v1/inference/policies/${encodeURIComponent(name)}/reload`;
        // A policy that is compiled for its device takes minutes.
        const policy = await api.post<Policy>(path, {}, LIMITS.POLICY_COMPILE_MS + 5_000);
        out.result(policy, () => `${policy.name} is ${policy.policy_hash}`);
        return 0;
      }),
    );

  infer
    .command('vla <file>')
    .description('one observation, as JSON in a file, to a policy: its actions')
    .option('--policy <name>', 'absent: the first that is configured')
    .option('--timeout <ms>', 'milliseconds to wait', Number, 5_000)
    .addHelpText('after', '\nExample:\n  auraison infer vla observation.json --policy pick')
    .action(
      action(async ({ api, out }, file: string, options: { policy?: string; timeout: number }) => {
        const body = {
          ...observationIn(file),
          deadline_ms: options.timeout,
          ...(options.policy === undefined ? {} : { policy: options.policy }),
        };
        const chunk = await askVla(api, body, options.timeout + SPARE_MS);
        out.result(chunk, () => chunkText(chunk));
        return 0;
      }),
    );

  infer
    .command('chat <words>')
    .description('one question to a model of this robot, through its router')
    .option('--model <name>', 'one of [[models]]; absent: whichever fits')
    .option('--max-tokens <n>', 'length of the answer, at most', Number, 512)
    .option('--timeout <ms>', 'milliseconds to wait', Number, 60_000)
    .addHelpText('after', '\nExample:\n  auraison infer chat "What is a costmap?" --model local')
    .action(
      action(
        async (
          { api, out },
          words: string,
          options: { model?: string; maxTokens: number; timeout: number },
        ) => {
          const body = {
            model: options.model ?? 'auto',
            messages: [{ role: 'user', content: words }],
            max_tokens: options.maxTokens,
            deadline_ms: options.timeout,
          };
          const answer = await api.post<Completion>('/v1/chat/completions', body, options.timeout + SPARE_MS);
          out.result(answer, () => answer.choices[0]?.message.content ?? '');
          return 0;
        },
      ),
    );

  infer
    .command('plan <goal>')
    .description('a typed plan for a goal in words; it is made and checked, not carried out')
    .option('--steps <n>', 'steps, at most', Number)
    .option('--timeout <ms>', 'milliseconds to wait', Number, 60_000)
    .addHelpText('after', '\nExample:\n  auraison infer plan "bring the cube to the tray"')
    .action(
      action(async ({ api, out }, goal: string, options: { steps?: number; timeout: number }) => {
        const body = {
          goal,
          deadline_ms: options.timeout,
          ...(options.steps === undefined ? {} : { steps_max: options.steps }),
        };
        const planned = await api.post<Planned>('/v1/inference/plan', body, options.timeout + SPARE_MS);
        out.result(planned, () => planText(planned));
        return 0;
      }),
    );
}

/** As JSON if it is small enough; as MessagePack with images of any size. */
async function askVla(api: ApiClient, body: Record<string, unknown>, timeoutMs: number): Promise<Chunk> {
  const path = '/v1/inference/vla';
  if (Buffer.byteLength(JSON.stringify(body)) <= LIMITS.INFERENCE_JSON_BYTES_MAX)
    return api.post<Chunk>(path, body, timeoutMs);
  const request = vlaRequest(body, new SystemClock().now());
  const { payload, encoding } = await api.postBytes(path, encodeVlaRequest(request, false), timeoutMs);
  return chunkBody(decodeChunk(payload, encoding), true) as Chunk;
}

function observationIn(file: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  } catch (cause) {
    throw new EdgeError('schema.invalid', {
      operation: 'read observation',
      subject: file,
      message: `${file}: ${(cause as Error).message}`,
      hint: 'docs/inference.md describes the format',
      cause,
    });
  }
}

function policiesText(policies: readonly Policy[]): string {
  const ms = (value: number | undefined) => (value === undefined ? '' : `${value.toFixed(1)} ms`);
  return table(
    ['POLICY', 'KIND', 'STATE', 'HASH', 'CALLERS', 'WAITING', 'P50', 'P99', 'CALLS', 'REASON'],
    policies.map((policy) => [
      policy.name,
      policy.kind,
      policy.state,
      policy.policy_hash.slice(0, 12),
      String(policy.sessions),
      String(policy.waiting),
      ms(policy.p50_ms),
      ms(policy.p99_ms),
      `${policy.calls}${policy.failures > 0 ? ` (${policy.failures} failed)` : ''}`,
      policy.reason,
    ]),
  );
}

function chunkText({ actions, step_ms: stepMs, policy_hash: hash }: Chunk): string {
  const [horizon, dimension] = actions.shape;
  const rows = Array.from({ length: horizon }, (_, i) => {
    const row = actions.data.slice(i * dimension, (i + 1) * dimension);
    return `${String(i * stepMs).padStart(6)} ms  ${row.map((value) => value.toFixed(DIGITS)).join('  ')}`;
  });
  return [...rows, '', `policy ${hash}`].join('\n');
}

function planText({ plan, model }: Planned): string {
  const steps = plan.steps.map(
    ({ step_id: id, subgoal, params }) => `${id.padEnd(12)} ${subgoal} ${JSON.stringify(params)}`,
  );
  return [...steps, '', `by ${model}`].join('\n');
}
