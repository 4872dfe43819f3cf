import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileExporter } from '../../adapters/telemetry/file-exporter.ts';
import { OtlpExporter } from '../../adapters/telemetry/otlp-exporter.ts';
import { EdgeError, type SpanExporter, type TraceSpan } from '../../contract/index.ts';
import { spansOf } from '../../daemon/runtime/trace/span-fold.ts';
import { type ShipperPlace, TraceShipper } from '../../daemon/runtime/trace/trace-shipper.ts';
import { drawTraceSvg } from '../../history/trace-svg.ts';
import { drawTraceText } from '../../history/waterfall.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { maze as application } from '../support/shipped-apps.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0)) await clean();
});

async function mission(traceparent?: string) {
  const rig = new RuntimeRig({ apps: [application], robot: new FakeRobot({ seed: 1, cells: 4 }) });
  await rig.cell.start();
  const given = traceparent === undefined ? {} : { traceparent };
  const { run } = await rig.cell.submit({ type: 'maze/find_exit', params: {}, ...given }, PERSON);
  await rig.finished();
  return { rig, runId: run.run_id };
}

class Sink implements SpanExporter {
  readonly name = 'sink';
  readonly spans: TraceSpan[] = [];
  fault: EdgeError | undefined;
  calls = 0;
  async export(spans: readonly TraceSpan[]) {
    this.calls++;
    if (this.fault) throw this.fault;
    this.spans.push(...spans);
  }
  async close() {}
}

function shipper(
  rig: RuntimeRig,
  sink: SpanExporter,
  more: { place?: ShipperPlace; ratio?: number; clock?: ManualClock } = {},
) {
  rig.disk.writer = undefined;
  const log = new MemoryEventLog({ cell: 'runtime', clock: rig.clock, disk: rig.disk });
  const saved: ShipperPlace[] = [];
  const clock = more.clock ?? new ManualClock(rig.clock.now());
  const made = new TraceShipper({
    openReader: () => log.reader(),
    kinds: [...new Set(rig.events.map(({ kind }) => kind))],
    exporter: sink,
    ratio: more.ratio ?? 1,
    clock,
    load: () => more.place ?? { from: 0, done: 0 },
    save: (place) => saved.push(place),
    report: () => {},
  });
  return { made, clock, saved };
}

