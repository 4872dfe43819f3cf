import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { follow } from '../../cli/commands/events.ts';
import { type AgentEvent, EdgeError, type ErrorCode } from '../../contract/index.ts';
import { apiClient } from '../../daemon/client/api-client.ts';
import { loadSettings } from '../../daemon/settings.ts';
import { phase, type Rig, startRig, TOKEN } from '../support/http-rig.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

/** Follows until that ends by an error. */
async function followed(query: string, after?: string, api = client()) {
  const seen: string[] = [];
  const notes: string[] = [];
  const print = ({ payload }: AgentEvent) => void seen.push((payload as { phase: string }).phase);
  const error = await follow(api, `/v1/events?follow=true${query}`, after, print, (note) =>
    notes.push(note),
  ).catch((thrown: unknown) => thrown);
  return { seen, notes, error };
}

const client = () =>
  apiClient(loadSettings('/dev/null', {}), { AURAISON_URL: rig.url, AURAISON_TOKEN: TOKEN });

describe('auraison events --follow', () => {
  it('ends with what is wrong where no daemon will ever answer otherwise', async () => {
    expect(await followed('&kind=typo')).toMatchObject({ seen: [], error: { code: 'schema.invalid' } });
    expect(await followed('', 'not-a-cursor')).toMatchObject({ error: { code: 'schema.invalid' } });
    // Of a data directory that was wiped: there are not that many events.
    expect(await followed('', 'v1.9.9.9.9')).toMatchObject({ error: { code: 'schema.invalid' } });
  });

  it.each(['api.forbidden', 'policy.denied', 'api.unauthorised', 'internal.fault'] as const)(
    'ends where it is refused: %s',
    async (code) => {
      expect(await followed('', undefined, answering([fault(code)]))).toMatchObject({ error: { code } });
    },
  );

  it.each([
    [500, '<html>oops</html>'],
    [404, 'page not found'],
    [403, '{"code":"blocked"}'],
    [500, JSON.stringify(new EdgeError('internal.fault', { operation: 'GET', subject: 'r1' }).toBody())],
  ])('goes on after a %s that is no refusal of the daemon: %s', async (status, body) => {
    const refusal = new EdgeError('policy.denied', { operation: 'GET', subject: 'events' }).toBody();
    const answers = [new Response(body, { status }), Response.json(refusal, { status: 403 })];
    vi.stubGlobal('fetch', async () => answers.shift());
    const { notes, error } = await followed('').finally(() => vi.unstubAllGlobals());
    expect(notes).toHaveLength(1);
    expect(error).toMatchObject({ code: 'policy.denied' });
  });

  it('waits for a daemon that is away, late or full, and goes on where a stream broke off', async () => {
    const pieces = [`id: v1.1.0.0.0\ndata: ${event('p1')}\n\nid: v1.2.0.0.0\n`];
    const torn = new Response(
      new ReadableStream({
        pull: (controller) => {
          const piece = pieces.shift();
          if (piece === undefined) controller.error(new TypeError('terminated'));
          else controller.enqueue(new TextEncoder().encode(piece));
        },
      }),
    );
    const whole = new Response(`id: v1.2.0.0.0\ndata: ${event('p2')}\n\n`);
    const asked: (string | undefined)[] = [];
    const api = answering(
      [
        ...[fault('cell.unavailable'), fault('deadline.exceeded'), fault('cell.overloaded')],
        ...[torn, whole, fault('policy.denied')],
      ],
      asked,
    );
    const { seen, notes, error } = await followed('', undefined, api);
    expect(seen).toEqual(['p1', 'p2']);
    // An event that broke off in the middle was not seen, whatever its id is.
    expect(asked.slice(3)).toEqual([undefined, 'v1.1.0.0.0', 'v1.2.0.0.0']);
    expect(notes).toHaveLength(2);
    expect(error).toMatchObject({ code: 'policy.denied' });
  });
});

const event = (name: string) => JSON.stringify(phase(1)).replace('"p1"', JSON.stringify(name));
const fault = (code: ErrorCode) => new EdgeError(code, { operation: 'GET /v1/events', subject: 'test' });

/** A daemon that gives one answer after the other. */
function answering(answers: (EdgeError | Response)[], asked: (string | undefined)[] = []) {
  return {
    ...client(),
    stream: async (_: string, headers: Readonly<Record<string, string>> = {}) => {
      asked.push(headers['last-event-id']);
      const answer = answers.shift()!;
      if (answer instanceof EdgeError) throw answer;
      return answer;
    },
  };
}
