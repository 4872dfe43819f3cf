import {
  isSamePerson,
  type PolicyContext,
  type PolicyEntity,
  type PolicyRequest,
} from '../../contract/core.ts';
import { flatten } from './flatten.ts';
import type { Cedar } from './wasm.ts';

type Call = Parameters<Cedar['statefulIsAuthorized']>[0];
type Entity = Call['entities'][number];
type Value = Entity['attrs'][string];

export const NAMESPACE = 'Auraison';
const ACTION = {
  intent: 'intent',
  tool: 'tool',
  model: 'model',
  egress: 'egress',
  approval: 'answer',
} as const;

const uid = (type: string, id: string) => ({ type: `${NAMESPACE}::${type}`, id });
const ref = (type: string, id: string): Value => ({ __entity: uid(type, id) });

/** Id of a person in policies: names hold no colon, so two tenants never share one. */
export function userId(tenant: string, principal: string): string {
  return `${tenant}:${principal}`;
}

/** Everything of the question in Cedar's words. Throws `schema.invalid` for what cannot be judged. Pure. */
export function cedarCall(request: PolicyRequest): Omit<Call, 'preparsedPolicySetId'> {
  const { principal, resource, point, robot } = request;
  const flat = flatten(request.facts);
  const user = uid('User', userId(principal.tenant, principal.id));
  const decimals = [...flat.numbers].map(
    ([path, arg]) => [path, { __extn: { fn: 'decimal', arg } }] as const,
  );
  const entities: Entity[] = [
    {
      uid: user,
      attrs: {
        tenant: ref('Tenant', principal.tenant),
        name: principal.id,
        ...(principal.grant === undefined ? {} : { grant: principal.grant }),
      },
      parents: [...principal.roles.map((role) => uid('Role', role)), ...parentsOf(request, user)],
    },
    {
      uid: uid(resource.type, resource.id),
      attrs: resourceAttributes(request),
      parents: resource.parents.map(({ type, id }) => uid(type, id)),
    },
    { uid: uid('Numbers', 'asked'), attrs: {}, parents: [], tags: Object.fromEntries(decimals) },
    { uid: uid('Texts', 'asked'), attrs: {}, parents: [], tags: Object.fromEntries(flat.texts) },
    { uid: uid('Flags', 'asked'), attrs: {}, parents: [], tags: Object.fromEntries(flat.flags) },
    { uid: uid('Texts', 'about'), attrs: {}, parents: [], tags: { ...request.about } },
    ...(request.entities.filter((one) => typeOf(one) !== `${NAMESPACE}::User`) as unknown as Entity[]),
  ];
  return {
    principal: user,
    action: uid('Action', ACTION[point]),
    resource: uid(resource.type, resource.id),
    context: {
      origin: principal.origin satisfies PolicyContext['origin'],
      robot: ref('Robot', robot),
      now: { __extn: { fn: 'datetime', arg: new Date(request.ts_ms).toISOString() } },
      numbers: ref('Numbers', 'asked'),
      texts: ref('Texts', 'asked'),
      flags: ref('Flags', 'asked'),
      about: ref('Texts', 'about'),
    },
    entities,
  };
}

function resourceAttributes({ point, about, principal }: PolicyRequest): Record<string, Value> {
  if (point === 'tool') return { effect: about['effect'] ?? '' };
  if (point !== 'approval') return {};
  const tenant = about['tenant'] ?? '';
  const asked = about['requester'] ?? '';
  // Policies compare names, and a person may have come by two ways: towards no, it is the same one.
  const requester = isSamePerson(asked, principal.id) ? principal.id : asked;
  return {
    tenant: ref('Tenant', tenant),
    requester: ref('User', userId(tenant, requester)),
    point: about['point'] ?? '',
    subject: about['subject'] ?? '',
  };
}

/** Roles that the entities of the configuration give this very person. */
function parentsOf({ entities }: PolicyRequest, user: { type: string; id: string }): Entity['parents'] {
  return entities.flatMap((one) => {
    const { uid: known, parents } = one as unknown as Entity;
    const plain = '__entity' in known ? known.__entity : known;
    return plain.type === user.type && plain.id === user.id ? parents : [];
  });
}

function typeOf(entity: Readonly<Record<string, unknown>>): string {
  const { uid: known } = entity as { uid: { type?: string; __entity?: { type: string } } };
  return known.type ?? known.__entity?.type ?? '';
}

/** The resource of a question: its type, and the groups that the parts of its name make. */
export function resourceOf(point: PolicyRequest['point'], name: string): PolicyRequest['resource'] {
  const type = { intent: 'Intent', tool: 'Tool', model: 'Model', egress: 'Egress', approval: 'Approval' }[
    point
  ];
  const separator = point === 'tool' ? '.' : '/';
  const parts = name.split(separator).slice(0, 16);
  const parents: PolicyEntity[] = [];
  for (let length = parts.length - 1; length > 0; length--)
    parents.push({ type: 'Group', id: parts.slice(0, length).join(separator) });
  return { type, id: name, parents };
}
