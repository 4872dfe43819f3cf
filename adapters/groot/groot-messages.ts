import type { PolicyDescription } from '../../contract/core.ts';
import { NumpyArray } from '../../formats/msgpack/index.ts';
import { isMap, type WireKeys } from '../../formats/policy-wire/wire-keys.ts';

/**
 * The two generations of GR00T's messages. `flat` (N1.5): the observation is the data of the request, `state.arm` and
 * so on are its keys, and the answer is a map `action.<part>` of [horizon, size]. `tuple` (N1.6): the data is
 * `{observation, options}`, everything has a batch axis, and the answer is a pair of actions and remarks; the keys
 * are nested by modality, or flat as its simulation wrapper has them.
 */
export type GrootForm = 'flat' | 'tuple';

export type Observed = {
  readonly form: GrootForm;
  /** Tuple form only: `{"state": {"arm": …}}` rather than `{"state.arm": …}`. */
  readonly nested: boolean;
  /** The arrays had a batch axis, so the answer has one. */
  readonly batched: boolean;
  /** By the flat names. */
  readonly values: Readonly<Record<string, unknown>>;
};

const MODALITIES = ['video', 'state', 'language', 'annotation'];

/** What a `get_action` asks about, whichever generation sent it. */
export function readObserved(data: Readonly<Record<string, unknown>>): Observed {
  const inner = data['observation'];
  const form: GrootForm = isMap(inner) ? 'tuple' : 'flat';
  const given = isMap(inner) ? inner : data;
  const values: Record<string, unknown> = {};
  let nested = false;
  for (const [key, value] of Object.entries(given)) {
    if (!MODALITIES.includes(key) || !isMap(value)) {
      values[key] = value;
      continue;
    }
    nested = true;
    const prefix = key === 'language' ? '' : `${key}.`;
    for (const [name, part] of Object.entries(value)) values[`${prefix}${name}`] = part;
  }
  const batched = form === 'tuple' || isBatched(values);
  return { form, nested, batched, values };
}

/** The first key with more than one of a batch; undefined: none. One client is one robot. */
export function batchOf({ batched, values }: Observed): string | undefined {
  const found = Object.entries(values).find(
    ([key, value]) =>
      batched && /^(state|video)\./.test(key) && value instanceof NumpyArray && (value.shape[0] ?? 1) !== 1,
  );
  return found?.[0];
}

/** The task under whatever annotation the client's modality has, where it is not under the name that is expected. */
export function withTask(
  values: Readonly<Record<string, unknown>>,
  key: string,
): Readonly<Record<string, unknown>> {
  if (Object.hasOwn(values, key)) return values;
  const other = Object.keys(values).find((name) => name.startsWith('annotation.') || name === 'task');
  return other === undefined ? values : { ...values, [key]: values[other] };
}

/** N1.5 squeezes its answer exactly when no state had three axes. */
function isBatched(values: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(values).some(
    ([key, value]) => key.startsWith('state.') && value instanceof NumpyArray && value.shape.length >= 3,
  );
}

/** The answer in the generation of the question; `arrays` by `action.<part>`. */
export function actionReply(
  { form, nested }: Pick<Observed, 'form' | 'nested'>,
  arrays: Readonly<Record<string, NumpyArray>>,
  remarks: Readonly<Record<string, unknown>>,
): unknown {
  if (form === 'flat') return arrays;
  const named = nested
    ? Object.fromEntries(Object.entries(arrays).map(([key, array]) => [key.replace(/^action\./, ''), array]))
    : arrays;
  return [named, remarks];
}

/** The data of a `get_action` in either generation. */
export function actionRequest(
  form: GrootForm,
  arrays: Readonly<Record<string, NumpyArray>>,
  task: { readonly key: string; readonly text: string } | undefined,
): Record<string, unknown> {
  if (form === 'flat') return { ...arrays, ...(task ? { [task.key]: [task.text] } : {}) };
  const nested: Record<string, Record<string, unknown>> = { video: {}, state: {}, language: {} };
  for (const [key, array] of Object.entries(arrays)) {
    const [modality, name] = splitKey(key);
    nested[modality] = { ...nested[modality], [name]: array };
  }
  if (task) nested['language'] = { [task.key]: [[task.text]] };
  return { observation: nested, options: null };
}

/** The actions of an answer by `action.<part>`; undefined: it has the form of neither generation. */
export function readActions(reply: unknown): Record<string, unknown> | undefined {
  const map = Array.isArray(reply) ? reply[0] : reply;
  if (!isMap(map)) return undefined;
  return Object.fromEntries(
    Object.entries(map).map(([key, value]) => [key.startsWith('action.') ? key : `action.${key}`, value]),
  );
}

/** What a policy takes and gives, as GR00T describes it; N1.5 writes each part as text of JSON, N1.6 as a map. */
export function modalityConfig(
  policy: PolicyDescription,
  keys: WireKeys,
  form: GrootForm,
): Record<string, unknown> {
  const parts = (list: readonly { readonly key: string }[]) => list.map(({ key }) => splitKey(key)[1]);
  const config = (modality_keys: readonly string[], delta_indices: readonly number[]) => {
    const body = { delta_indices, modality_keys };
    return { __ModalityConfig_class__: true, as_json: form === 'flat' ? JSON.stringify(body) : body };
  };
  const [horizon] = policy.output;
  return {
    video: config(
      Object.values(keys.images).map((key) => splitKey(key)[1]),
      [0],
    ),
    state: config(parts(Object.values(keys.inputs).flat()), [0]),
    action: config(
      parts(keys.actions),
      Array.from({ length: horizon }, (_, i) => i),
    ),
    language: config([keys.task], [0]),
  };
}

/** Which generation gave this answer to `get_modality_config`; undefined: the answer does not show it. */
export function formOfConfig(reply: unknown): GrootForm | undefined {
  if (!isMap(reply)) return undefined;
  for (const part of Object.values(reply)) {
    if (!isMap(part) || part['__ModalityConfig_class__'] !== true) continue;
    return typeof part['as_json'] === 'string' ? 'flat' : 'tuple';
  }
  return undefined;
}

/** `state.left.arm` is the part `left.arm` of `state`. */
function splitKey(key: string): [string, string] {
  const dot = key.indexOf('.');
  return dot < 0 ? ['state', key] : [key.slice(0, dot), key.slice(dot + 1)];
}
