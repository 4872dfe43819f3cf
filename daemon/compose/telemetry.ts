import { join } from 'node:path';
import { openEventReader } from '../../adapters/event-log/index.ts';
import { loadPlace, savePlace } from '../../adapters/telemetry/export-place.ts';
import { headersOf } from '../../adapters/telemetry/header-lines.ts';
import type { CellContext, CellName, EventKind, SpanExporter, TelemetryStats } from '../../contract/core.ts';
import { TraceShipper } from '../runtime/trace/trace-shipper.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';
import { VERSION } from '../version.ts';

export type Telemetry = {
  start(): void;
  stop(): Promise<void>;
  stats(): Readonly<Record<string, TelemetryStats>>;
};

/** What spans are folded from, by the log that holds it. */
const KINDS: Readonly<Partial<Record<CellName, readonly EventKind[]>>> = {
  runtime: [
    ...(['intent.accepted', 'run.queued', 'run.started', 'run.phase', 'run.finished'] as const),
    ...(['tool.called', 'tool.returned', 'model.called', 'model.returned'] as const),
    ...(['approval.requested', 'approval.answered'] as const),
  ],
  execution: ['motion.ended'],
};

/** Undefined where `[telemetry]` asks for nothing. Throws `config.invalid` for invalid headers. */
export async function makeTelemetry(
  settings: Settings,
  context: CellContext,
): Promise<Telemetry | undefined> {
  const { config, dataDir } = settings;
  const { endpoint, file, sample_percent } = config.telemetry;
  const makers: (() => Promise<SpanExporter>)[] = [];
  if (endpoint !== '') makers.push(() => otlp(settings, context));
  if (file) makers.push(() => files(settings));
  if (makers.length === 0 || sample_percent === 0) return undefined;
  const shippers = new Map<string, TraceShipper>();
  for (const make of makers) {
    for (const [cell, kinds] of Object.entries(KINDS) as [CellName, readonly EventKind[]][]) {
      const exporter = await make();
      const place = join(dataDir, 'telemetry', `${exporter.name}-${cell}.json`);
      const shipper = new TraceShipper({
        openReader: () => openEventReader(dataDir, cell),
        kinds,
        exporter,
        ratio: sample_percent / 100,
        clock: context.clock,
        load: () => loadPlace(place),
        save: (at) => savePlace(place, at),
        report: (level, message, facts) => context.report(level, message, { cell, ...facts }),
      });
      shippers.set(`${exporter.name} ${cell}`, shipper);
    }
  }
  return {
    start: () => {
      for (const shipper of shippers.values()) shipper.start();
    },
    stop: async () => {
      await Promise.allSettled([...shippers.values()].map((shipper) => shipper.stop()));
    },
    stats: () => Object.fromEntries([...shippers].map(([name, shipper]) => [name, shipper.stats()])),
  };
}

async function otlp({ config }: Settings, { clock }: CellContext): Promise<SpanExporter> {
  const { OtlpExporter } = await import('../../adapters/telemetry/otlp-exporter.ts');
  const text = readSecret(config.telemetry.headers_file, 'telemetry.headers_file', process.env) ?? '';
  return new OtlpExporter({
    url: config.telemetry.endpoint,
    headers: headersOf(text),
    resource: {
      'service.name': 'auraison-edge',
      'service.instance.id': config.daemon.name,
      'service.version': VERSION,
    },
    clock,
  });
}

async function files({ config, dataDir }: Settings): Promise<SpanExporter> {
  const { FileExporter } = await import('../../adapters/telemetry/file-exporter.ts');
  return new FileExporter(join(dataDir, 'telemetry'), config.telemetry.file_quota);
}
