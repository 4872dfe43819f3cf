/** Values as TOML would have them, with what may be a secret hidden. Pure. */

const HIDDEN = '(hidden)';
/** Longer texts of one value are truncated, characters. */
const TEXT_MAX = 2_000;
const SECRET_KEY = /(?:^|_)(?:token|password|passwd|secret|api_?key|private_key|authorization)$/i;
const SECRET_NAME =
  /^(-{0,2}[\w.-]*(?:key|token|secret|passw|credential|authori[sz]ation)[\w.-]*)([=:]\s*)(?=.)/i;
const SECRET_FLAG = /^-{1,2}[\w-]*(?:key|token|secret|passw|credential)[\w-]*$/i;

/** `value` as text. `key`: its name where rows and free tables may hold anything. */
export function shownValue(value: unknown, key = ''): string {
  const text = JSON.stringify(hidden(value, key), (_, item: unknown) =>
    typeof item === 'bigint' ? item.toString() : item,
  );
  return text === undefined ? '' : text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX - 1)}…` : text;
}

function hidden(value: unknown, key: string): unknown {
  if (typeof value === 'string') return SECRET_KEY.test(key) && value !== '' ? HIDDEN : hiddenText(value);
  if (Array.isArray(value))
    // `--token`, `abc`: the second is the secret.
    return value.map((item, i) =>
      typeof value[i - 1] === 'string' && SECRET_FLAG.test(value[i - 1] as string) && typeof item === 'string'
        ? HIDDEN
        : hidden(item, key),
    );
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, hidden(item, name)]));
}

/** A text without what may be a secret in it. */
export function hiddenText(text: string): string {
  const name = SECRET_NAME.exec(text);
  // A reference names the place of a secret, not the secret.
  if (name && !/^(?:env|credential):/.test(text)) return `${name[1]}${name[2]}${HIDDEN}`;
  return text
    .replaceAll(/([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/@]{1,500}@/gi, `$1${HIDDEN}@`)
    .replaceAll(/([?&][\w-]{0,60}(?:key|token|secret|passw)[\w-]{0,60}=)[^&\s]+/gi, `$1${HIDDEN}`)
    .replaceAll(/\b(bearer|basic)\s+\S+/gi, `$1 ${HIDDEN}`);
}
