import {
  type AgentEvent,
  type BlobStore,
  canonicalJson,
  LIMITS,
  type NewEvent,
  parseJson,
  type Tool,
  type ToolSpec,
} from '../../../contract/index.ts';

/**
 * The record of the tools of an attempt, for the first event that it writes. Empty without tools, and where
 * there are more than an event can list. Without a blob store, or with one that takes nothing, the names alone are
 * recorded: a run does not fail because its tools cannot be described.
 */
export async function offeredTools(
  runId: string,
  tools: readonly Tool[],
  blobs: BlobStore | undefined,
): Promise<NewEvent[]> {
  if (tools.length === 0 || tools.length > LIMITS.RUN_TOOLS_MAX) return [];
  const definitions = canonicalJson(tools.map(({ spec: { output: _, ...spec } }) => spec));
  const sha256 = await blobs?.put(new TextEncoder().encode(definitions)).catch(() => undefined);
  const payload = {
    names: tools.map(({ spec }) => spec.name),
    ...(sha256 === undefined ? {} : { definitions_sha256: sha256 }),
  };
  return [{ kind: 'tools.offered', run_id: runId, payload }];
}

/** The definitions that belong to such a record; empty where they are gone. */
export async function offeredSpecs(
  { payload: { definitions_sha256: sha256 } }: AgentEvent<'tools.offered'>,
  blobs: BlobStore | undefined,
): Promise<readonly ToolSpec[]> {
  const bytes = sha256 === undefined ? undefined : await blobs?.get(sha256);
  return bytes ? (parseJson(new TextDecoder().decode(bytes)) as readonly ToolSpec[]) : [];
}
