import type { MessageValue } from '../../contract/core.ts';
import { TypeBook, type TypeField, typeFields } from '../../formats/ros2/index.ts';
import { typeOf } from './client-message.ts';

const book = new TypeBook();

/** Parts of services and actions that rosapi describes, by its service. */
const PARTS = {
  service_request_details: ['srv', '_Request'],
  service_response_details: ['srv', '_Response'],
  action_goal_details: ['action', '_Goal'],
  action_result_details: ['action', '_Result'],
  action_feedback_details: ['action', '_Feedback'],
} as const;
export type PartDetails = keyof typeof PARTS;
export const PART_DETAILS = Object.keys(PARTS) as readonly PartDetails[];

/** A message type as rosapi describes it: itself, then the types within it. Throws `sample.unknown_type`. */
export function messageDetails(type: unknown, definition?: string): MessageValue {
  const name = typeOf(type, 'msg') ?? String(type).slice(0, 250);
  return { typedefs: typedefs(name, definition) };
}

/** A part of a service or an action, of a type that this host knows. Throws `sample.unknown_type`. */
export function partDetails(service: PartDetails, type: unknown): MessageValue {
  const [kind, suffix] = PARTS[service];
  const name = `${typeOf(type, kind) ?? String(type).slice(0, 250)}${suffix}`;
  return { typedefs: typedefs(name, book.definition(name)) };
}

/** rosapi_msgs/TypeDef. */
function typedefs(type: string, definition: string | undefined): MessageValue[] {
  return typeFields(type, definition).map(({ type: name, fields }) => ({
    type: name,
    fieldnames: fields.map((field) => field.name),
    fieldtypes: fields.map((field) => field.type),
    fieldarraylen: fields.map(({ length }) => length ?? -1),
    examples: fields.map(exampleOf),
    constnames: [],
    constvalues: [],
  }));
}

function exampleOf({ type, length, isPlain }: TypeField): string {
  if (length !== undefined) return '[]';
  if (!isPlain) return '{}';
  if (type === 'string' || type === 'wstring') return '';
  return type === 'bool' ? 'false' : type.startsWith('float') ? '0.0' : '0';
}
