import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const SEPARATOR = '='.repeat(80);
const PRIMITIVE = /^(bool|byte|char|u?int(8|16|32|64)|float(32|64)|w?string)$/;

/**
 * The definition of a message type (`my_msgs/msg/Gripper`) as the installation has it, its dependencies after
 * it under `MSG: pkg/Type` headers, as rosbag2 writes it. Undefined when it or one of them is not installed.
 */
export function installedDefinition(type: string, prefixes: readonly string[]): string | undefined {
  const root = /^(\w+)\/msg\/(\w+)$/.exec(type);
  if (!root) return undefined;
  const texts = new Map<string, string>();
  const waiting = [`${root[1]}/${root[2]}`];
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    if (texts.has(name)) continue;
    const text = readMessage(name, prefixes);
    if (text === undefined) return undefined;
    texts.set(name, text.trimEnd());
    waiting.push(...dependenciesOf(text, name));
  }
  const [first, ...others] = [...texts];
  return `${[first![1], ...others.map(([name, text]) => `${SEPARATOR}\nMSG: ${name}\n${text}`)].join('\n')}\n`;
}

/** The earlier prefix wins, as an overlay does. */
function readMessage(name: string, prefixes: readonly string[]): string | undefined {
  const [pkg, message] = name.split('/');
  for (const prefix of prefixes) {
    try {
      return readFileSync(join(prefix, 'share', pkg!, 'msg', `${message}.msg`), 'utf8');
    } catch {
      // The next one.
    }
  }
  return undefined;
}

function dependenciesOf(text: string, owner: string): string[] {
  const found: string[] = [];
  for (const line of text.split('\n')) {
    const field = /^\s*([A-Za-z][\w/]*)\S*\s+\w/.exec(line)?.[1];
    if (field === undefined || PRIMITIVE.test(field)) continue;
    const parts = field.replace('/msg/', '/').split('/');
    if (parts.length === 2) found.push(parts.join('/'));
    else found.push(field === 'Header' ? 'std_msgs/Header' : `${owner.split('/')[0]}/${field}`);
  }
  return found;
}
