import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { OtlpExporter } from '../../adapters/telemetry/otlp-exporter.ts';
import type { TraceSpan } from '../../contract/index.ts';

const peers = join(import.meta.dirname, '..', 'peers');
const SPANS: TraceSpan[] = [
  {
    name: 'intent maze/find_exit',
    kind: 'intent',
    trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
    span_id: '8212fffffffffff1',
    parent_id: undefined,
    // Beyond what a double holds exactly.
    start_ns: '1795277643000000001',
    end_ns: '1795277644000000007',
    ok: true,
    error: '',
    attributes: { 'auraison.intent.type': 'maze/find_exit', 'auraison.tenant': 'lab' },
  },
  {
    name: 'chat qwen "é\u0000\u{1f916}',
    kind: 'model',
    trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
    span_id: '0000000000000001',
    parent_id: '8212fffffffffff1',
    start_ns: '1795277643000000002',
    end_ns: undefined,
    ok: false,
    error: 'model.failed',
    attributes: { 'gen_ai.usage.input_tokens': 11, 'auraison.model.cached': false, cost: 0.25 },
  },
];

it('what we export is read by the definitions of OpenTelemetry, field by field', async () => {
  const python = execFileSync(join(peers, 'otlp.sh'), { encoding: 'utf8' }).trim();
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      bodies.push(Buffer.concat(parts).toString('utf8'));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const exporter = new OtlpExporter({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
      headers: {},
      resource: { 'service.name': 'auraison-edge', 'service.instance.id': 'robot-7' },
      clock: new SystemClock(),
    });
    await exporter.export(SPANS);
    await exporter.close();
  } finally {
    server.closeAllConnections();
    server.close();
  }
  const read = execFileSync(python, [join(peers, 'otlp_decode.py')], { input: bodies[0]!, encoding: 'utf8' });
  const [intent, chat] = JSON.parse(read) as Record<string, unknown>[];
  const whole = { scope: 'auraison-edge', trace_id: SPANS[0]!.trace_id };
  expect(intent).toMatchObject({
    ...whole,
    span_id: SPANS[0]!.span_id,
    parent_id: '',
    name: SPANS[0]!.name,
    start_ns: SPANS[0]!.start_ns,
    end_ns: SPANS[0]!.end_ns,
    // SPAN_KIND_SERVER, STATUS_CODE_UNSET
    kind: 2,
    status: 0,
    attributes: SPANS[0]!.attributes,
    resource: { 'service.name': 'auraison-edge', 'service.instance.id': 'robot-7' },
  });
  expect(chat).toMatchObject({
    ...whole,
    span_id: SPANS[1]!.span_id,
    parent_id: SPANS[0]!.span_id,
    name: SPANS[1]!.name,
    end_ns: SPANS[1]!.start_ns,
    // SPAN_KIND_CLIENT, STATUS_CODE_ERROR
    kind: 3,
    status: 2,
    error: 'model.failed',
    attributes: SPANS[1]!.attributes,
  });
}, 180_000);
