import {
  type AgentEvent,
  type Application,
  type BlobStore,
  EdgeError,
  type Tool,
  type ToolSpec,
} from '../../../contract/index.ts';
import { offeredSpecs } from '../attempt/offered-tools.ts';
import { branchTool } from '../control/branch-tool.ts';
import { loopToolsOf } from '../control/rounds.ts';
import { subRunTools } from '../control/sub-run-tools.ts';
import { toolsOf } from '../gate/tool-names.ts';
import { ofKind } from './recorded-run.ts';

/** Recorded answers come when they came: the deadline of a restored tool never ends one. Milliseconds. */
const DEADLINE_MS = 86_400_000;

export type RecordedTools = {
  /** The tools that the attempt was offered, in that order. */
  readonly tools: readonly Tool[];
  /** Names of tools that the application has now and did not have then. */
  readonly newSince: readonly string[];
};

/**
 * The tools of an attempt: the names and their order are those of the record, the definitions are those of today. A tool
 * that does not exist here, such as one of a server that a replay does not reach, is restored from the record. A tool
 * that is new is not offered: it is unknown what the model would have done with it.
 */
export async function recordedTools(
  { tools: house, blobs }: { readonly tools: readonly Tool[]; readonly blobs: BlobStore | undefined },
  app: Application,
  before: readonly AgentEvent[],
  events: readonly AgentEvent[],
): Promise<RecordedTools> {
  const today = toolsOf(app, [...OWN, ...house]);
  const offered = ofKind(events, 'tools.offered')[0] ?? ofKind(before, 'tools.offered').at(-1);
  const all = [...before, ...events];
  if (!offered) return { tools: withMissing(today, all), newSince: [] };
  const { names } = offered.payload;
  const known = new Map(today.map((tool) => [tool.spec.name, tool]));
  // Asked for only where it is needed: a blob that is gone is reported.
  const isWhole = names.every((name) => known.has(name));
  const specs = new Map((isWhole ? [] : await offeredSpecs(offered, blobs)).map((spec) => [spec.name, spec]));
  const descriptions = descriptionsIn(all);
  return {
    tools: names.map(
      (name) => known.get(name) ?? restored(specs.get(name) ?? specOf(name, all, descriptions)),
    ),
    newSince: [...known.keys()].filter((name) => !names.includes(name)),
  };
}

/** For records without the list of tools: the tools of today, then those that an agent of the record knew besides. */
function withMissing(today: readonly Tool[], events: readonly AgentEvent[]): readonly Tool[] {
  const names = new Set(today.flatMap(({ spec: { name } }) => [name, shown(name)]));
  const descriptions = descriptionsIn(events);
  const unknown = new Set(
    ofKind(events, 'tool.returned').flatMap(({ payload: { call_id, error } }) =>
      error?.code === 'tool.not_found' ? [call_id] : [],
    ),
  );
  const added: Tool[] = [];
  for (const { payload } of ofKind(events, 'tool.called')) {
    const { tool, call_id, origin_id } = payload;
    // A call without a name of the model's is one of a flow: it says nothing of what the agent was offered.
    const isAgents = origin_id !== undefined || descriptions.has(shown(tool));
    if (names.has(tool) || !isAgents || unknown.has(call_id)) continue;
    added.push(restored(specOf(tool, events, descriptions)));
    // A model sees it under this name, which is not another tool.
    for (const name of [tool, shown(tool)]) names.add(name);
  }
  for (const name of descriptions.keys())
    if (!names.has(name)) added.push(restored(specOf(name, events, descriptions)));
  return [...today, ...added];
}

/** What calls and the session say of a tool whose definition is gone. */
function specOf(
  name: string,
  events: readonly AgentEvent[],
  descriptions: ReadonlyMap<string, string>,
): ToolSpec {
  const called = ofKind(events, 'tool.called').find(({ payload }) => payload.tool === name)?.payload;
  return {
    name,
    description: descriptions.get(shown(name)) ?? '',
    input: { type: 'object' } as ToolSpec['input'],
    effect: called?.effect ?? 'read',
    replay: called?.replay ?? 'never',
    deadlineMs: DEADLINE_MS,
    origin: 'mcp',
  };
}

function restored(spec: ToolSpec): Tool {
  const fault = new EdgeError('cell.unavailable', {
    operation: 'replay',
    subject: spec.name,
    message: 'a replay reaches no tool',
  });
  return { spec: { ...spec, deadlineMs: DEADLINE_MS }, run: () => Promise.reject(fault) };
}

/** Descriptions in the sessions of agents, by the name that a model sees. */
function descriptionsIn(events: readonly AgentEvent[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { payload } of ofKind(events, 'session.entry')) {
    const message = payload.entry['message'] as { toolsAdded?: unknown } | undefined;
    if (!Array.isArray(message?.toolsAdded)) continue;
    for (const { name, description } of message.toolsAdded as { name: string; description: string }[])
      found.set(String(name), String(description));
  }
  return found;
}

function shown(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, '_');
}

/** Calls are answered from the record: only names and schemas of these tools are used. */
const OWN: readonly Tool[] = [
  ...subRunTools({} as Parameters<typeof subRunTools>[0]),
  ...loopToolsOf({} as Parameters<typeof loopToolsOf>[0]),
  branchTool({} as Parameters<typeof branchTool>[0]),
];
