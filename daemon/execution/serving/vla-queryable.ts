import {
  type Answer,
  type Clock,
  EdgeError,
  type KeySpace,
  type PolicyDesk,
  type Query,
} from '../../../contract/core.ts';
import {
  decodeVlaRequest,
  encodeChunk,
  encodeDescription,
  encodePayload,
  servedBody,
  VLA_SCHEMA,
} from '../../../formats/inference/index.ts';
import { callerName, parameterOf } from './caller-name.ts';
import type { PolicyDoor } from './policy-door.ts';

export type VlaQueryableOptions = {
  /** Of the robot, for example `robot/r1`; empty for none. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly door: PolicyDoor;
  readonly desk: Pick<PolicyDesk, 'policies'>;
};

/** Where inference is asked. */
export function inferenceKey(prefix: string, what: string): string {
  return prefix === '' ? `ai/inference/${what}` : `${prefix}/ai/inference/${what}`;
}

/**
 * Policies in the key space. `<prefix>/ai/inference/vla`: an observation in, an action chunk out; a query without payload
 * gets the description of the policy. Beside it `vla/schema`, `vla/cancel` and `vla/policies`. Every question is
 * answered: by a chunk, or by a typed error at the latest when its deadline is over.
 */
export class VlaQueryable {
  readonly name = 'policies';
  readonly #options: VlaQueryableOptions;

  constructor(options: VlaQueryableOptions) {
    this.#options = options;
  }

  async attach(keySpace: KeySpace): Promise<void> {
    const { prefix, door, desk } = this.#options;
    const key = inferenceKey(prefix, 'vla');
    const serve = (of: string, answer: (query: Query) => Promise<Answer>) =>
      keySpace.queryable(of, answer, { complete: true });
    await serve(`${key}/schema`, async () => encodePayload(VLA_SCHEMA, true));
    await serve(`${key}/policies`, async () =>
      encodePayload({ policies: desk.policies().map(servedBody) }, true),
    );
    await serve(`${key}/cancel`, async ({ parameters, payload }) => {
      const call = parameterOf(parameters, 'call') ?? new TextDecoder().decode(payload?.subarray(0, 128));
      return encodePayload({ cancelled: door.cancel(call) }, true);
    });
    // The last to come: who sees it finds everything else.
    await serve(key, (query) => this.#answer(query));
  }

  async #answer({ payload, encoding, parameters, attachment }: Query): Promise<Answer> {
    const { door, clock } = this.#options;
    const policy = parameters === '' ? undefined : parameterOf(parameters, 'policy');
    if (payload === undefined || payload.byteLength === 0)
      return encodeDescription(door.describe(policy), encoding);
    const request = decodeVlaRequest(payload, encoding, clock.now());
    const id =
      parameters === '' && attachment === undefined ? 'anonymous' : callerName(parameters, attachment);
    const asked = policy === undefined ? request : { ...request, policy: samePolicy(policy, request.policy) };
    const chunk = await door.infer({ id: `zenoh/${id}`, wire: 'zenoh', principal: 'anonymous' }, asked);
    return encodeChunk(chunk, encoding);
  }
}

function samePolicy(selector: string, body: string | undefined): string {
  if (body === undefined || body === selector) return selector;
  throw new EdgeError('model.bad_observation', {
    operation: 'infer',
    subject: '/policy',
    message: `/policy: the payload names ${body}, but the selector names ${selector.slice(0, 64)}`,
  });
}
