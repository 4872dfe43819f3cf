import { AgentCard, type AgentSkill } from '@a2a-js/sdk';
import { A2A_LEGACY_PROTOCOL_VERSION } from '@a2a-js/sdk/compat/v0_3';
import type { Application } from '../../../contract/core.ts';

export type CardFacts = {
  readonly robot: string;
  readonly version: string;
  /** Scheme and host under which the client reaches this robot. */
  readonly base: string;
  readonly apps: readonly Pick<Application, 'name' | 'intents'>[];
  /** It posts states of tasks to receivers that clients name. */
  readonly push: boolean;
};

const VERSION = '1.0';

/** The card of this robot: every intent of an installed application is a skill. Pure. */
export function cardOf({ robot, version, base, apps, push }: CardFacts): AgentCard {
  const at = (protocolVersion: string) => ({
    ...{ url: `${base}/a2a`, protocolBinding: 'JSONRPC', tenant: '', protocolVersion },
  });
  return {
    name: robot,
    description:
      'A robot. Each skill is an intent of one of its applications: it opens a run, which is the task.',
    version,
    supportedInterfaces: [
      at(VERSION),
      at(A2A_LEGACY_PROTOCOL_VERSION),
      { url: `${base}/a2a/http`, protocolBinding: 'HTTP+JSON', tenant: '', protocolVersion: VERSION },
    ],
    provider: undefined,
    capabilities: { streaming: true, pushNotifications: push, extensions: [], extendedAgentCard: true },
    securitySchemes: {
      token: {
        scheme: {
          $case: 'httpAuthSecurityScheme',
          value: { scheme: 'bearer', description: 'a token of this robot', bearerFormat: '' },
        },
      },
    },
    securityRequirements: [{ schemes: { token: { list: [] } } }],
    defaultInputModes: ['application/json', 'text/plain'],
    defaultOutputModes: ['application/json', 'text/plain'],
    skills: apps.flatMap(({ name, intents }) => intents.map((intent) => skillOf(name, intent))),
    signatures: [],
  };
}

function skillOf(app: string, { type, description, params }: Application['intents'][number]): AgentSkill {
  return {
    id: type,
    name: type,
    description: `${description}\nParams as JSON Schema: ${JSON.stringify(params)}`,
    tags: [app],
    examples: [JSON.stringify({ skill: type, params: {} })],
    ...{ inputModes: [], outputModes: [], securityRequirements: [] },
  };
}

/** As clients of this version of the protocol read it. A card for version 0.3 also says where version 1.0 is. Pure. */
export function cardJson(card: AgentCard, version: string | undefined): object {
  const plain = AgentCard.toJSON(card) as Record<string, unknown>;
  if (version !== undefined && version !== A2A_LEGACY_PROTOCOL_VERSION) return plain;
  return {
    ...plain,
    url: card.supportedInterfaces[0]!.url,
    preferredTransport: 'JSONRPC',
    protocolVersion: '0.3.0',
    supportsAuthenticatedExtendedCard: true,
    securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'a token of this robot' } },
    security: [{ token: [] }],
  };
}
