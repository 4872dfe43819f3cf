/** Values as TOML would have them, with what may be a secret hidden. Pure. */

const HIDDEN = '(hidden)';
/** Longer texts of one value are truncated, characters. */
const TEXT_MAX = 2_000;
const SECRET_KEY =
  /(?:^|[_.-])(?<!first_)(?:token|password|passwd|secret|cookie|authorization|(?:api|private|access)[_-]?key)$/i;
// All parts are bounded: a text of one operator must not hold up the cell that looks through it.
const SECRET_NAME =
  /^("?-{0,2}[\w.-]{0,64}(?:key|token|secret|passw|credential|authori[sz]ation)[\w.-]{0,64})([=:]\s*)(?=.)/i;
const SECRET_FLAG = /^-{1,2}[\w-]{0,64}(?:key|token|secret|passw|credential)[\w-]{0,64}$/i;
/** Lists of variables: each as a name, or as NAME=value. */
const VARIABLES = /(?:^|_)env$/;
/** First characters of the keys of well-known services. */
const KNOWN = /\b(?:sk-|gh[opsu]_|github_pat_|glpat-|hf_|nvapi-|xox[abpr]-|eyJ)[\w.-]{8,}/g;

/** `value` as text. `key`: its name where rows and free tables may hold anything. */
export function shownValue(value: unknown, key = ''): string {
  const text = JSON.stringify(hidden(value, key), (_, item: unknown) =>
    typeof item === 'bigint' ? item.toString() : item,
  );
  return text === undefined ? '' : text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX - 1)}…` : text;
}

function hidden(value: unknown, key: string): unknown {
  if (typeof value === 'string') {
    if (SECRET_KEY.test(key) && value !== '') return HIDDEN;
    return VARIABLES.test(key) ? hiddenText(value.replace(/^(\w{1,128}=).+/s, keptName)) : hiddenText(value);
  }
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

/** A reference names the place of a secret, not the secret. */
function keptName(text: string, name: string): string {
  return /^(?:env:|credential:|\/)/.test(text.slice(name.length)) ? text : `${name}${HIDDEN}`;
}

/** The text of a value of `key` that a check refused: as in JSON, or truncated. */
export function hiddenFault(key: string, text: string): string {
  try {
    return shownValue(JSON.parse(text), key);
  } catch {
    return SECRET_KEY.test(key) && text !== '' ? HIDDEN : hiddenText(text);
  }
}

/** A text without what may be a secret in it. */
export function hiddenText(text: string): string {
  const name = SECRET_NAME.exec(text);
  // A reference names the place of a secret, not the secret.
  if (name && !/^(?:env|credential):/.test(text)) return `${name[1]}${name[2]}${HIDDEN}`;
  return text
    .replaceAll(/([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#]{1,2000}@/gi, `$1${HIDDEN}@`)
    .replaceAll(
      /([?&#][\w-]{0,60}(?:key|token|secret|passw|sig(?:nature)?)[\w-]{0,60}=)[^&\s]+/gi,
      `$1${HIDDEN}`,
    )
    .replaceAll(/(\bpassw(?:or)?d\s{0,8}=\s{0,8})[^\s&]+/gi, `$1${HIDDEN}`)
    .replaceAll(/\b(bearer|basic)\s+\S+/gi, `$1 ${HIDDEN}`)
    .replaceAll(KNOWN, HIDDEN);
}