describe('spans of a run', () => {
  it('hang together from the intent to each call, in the trace of who asked', async () => {
    const { rig, runId } = await mission(`00-${TRACE}-${CALLER}-01`);
    const spans = spansOf(rig.events);
    expect(new Set(spans.map((span) => span.trace_id))).toEqual(new Set([TRACE]));
    const [intent, run] = spans;
    expect(intent).toMatchObject({ kind: 'intent', parent_id: CALLER });
    expect(run).toMatchObject({ kind: 'run', parent_id: intent!.span_id, ok: true });
    const ids = new Set([CALLER, ...spans.map((span) => span.span_id)]);
    for (const span of spans) expect(ids.has(span.parent_id!)).toBe(true);
    const called = rig.of('tool.called');
    expect(called.length).toBeGreaterThan(0);
    for (const { payload } of called) {
      const span = spans.find((one) => one.attributes['auraison.call.id'] === payload.call_id);
      expect(payload.traceparent).toBe(`00-${TRACE}-${span!.span_id}-01`);
    }
    expect(run!.attributes['auraison.run.id']).toBe(runId);
  });

  it('have the id of the run as their trace where nobody began one', async () => {
    const { rig, runId } = await mission('no trace context at all');
    expect(spansOf(rig.events)[0]!.trace_id).toBe(runId.replaceAll('-', ''));
    expect(spansOf(rig.events)[0]!.parent_id).toBeUndefined();
  });

  it('go with motions to the robot', async () => {
    const rig = new RuntimeRig({ apps: [application], robot: new FakeRobot({ seed: 1, cells: 4 }) });
    const seen: unknown[] = [];
    const request = rig.bus.request.bind(rig.bus);
    rig.bus.request = ((to: never, method: string, body: { traceparent?: string }, timeoutMs: number) => {
      if (method === 'robot.navigate') seen.push(body.traceparent);
      return request(to, method, body, timeoutMs);
    }) as typeof rig.bus.request;
    await rig.cell.start();
    await rig.cell.submit({ type: 'maze/find_exit', params: {} }, PERSON);
    await rig.finished();
    const called = rig.of('tool.called').filter(({ payload }) => payload.tool === 'robot.navigate');
    expect(seen.length).toBeGreaterThan(0);
    expect(seen).toEqual(called.map(({ payload }) => payload.traceparent));
  });

  it('are drawn as text and as a picture in which no name is markup', async () => {
    const { rig } = await mission();
    const spans = spansOf(rig.events).map((span, i) =>
      i === 1 ? { ...span, name: '<script>"&\u001b[2J' } : span,
    );
    for (const line of drawTraceText(spans, 100).split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    const svg = drawTraceSvg(spans, 'run');
    expect(svg).not.toContain('<script>');
    expect(svg).not.toContain('\u001b');
    expect(svg).toContain('&lt;script&gt;&quot;&amp;');
  });
});

describe('the picture of a trace', () => {
  const span = (id: string, parent: string | undefined, start: number): TraceSpan => ({
    ...{ name: id, kind: 'tool', trace_id: TRACE, span_id: id, parent_id: parent, ok: true, error: '' },
    ...{ start_ns: String(1_000_000 + start), end_ns: String(9_000_000), attributes: {} },
  });
  const names = (spans: readonly TraceSpan[]) =>
    drawTraceText(spans, 100)
      .split('\n')
      .map((line) => line.trim().split(' ')[0]);

  it('has children under their parents, in the order of their starts, whatever order they come in', () => {
    const spans = [
      span('b', 'root', 5),
      span('a1', 'a', 3),
      span('root', 'elsewhere', 0),
      span('a', 'root', 2),
    ];
    expect(names(spans)).toEqual(['root', 'a', 'a1', 'b']);
  });

  it('is drawn also where spans name each other in a circle', () => {
    expect(names([span('x', 'y', 0), span('y', 'x', 1), span('z', 'z', 2)]).sort()).toEqual(['x', 'y', 'z']);
    expect(drawTraceSvg([], 'nothing')).toContain('0 spans');
  });
});

describe('shipping', () => {
  it('exports each span once, and goes on after a restart in the middle of a run', async () => {
    const { rig } = await mission();
    const all = spansOf(rig.events);
    const first = new Sink();
    const { made, saved } = shipper(rig, first);
    made.start();
    await expect.poll(() => first.spans.length).toBe(all.length);
    await made.stop();
    // Cut where the run is half done: everything later comes again, nothing twice, nothing without its start.
    const half = Math.floor(rig.events.length / 2);
    const before = spansOf(rig.events.slice(0, half)).filter((span) => span.end_ns !== undefined);
    const second = new Sink();
    const again = shipper(rig, second, { place: { from: 0, done: rig.events[half - 1]!.seq } });
    again.made.start();
    await expect.poll(() => second.spans.length).toBe(all.length - before.length);
    await again.made.stop();
    const ids = (spans: readonly TraceSpan[]) => spans.map((span) => span.span_id).sort();
    expect(ids([...before, ...second.spans])).toEqual(ids(all));
    expect(saved.at(-1)!.done).toBe(rig.events.at(-1)!.seq);
  });

  it('holds nothing in memory while nobody takes spans, and drops and counts what becomes too old', async () => {
    const { rig } = await mission();
    const sink = new Sink();
    sink.fault = new EdgeError('link.unreachable', { operation: 'export', subject: 'sink' });
    const { made, clock } = shipper(rig, sink);
    made.start();
    await expect.poll(() => sink.calls).toBeGreaterThan(0);
    expect(made.stats()).toMatchObject({ exported: 0, dropped: 0 });
    for (let i = 0; i < 90 && made.stats().dropped === 0; i++) {
      await clock.advance(60_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(made.stats().dropped).toBeGreaterThan(0);
    expect(sink.calls).toBeLessThan(200);
    await made.stop();
  });

  it('chooses whole traces by their id', async () => {
    const { rig } = await mission();
    const none = new Sink();
    const { made } = shipper(rig, none, { ratio: 0 });
    made.start();
    await made.stop();
    expect(none.calls).toBe(0);
  });

  it('leaves out what its beginner did not want kept', async () => {
    const { rig } = await mission(`00-${TRACE}-${CALLER}-00`);
    const sink = new Sink();
    const { made } = shipper(rig, sink);
    made.start();
    await made.stop();
    expect(sink.calls).toBe(0);
    expect(rig.of('tool.called')[0]!.payload.traceparent).toMatch(/-00$/);
  });
});

describe('OTLP over HTTP', () => {
  type Got = { readonly headers: Record<string, unknown>; readonly body: unknown };
  async function receiver(status: number): Promise<{ url: string; got: Got[]; server: Server }> {
    const got: Got[] = [];
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        got.push({ headers: request.headers, body: JSON.parse(Buffer.concat(parts).toString('utf8')) });
        response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`, got, server };
  }
  const otlp = (url: string) =>
    new OtlpExporter({
      url,
      headers: { 'x-scope-orgid': 'lab' },
      resource: { 'service.name': 'auraison-edge', 'service.instance.id': 'robot-7' },
      clock: new SystemClock(),
    });

  it('sends ids, times, parents, attributes and errors as the protocol writes them', async () => {
    const { rig } = await mission(`00-${TRACE}-${CALLER}-01`);
    const spans = spansOf(rig.events);
    const { url, got } = await receiver(200);
    const exporter = otlp(url);
    await exporter.export(spans);
    await exporter.close();
    expect(got[0]!.headers).toMatchObject({ 'x-scope-orgid': 'lab' });
    const body = got[0]!.body as {
      resourceSpans: {
        resource: { attributes: unknown[] };
        scopeSpans: { spans: Record<string, unknown>[] }[];
      }[];
    };
    expect(body.resourceSpans[0]!.resource.attributes).toContainEqual({
      key: 'service.instance.id',
      value: { stringValue: 'robot-7' },
    });
    const sent = body.resourceSpans[0]!.scopeSpans[0]!.spans;
    expect(sent.length).toBe(spans.length);
    expect(sent[0]).toMatchObject({ traceId: TRACE, spanId: spans[0]!.span_id, parentSpanId: CALLER });
    expect(sent[1]).toMatchObject({
      startTimeUnixNano: spans[1]!.start_ns,
      endTimeUnixNano: spans[1]!.end_ns,
    });
  });

  it('tells what may be tried again from what is refused', async () => {
    const { rig } = await mission();
    const spans = spansOf(rig.events);
    const refused = await receiver(400);
    await expect(otlp(refused.url).export(spans)).rejects.toMatchObject({ code: 'link.refused' });
    await expect(otlp('http://127.0.0.1:1/v1/traces').export(spans)).rejects.toMatchObject({
      code: expect.stringMatching(/link.unreachable|deadline.exceeded/),
    });
  }, 30_000);
});

describe('spans in files', () => {
  it('stay within their quota and are whole lines', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'auraison-spans-'));
    cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
    const { rig } = await mission();
    const spans = spansOf(rig.events);
    const quota = 20_000;
    const exporter = new FileExporter(directory, quota);
    for (let i = 0; i < 12; i++) await exporter.export(spans.slice(0, 8));
    const names = readdirSync(directory);
    expect(names.length).toBeGreaterThan(1);
    const total = names.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
    expect(total).toBeLessThanOrEqual(quota);
    for (const name of names)
      for (const line of readFileSync(join(directory, name), 'utf8').trimEnd().split('\n'))
        expect(JSON.parse(line)).toHaveProperty('span_id');
  });
});
