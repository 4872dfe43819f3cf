import { ACTIONS, MOTION } from './messages/actions.ts';
import { GEOMETRY } from './messages/geometry.ts';
import { NODES, SERVICES } from './messages/nodes.ts';
import { SENSING } from './messages/sensing.ts';
import { STD } from './messages/std.ts';

/** Definition texts of messages by short name (`pkg/Type`), each without its dependencies. */
const TEXTS: ReadonlyMap<string, string> = new Map(
  Object.entries({ ...STD, ...GEOMETRY, ...SENSING, ...NODES, ...MOTION }),
);
/** Those of services and actions, by full name (`pkg/srv/Type`). */
const INTERFACES: ReadonlyMap<string, string> = new Map(Object.entries({ ...SERVICES, ...ACTIONS }));
const SEPARATOR = '='.repeat(80);
const PRIMITIVES = new Set(
  'bool byte char int8 uint8 int16 uint16 int32 uint32 int64 uint64 float32 float64 string wstring'.split(
    ' ',
  ),
);

/** A schema as rosbag2 writes it into MCAP: `name` is the full type, `data` the text with its dependencies. */
export type MessageSchema = { readonly name: string; readonly encoding: 'ros2msg'; readonly data: string };

const schemas = new Map<string, MessageSchema>();

/** All types that `schemaFor` knows, by full name. */
export const KNOWN_TYPES: readonly string[] = [...TEXTS.keys()].map((name) => name.replace('/', '/msg/'));

/** The built-in text of one definition file by its full name (`std_srvs/srv/SetBool`), alone. */
export function builtInText(type: string): string | undefined {
  return (
    INTERFACES.get(type) ?? (type.split('/')[1] === 'msg' ? TEXTS.get(type.replace('/msg/', '/')) : undefined)
  );
}

/**
 * The definition of a ROS type (`sensor_msgs/msg/LaserScan`), with its dependencies after it under
 * `MSG: pkg/Type` headers. Undefined for a type that this host does not know; a robot's own types come with
 * its bags or from its ROS installation.
 */
export function schemaFor(type: string): MessageSchema | undefined {
  const known = schemas.get(type);
  if (known) return known;
  const root = shortName(type);
  const text = root === undefined ? undefined : TEXTS.get(root);
  if (root === undefined || text === undefined) return undefined;
  const parts = [text];
  for (const name of dependenciesOf(root)) parts.push(`${SEPARATOR}\nMSG: ${name}\n${TEXTS.get(name) ?? ''}`);
  const schema: MessageSchema = { name: type, encoding: 'ros2msg', data: `${parts.join('\n')}\n` };
  schemas.set(type, schema);
  return schema;
}

const headed = new Map<string, boolean>();

/** Whether messages of this type start with a std_msgs/Header; false for a type this host does not know. */
export function hasHeader(type: string): boolean {
  const known = headed.get(type);
  if (known !== undefined) return known;
  const schema = schemaFor(type);
  if (!schema) return false;
  const leads = definitionHasHeader(schema.data);
  headed.set(type, leads);
  return leads;
}

/** Whether messages of a definition text start with a std_msgs/Header. */
export function definitionHasHeader(definition: string): boolean {
  const first = fieldsOf(definition.split(/^=+$/m, 1)[0] ?? '')[0];
  return first === 'std_msgs/Header' || first === 'Header' || first === 'std_msgs/msg/Header';
}

function shortName(type: string): string | undefined {
  const [pkg, kind, name, ...rest] = type.split('/');
  return pkg && name && kind === 'msg' && rest.length === 0 ? `${pkg}/${name}` : undefined;
}

/** Breadth first, each once, as rosbag2 does. */
function dependenciesOf(root: string): string[] {
  const found = new Set<string>([root]);
  for (const name of found) {
    const pkg = name.split('/')[0] ?? '';
    for (const field of fieldsOf(TEXTS.get(name) ?? '')) {
      if (!PRIMITIVES.has(field)) found.add(field.includes('/') ? field : `${pkg}/${field}`);
    }
  }
  found.delete(root);
  return [...found];
}

/** The types of the fields of one definition, without array and bound marks; constants left out. */
function fieldsOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '' && !/^\S+\s+[A-Z][A-Z0-9_]*\s*=/.test(line))
    .map((line) => (line.split(/\s+/)[0] ?? '').replace(/\[.*|<=.*/, ''));
}
