import { COMPARISONS, LIMITS, type TriggerSpec } from '../../contract/core.ts';
import { parseQuantity } from './quantity.ts';

const ALLOWED = ['name', 'topic', 'field', 'is', 'threshold', 'pre', 'post', 'cooldown'];
const FIELD = /^[A-Za-z_]\w*(?:\[\d{1,6}\])?(?:\.[A-Za-z_]\w*(?:\[\d{1,6}\])?)*$/;

type Result = { ok: true; value: TriggerSpec } | { ok: false; expected: string };

/** One entry of `[[recorder.triggers]]`. */
export function readTrigger(row: Record<string, unknown>): Result {
  const stranger = Object.keys(row).find((key) => !ALLOWED.includes(key));
  if (stranger !== undefined) return expected(`only the keys ${ALLOWED.join(', ')}, not "${stranger}"`);
  const { name, topic, field, is, threshold } = row;
  if (typeof name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name))
    return expected('name = a name of letters, digits, dot, dash, underscore');
  if (typeof topic !== 'string' || !topic.startsWith('/')) return expected('topic = "/name"');
  if (typeof field !== 'string' || !FIELD.test(field))
    return expected('field = a path such as "pose.pose.position.x" or "ranges[3]"');
  const comparison = COMPARISONS.find((one) => one === is);
  if (comparison === undefined) return expected(`is = one of ${COMPARISONS.join(' ')}`);
  if (typeof threshold !== 'number' || !Number.isFinite(threshold)) return expected('threshold = a number');
  const pre = span(row['pre']);
  const post = span(row['post']);
  const cooldown = span(row['cooldown'] ?? '10 s');
  for (const [key, value] of Object.entries({ pre, post, cooldown })) {
    if (value === 'wrong') return expected(`${key} = a duration of at most 1 h, for example "5 s"`);
  }
  return {
    ok: true,
    value: {
      name,
      topic,
      field,
      is: comparison,
      threshold,
      cooldownMs: cooldown as number,
      ...(pre === undefined ? {} : { preMs: pre as number }),
      ...(post === undefined ? {} : { postMs: post as number }),
    },
  };
}

function span(value: unknown): number | undefined | 'wrong' {
  if (value === undefined) return undefined;
  const parsed = parseQuantity('duration', value);
  return parsed.ok && parsed.value >= 0 && parsed.value <= LIMITS.CLIP_SPAN_MS_MAX ? parsed.value : 'wrong';
}

function expected(text: string): Result {
  return { ok: false, expected: text };
}
