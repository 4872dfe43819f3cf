import { AsyncLocalStorage } from 'node:async_hooks';

const current = new AsyncLocalStorage<string>();

/** Runs `work` so that whatever it asks of others can be told apart as its: see `currentTraceparent`. */
export function inTrace<T>(traceparent: string, work: () => T): T {
  return current.run(traceparent, work);
}

/** W3C trace context of the tool call or call of a model that is being worked for; undefined outside of one. */
export function currentTraceparent(): string | undefined {
  return current.getStore();
}
