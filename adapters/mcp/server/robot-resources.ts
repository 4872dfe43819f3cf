import { EdgeError, LIMITS } from '../../../contract/index.ts';
import { BAGS_SQL, lakeRows } from './lake-rows.ts';
import type { RobotMcpPorts } from './server-ports.ts';

export type ResourceView = {
  readonly uri: string;
  readonly name: string;
  readonly description: string;
  readonly mimeType: string;
};

const JSON_TYPE = 'application/json';
const EVENTS = 200;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Resources that MCP clients may read. */
export const RESOURCES: readonly ResourceView[] = [
  {
    uri: 'robot://description',
    name: 'robot',
    description: 'Who this robot is, its applications and what it is doing',
    mimeType: JSON_TYPE,
  },
  { uri: 'robot://runs', name: 'runs', description: 'The newest 100 runs', mimeType: JSON_TYPE },
  {
    uri: 'robot://events',
    name: 'events',
    description: `The newest ${EVENTS} events of the runtime`,
    mimeType: JSON_TYPE,
  },
  { uri: 'robot://bags', name: 'bags', description: 'Recordings of this robot', mimeType: JSON_TYPE },
];

export const TEMPLATES = [
  { uriTemplate: 'robot://runs/{run_id}', name: 'run', description: 'One run', mimeType: JSON_TYPE },
  {
    uriTemplate: 'robot://runs/{run_id}/events',
    name: 'run events',
    description: 'What happened in one run',
    mimeType: JSON_TYPE,
  },
  {
    uriTemplate: 'robot://runs/{run_id}/decisions',
    name: 'run decisions',
    description: 'What was decided, one JSON line each',
    mimeType: 'application/x-ndjson',
  },
] as const;

type Content = { readonly uri: string; readonly mimeType: string; readonly text: string };

/** Throws `api.not_found` for an unknown resource, and the errors of the ports. */
export async function readResource(uri: string, ports: RobotMcpPorts): Promise<Content> {
  const json = (value: unknown): Content => ({ uri, mimeType: JSON_TYPE, text: toText(value) });
  const run = /^robot:\/\/runs\/([^/]+)(?:\/(events|decisions))?$/.exec(uri);
  if (run && UUID.test(run[1]!)) {
    const id = run[1]!;
    if (run[2] === undefined) return json(ports.runtime.run(id));
    if (run[2] === 'decisions')
      return {
        ...{ uri, mimeType: 'application/x-ndjson' },
        text: (await Array.fromAsync(ports.runtime.decisions(id))).join(''),
      };
    ports.runtime.run(id);
    return json({ events: newest(ports, id) });
  }
  switch (uri) {
    case 'robot://description':
      return json({ robot: ports.robot, version: ports.version, ...ports.runtime.status() });
    case 'robot://runs':
      return json({ runs: ports.runtime.runs({ limit: 100 }) });
    case 'robot://events':
      return json({ events: newest(ports, undefined) });
    case 'robot://bags':
      return json({ bags: await lakeRows(ports, BAGS_SQL) });
    default:
      throw new EdgeError('api.not_found', {
        operation: 'read resource',
        subject: uri.slice(0, 256),
        message: 'there is no such resource',
      });
  }
}

function newest({ openReader }: RobotMcpPorts, runId: string | undefined): unknown[] {
  const reader = openReader();
  try {
    if (runId === undefined) return reader.read(Math.max(0, reader.lastSeq() - EVENTS), EVENTS);
    return reader.read(0, 1_000, { runId });
  } finally {
    reader.close();
  }
}

/** Integers beyond the range of JSON numbers are text; the depth is limited. */
function toText(value: unknown): string {
  const text =
    JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? one.toString() : one)) ?? 'null';
  if (text.length <= LIMITS.MCP_MESSAGE_BYTES_MAX / 4) return text;
  throw new EdgeError('api.too_large', {
    operation: 'read resource',
    subject: 'resource',
    message: 'too much at a time: ask for less by a tool',
  });
}
