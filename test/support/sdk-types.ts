import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AgentEvent, ErrorBody } from '../../contract/index.ts';

type Json = Record<string, unknown>;
const run = promisify(execFile);

/** The declarations of the API and of the events, as openapi-typescript of `modules` writes them. */
export async function sdkTypes(document: Json, modules: string, folder: string): Promise<string> {
  const [from, to] = [join(folder, 'openapi.json'), join(folder, 'api.d.ts')];
  writeFileSync(from, JSON.stringify(named(document)));
  await run(process.execPath, [join(modules, 'openapi-typescript/bin/cli.js'), from, '-o', to], {
    cwd: folder,
  });
  return readFileSync(to, 'utf8');
}

/** Schemas that have a title stand once, under their names; else the types would repeat them at each place. */
function named(document: Json): Json {
  const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;
  const error = plain(ErrorBody);
  const { $id: _error, ...errorBody } = error;
  const { $id: _event, ...event } = plain(AgentEvent);
  const schemas = new Map<string, Json>([
    ['ErrorBody', errorBody],
    ['AgentEvent', event],
  ]);
  const names = new Map([...schemas].map(([name, schema]) => [key(schema), name]));
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    const schema = value as Json;
    const { title, type } = schema;
    const name = names.get(key(schema));
    if (name !== undefined) return { $ref: `#/components/schemas/${name}` };
    const isNamed = typeof title === 'string' && /^[A-Z]\w+$/.test(title) && type === 'object';
    // Two types with one title stay where they are.
    if (isNamed && !schemas.has(title)) {
      names.set(key(schema), title);
      schemas.set(title, inner(schema));
      return { $ref: `#/components/schemas/${title}` };
    }
    return inner(schema);
  };
  const inner = (schema: Json): Json =>
    Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, walk(value)]));
  const paths = walk(document['paths']);
  schemas.set('AgentEvent', inner(event));
  const components = { ...(document['components'] as Json), schemas: Object.fromEntries(schemas) };
  return { ...document, info: { title: 'Auraison Edge', version: 'v1' }, paths, components };
}

/** Equal schemas have equal keys; descriptions of the place, the title and the order of keys do not count. */
function key(schema: Json): string {
  const { title: _title, ...rest } = schema;
  return JSON.stringify(rest, (_name, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
