import type { Artifact, Part, StreamResponse, Task, TaskStatus } from '@a2a-js/sdk';
import { A2A_LIMITS, type HostedOutcome } from '../../../contract/core.ts';

/** As `TaskState` of the library, whose values are numbers. */
const STATE = {
  completed: 3,
  failed: 4,
  canceled: 5,
  inputRequired: 6,
  rejected: 7,
  authRequired: 8,
} as const;

/** Artifacts that are kept of a task. */
const ARTIFACTS_MAX = 32;

/** What is known of one task of a remote agent, from its events or from the task itself. */
export class AgentTask {
  id = '';
  context = '';
  #status: TaskStatus | undefined;
  #reply: readonly Part[] | undefined;
  #artifacts = new Map<string, Artifact>();
  /** Words that came with the last event, for people who look on. */
  said = '';

  take({ payload }: StreamResponse): void {
    this.said = '';
    switch (payload?.$case) {
      case 'message':
        this.#reply = payload.value.parts;
        return;
      case 'task':
        this.whole(payload.value);
        return;
      case 'statusUpdate':
        this.#about(payload.value.taskId, payload.value.contextId);
        this.#status = payload.value.status;
        this.said = textsOf(payload.value.status?.message?.parts ?? []);
        return;
      case 'artifactUpdate':
        this.#about(payload.value.taskId, payload.value.contextId);
        if (payload.value.artifact) this.#artifact(payload.value.artifact, payload.value.append);
        return;
      default:
    }
  }

  whole({ id, contextId, status, artifacts }: Task): void {
    this.#about(id, contextId);
    this.#status = status;
    for (const artifact of artifacts) this.#artifact(artifact, false);
  }

  /** A new message was sent: the state before it says nothing of what follows. */
  sent(): void {
    this.#status = undefined;
    this.#reply = undefined;
  }

  /** It waits for a message, or nothing more will come. */
  get rests(): boolean {
    const state = this.#status?.state;
    return this.#reply !== undefined || Object.values<number | undefined>(STATE).includes(state);
  }

  get waits(): boolean {
    return this.#reply === undefined && this.#status?.state === STATE.inputRequired;
  }

  get parts(): readonly Part[] {
    return this.#status?.message?.parts ?? [];
  }

  get words(): string {
    return textsOf(this.parts);
  }

  /** How it ended; undefined while it has not. */
  get outcome(): HostedOutcome | undefined {
    const summary = this.#summary();
    const more = Object.keys(summary).length === 0 ? {} : { summary };
    const ended = (status: HostedOutcome['status'], otherwise: string): HostedOutcome => {
      const reason = this.words || this.#artifactWords() || otherwise;
      return { status, reason: reason.slice(0, A2A_LIMITS.REASON_CHARS), ...more };
    };
    if (this.#reply) {
      const reason = textsOf(this.#reply) || 'the agent answered';
      return { status: 'succeeded', reason: reason.slice(0, A2A_LIMITS.REASON_CHARS), ...more };
    }
    switch (this.#status?.state) {
      case STATE.completed:
        return ended('succeeded', 'the agent is done');
      case STATE.failed:
        return ended('failed', 'the agent failed');
      case STATE.canceled:
        return ended('cancelled', 'the agent cancelled its task');
      case STATE.rejected:
        return ended('failed', 'the agent rejected the task');
      case STATE.authRequired:
        return ended('failed', 'the agent wants another authentication');
      default:
        return undefined;
    }
  }

  #about(id: string, context: string): void {
    if (id !== '') this.id = id;
    if (context !== '') this.context = context;
  }

  #artifact(artifact: Artifact, append: boolean): void {
    const known = this.#artifacts.get(artifact.artifactId);
    if (!known && this.#artifacts.size >= ARTIFACTS_MAX) return;
    // It is left out of the summary then, and its first words are the reason.
    if (append && known && bytesOf(known.parts) > A2A_LIMITS.SUMMARY_BYTES) return;
    const parts = append && known ? [...known.parts, ...artifact.parts] : artifact.parts;
    this.#artifacts.set(artifact.artifactId, { ...artifact, parts: parts.slice(-A2A_LIMITS.PARTS_MAX) });
  }

  #artifactWords(): string {
    return [...this.#artifacts.values()]
      .map(({ parts }) => textsOf(parts))
      .join('\n')
      .trim();
  }

  /** Texts and data of its artifacts, as far as they fit into the summary of a run. */
  #summary(): Record<string, unknown> {
    const artifacts: unknown[] = [];
    let bytes = 0;
    const answers = this.#reply ? [{ name: 'message', parts: this.#reply }] : [...this.#artifacts.values()];
    for (const { name, parts } of answers) {
      const shown = { name, parts: parts.flatMap(shownPart) };
      bytes += JSON.stringify(shown).length;
      if (bytes > A2A_LIMITS.SUMMARY_BYTES)
        return { artifacts, artifacts_left_out: answers.length - artifacts.length };
      if (shown.parts.length > 0) artifacts.push(shown);
    }
    return artifacts.length === 0 ? {} : { artifacts };
  }
}

/** About. */
function bytesOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { content }) => {
    if (content?.$case === 'data') return sum + JSON.stringify(content.value ?? null).length;
    return sum + (content?.value.length ?? 0);
  }, 0);
}

function shownPart({ content, filename, mediaType }: Part): object[] {
  switch (content?.$case) {
    case 'text':
      return [{ text: content.value }];
    case 'data':
      return [{ data: content.value as unknown }];
    case 'url':
      return [{ url: content.value, filename, media_type: mediaType }];
    case 'raw':
      return [{ bytes: content.value.length, filename, media_type: mediaType }];
    default:
      return [];
  }
}

function textsOf(parts: readonly Part[]): string {
  return parts
    .flatMap(({ content }) => (content?.$case === 'text' ? [content.value] : []))
    .join('\n')
    .trim();
}
