import { createHash } from 'node:crypto';
import { type IndividualType, nestedField, parseFields, splitParts } from './interface-text.ts';

/** A type with all it refers to, in the order and shape that is hashed. */
export type TypeDescription = {
  readonly type_description: IndividualType;
  readonly referenced_type_descriptions: readonly IndividualType[];
};

const UUID = 'unique_identifier_msgs/msg/UUID';
const TIME = 'builtin_interfaces/msg/Time';
const EVENT_INFO = 'service_msgs/msg/ServiceEventInfo';

/** The types of one definition file: a message itself, a service or action with the parts that follow from it. */
export function individualTypes(type: string, text: string): IndividualType[] {
  const [pkg = '', kind = ''] = type.split('/');
  if (kind === 'srv') {
    const [request = '', response = ''] = splitParts(text, 2, type);
    return service(type, parseFields(request, pkg, type), parseFields(response, pkg, type));
  }
  if (kind === 'action') return action(type, pkg, splitParts(text, 3, type));
  return [{ type_name: type, fields: parseFields(text, pkg, type) }];
}

function service(
  type: string,
  request: IndividualType['fields'],
  response: IndividualType['fields'],
): IndividualType[] {
  const [asked, answered, event] = [`${type}_Request`, `${type}_Response`, `${type}_Event`];
  return [
    {
      type_name: type,
      fields: [
        nestedField('request_message', asked),
        nestedField('response_message', answered),
        nestedField('event_message', event),
      ],
    },
    { type_name: asked, fields: request },
    { type_name: answered, fields: response },
    {
      type_name: event,
      fields: [
        nestedField('info', EVENT_INFO),
        nestedField('request', asked, 1),
        nestedField('response', answered, 1),
      ],
    },
  ];
}

function action(type: string, pkg: string, parts: readonly string[]): IndividualType[] {
  const [goal, result, feedback] = [`${type}_Goal`, `${type}_Result`, `${type}_Feedback`];
  const [sendGoal, getResult, message] = [`${type}_SendGoal`, `${type}_GetResult`, `${type}_FeedbackMessage`];
  const id = nestedField('goal_id', UUID);
  return [
    {
      type_name: type,
      fields: [
        nestedField('goal', goal),
        nestedField('result', result),
        nestedField('feedback', feedback),
        nestedField('send_goal_service', sendGoal),
        nestedField('get_result_service', getResult),
        nestedField('feedback_message', message),
      ],
    },
    ...[goal, result, feedback].map((name, i) => ({
      type_name: name,
      fields: parseFields(parts[i] ?? '', pkg, name),
    })),
    ...service(
      sendGoal,
      [id, nestedField('goal', goal)],
      [...parseFields('bool accepted', pkg, sendGoal), nestedField('stamp', TIME)],
    ),
    ...service(
      getResult,
      [id],
      [...parseFields('int8 status', pkg, getResult), nestedField('result', result)],
    ),
    { type_name: message, fields: [id, nestedField('feedback', feedback)] },
  ];
}

/** Names of the types that a type refers to, itself left out, each once. */
export function referencedNames(type: IndividualType): string[] {
  const names = type.fields.map((field) => field.type.nested_type_name).filter((name) => name !== '');
  return [...new Set(names)];
}

/**
 * The type hash of REP-2016, `RIHS01_` and 64 hexadecimal digits: the SHA-256 of the description as Python's
 * json.dumps writes it. Default values are not part of it.
 */
export function rihs01(description: TypeDescription): string {
  const text = `{"type_description": ${one(description.type_description)}, "referenced_type_descriptions": [${description.referenced_type_descriptions.map(one).join(', ')}]}`;
  return `RIHS01_${createHash('sha256').update(text).digest('hex')}`;
}

function one({ type_name, fields }: IndividualType): string {
  const written = fields.map(
    ({ name, type: t }) =>
      `{"name": "${name}", "type": {"type_id": ${t.type_id}, "capacity": ${t.capacity}, "string_capacity": ${t.string_capacity}, "nested_type_name": "${t.nested_type_name}"}}`,
  );
  return `{"type_name": "${type_name}", "fields": [${written.join(', ')}]}`;
}
