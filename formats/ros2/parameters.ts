import type {
  CallOptions,
  MessageValue,
  ParameterValue,
  RosParameters,
  RosServices,
} from '../../contract/core.ts';

/** Kinds by their numbers in rcl_interfaces/msg/ParameterType, and the field each travels in. */
const KINDS = [
  ['unset', ''],
  ['bool', 'bool_value'],
  ['integer', 'integer_value'],
  ['double', 'double_value'],
  ['string', 'string_value'],
  ['bytes', 'byte_array_value'],
  ['bools', 'bool_array_value'],
  ['integers', 'integer_array_value'],
  ['doubles', 'double_array_value'],
  ['strings', 'string_array_value'],
] as const satisfies readonly (readonly [ParameterValue['kind'], string])[];

/** Parameters of other nodes through the services every node has, whatever carries them. */
export class ServiceParameters implements RosParameters {
  readonly #services: RosServices;

  constructor(services: RosServices) {
    this.#services = services;
  }

  async list(node: string, options: CallOptions): Promise<readonly string[]> {
    const { result } = (await this.#services.call(
      `${node}/list_parameters`,
      'rcl_interfaces/srv/ListParameters',
      { prefixes: [], depth: 0n },
      options,
    )) as { result: { names: string[] } };
    return [...result.names].sort();
  }

  async get(
    node: string,
    names: readonly string[],
    options: CallOptions,
  ): Promise<Readonly<Record<string, ParameterValue>>> {
    const request = { names: [...names] };
    const name = `${node}/get_parameters`;
    const type = 'rcl_interfaces/srv/GetParameters';
    const answer = await this.#services.call(name, type, request, options);
    const values = answer['values'] as readonly MessageValue[];
    // A node answers nothing at all when one of several is not declared: then each is asked for alone.
    if (values.length !== names.length && names.length > 1) {
      const parts: Record<string, ParameterValue> = {};
      for (const one of names) Object.assign(parts, await this.get(node, [one], options));
      return parts;
    }
    return Object.fromEntries(names.map((one, i) => [one, fromMessage(values[i])]));
  }

  async set(
    node: string,
    values: Readonly<Record<string, ParameterValue>>,
    options: CallOptions,
  ): Promise<Readonly<Record<string, string | undefined>>> {
    const names = Object.keys(values);
    const parameters = names.map((name) => ({ name, value: toMessage(values[name]!) }));
    const name = `${node}/set_parameters`;
    const answer = await this.#services.call(
      name,
      'rcl_interfaces/srv/SetParameters',
      { parameters },
      options,
    );
    const results = answer['results'] as readonly { successful: boolean; reason: string }[];
    return Object.fromEntries(
      names.map((one, i) => {
        const result = results[i];
        if (result?.successful === true) return [one, undefined];
        return [one, result?.reason || 'the node gave no reason'];
      }),
    );
  }
}

/** Unset for what is missing or of a kind that this version of ROS does not know. */
export function fromMessage(message: MessageValue | undefined): ParameterValue {
  const [kind, field] = KINDS[Number(message?.['type'] ?? 0)] ?? KINDS[0];
  if (kind === 'unset') return { kind };
  const value = message?.[field];
  const plain = kind === 'integers' || kind === 'doubles' ? Array.from(value as ArrayLike<unknown>) : value;
  return { kind, value: plain } as ParameterValue;
}

export function toMessage(parameter: ParameterValue): MessageValue {
  const type = KINDS.findIndex(([kind]) => kind === parameter.kind);
  if (parameter.kind === 'unset') return { type };
  return { type, [KINDS[type]![1]]: parameter.value };
}
