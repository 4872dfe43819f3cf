type Fields = Readonly<Record<string, unknown>>;

/** A cancel in well-formed JSON-RPC, whatever stood around it. */
export type CancelOrder = { readonly legacy: boolean; readonly request: Fields };

/**
 * The cancel of a task in a body of any form: of its fields only the method and the id of the task count, as in every
 * other request that stops. Undefined where it asks for something else, or names no task. Pure.
 */
export function cancelIn(body: unknown): CancelOrder | undefined {
  if (typeof body === 'string') return cancelInText(body);
  if (!isObject(body)) return undefined;
  const { method, params } = body;
  if (method !== 'tasks/cancel' && method !== 'CancelTask') return undefined;
  const given = isObject(params) ? params : {};
  const named =
    given['id'] ?? given['taskId'] ?? given['name'] ?? (typeof params === 'string' ? params : undefined);
  if (typeof named !== 'string') return undefined;
  const id = body['id'];
  const reason = isObject(given['metadata']) ? given['metadata']['reason'] : given['reason'];
  const metadata = typeof reason === 'string' ? { metadata: { reason } } : {};
  return {
    legacy: method === 'tasks/cancel',
    request: {
      ...{ jsonrpc: '2.0', method, id: typeof id === 'string' || Number.isInteger(id) ? id : null },
      params: { id: named.replace(/^tasks\//, ''), ...metadata },
    },
  };
}

const TASK = /"(?:id|taskId|name)"\s*:\s*"(?:tasks\/)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"/;

/** Of a body that is not JSON, for example since it broke off. The id of the request may be a UUID too: params first. */
function cancelInText(text: string): CancelOrder | undefined {
  const method = /"method"\s*:\s*"(tasks\/cancel|CancelTask)"/.exec(text)?.[1];
  const params = text.indexOf('"params"');
  const id = (TASK.exec(params < 0 ? '' : text.slice(params)) ?? TASK.exec(text))?.[1];
  if (method === undefined || id === undefined) return undefined;
  return { legacy: method === 'tasks/cancel', request: { jsonrpc: '2.0', method, id: null, params: { id } } };
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
