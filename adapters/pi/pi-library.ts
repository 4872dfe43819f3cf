import type * as Ai from '@earendil-works/pi-ai';
import type * as Coding from '@earendil-works/pi-coding-agent';
import { EdgeError } from '../../contract/core.ts';

export type PiLibrary = { readonly coding: typeof Coding; readonly ai: typeof Ai };

/**
 * The parts of Pi used here besides its published interface: the one method through which every entry of a session
 * goes, and the loop that continues a session. Pi is pinned to one exact version; `checkInternals`
 * fails at the start, not during a mission, if another version lacks them.
 */
export type SessionInternals = {
  _appendEntry(entry: Record<string, unknown> & { id: string; parentId: string | null }): void;
};
export type AgentInternals = {
  _runAgentPrompt(messages: readonly unknown[]): Promise<void>;
  _runAutoCompaction(reason: 'threshold', willRetry: boolean): Promise<boolean>;
};

let loading: Promise<PiLibrary> | undefined;

/**
 * Loads Pi once: about a second and 95 MB, several seconds on a slow host, in which this thread does little else. So
 * a daemon with agents loads it while its cell starts, not during a mission. Rejects with `host.missing`.
 */
export function loadPi(): Promise<PiLibrary> {
  loading ??= load().catch((thrown: unknown) => {
    loading = undefined;
    throw EdgeError.from(thrown, 'host.missing', 'load', 'pi');
  });
  return loading;
}

async function load(): Promise<PiLibrary> {
  // Loaded in parts, the smaller first, so that other work of this thread, such as a heartbeat, runs between them.
  const ai = await import('@earendil-works/pi-ai');
  await new Promise<void>((resolve) => setImmediate(resolve));
  const coding = await import('@earendil-works/pi-coding-agent');
  await new Promise<void>((resolve) => setImmediate(resolve));
  checkInternals(coding.SessionManager.prototype, ['_appendEntry']);
  checkInternals(coding.AgentSession.prototype, ['_runAgentPrompt', '_runAutoCompaction']);
  return { coding, ai };
}

function checkInternals(owner: object, names: readonly string[]): void {
  const missing = names.filter((name) => typeof (owner as Record<string, unknown>)[name] !== 'function');
  if (missing.length === 0) return;
  throw new EdgeError('host.missing', {
    operation: 'load',
    subject: 'pi',
    message: `this version of Pi has no ${missing.join(', ')}`,
    hint: 'install the version of package.json',
  });
}
