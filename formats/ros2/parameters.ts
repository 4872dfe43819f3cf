import {
  type CallOptions,
  EdgeError,
  type MessageValue,
  type ParameterValue,
  type RosParameters,
  type RosServices,
} from '../../contract/core.ts';

/** By the numbers of rcl_interfaces/msg/ParameterType: the kind, and the field that holds it. */
const KINDS = [
  ['unset', undefined],
  ['bool', 'bool_value'],
  ['integer', 'integer_value'],
  ['double', 'double_value'],
  ['string', 'string_value'],
  ['bytes', 'byte_array_value'],
  ['bools', 'bool_array_value'],
  ['integers', 'integer_array_value'],
  ['doubles', 'double_array_value'],
  ['strings', 'string_array_value'],
] as const;

/** A decoded rcl_interfaces/msg/ParameterValue; a type of another release is `unset`. */
export function readParameter(message: MessageValue): ParameterValue {
  const [kind, field] = KINDS[Number(message['type'])] ?? KINDS[0];
  if (field === undefined) return { kind: 'unset' };
  const value = message[field];
  if (kind === 'bytes') return { kind, value: Uint8Array.from(value as Iterable<number>) };
  const list = ArrayBuffer.isView(value) ? Array.from(value as unknown as Iterable<unknown>) : value;
  return { kind, value: list } as ParameterValue;
}

/** The reverse. */
export function writeParameter(value: ParameterValue): MessageValue {
  const type = KINDS.findIndex(([kind]) => kind === value.kind);
  const field = KINDS[type]?.[1];
  return field === undefined || value.kind === 'unset' ? { type: 0 } : { type, [field]: value.value };
}

/** Parameters of other nodes through the services that every node has. */
export class ServiceParameters implements RosParameters {
  readonly #services: RosServices;

  constructor(services: RosServices) {
    this.#services = services;
  }

  async list(node: string, options: CallOptions): Promise<readonly string[]> {
    const answer = await this.#call(node, 'list_parameters', 'ListParameters', {}, options);
    return (answer['result'] as { names: string[] }).names;
  }

  async get(
    node: string,
    names: readonly string[],
    options: CallOptions,
  ): Promise<Readonly<Record<string, ParameterValue>>> {
    const answer = await this.#call(node, 'get_parameters', 'GetParameters', { names }, options);
    const values = answer['values'] as MessageValue[];
    // rclcpp answers with nothing at all when one of several is not declared: then each is asked for separately.
    if (values.length !== names.length && names.length > 1) {
      const each = names.map(async (name) => [name, (await this.get(node, [name], options))[name]!] as const);
      return Object.fromEntries(await Promise.all(each));
    }
    return Object.fromEntries(names.map((name, i) => [name, readParameter(values[i] ?? { type: 0 })]));
  }

  async set(
    node: string,
    values: Readonly<Record<string, ParameterValue>>,
    options: CallOptions,
  ): Promise<Readonly<Record<string, string | undefined>>> {
    const names = Object.keys(values);
    const parameters = names.map((name) => ({ name, value: writeParameter(values[name]!) }));
    const answer = await this.#call(node, 'set_parameters', 'SetParameters', { parameters }, options);
    const results = answer['results'] as { successful: boolean; reason: string }[];
    if (results.length !== names.length) {
      throw new EdgeError('ros.failed', {
        operation: 'set parameters',
        subject: node,
        message: `the node answered for ${results.length} of ${names.length} parameters`,
      });
    }
    const told = ({ successful, reason }: { successful: boolean; reason: string }) =>
      successful ? undefined : reason || 'refused without a reason';
    return Object.fromEntries(names.map((name, i) => [name, told(results[i]!)]));
  }

  #call(node: string, service: string, type: string, request: MessageValue, options: CallOptions) {
    return this.#services.call(`${node}/${service}`, `rcl_interfaces/srv/${type}`, request, options);
  }
}
