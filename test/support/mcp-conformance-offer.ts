import type { McpOffer } from '../../adapters/mcp/server/index.ts';
import type { ToolAnswer } from '../../contract/index.ts';
import { EdgeError } from '../../contract/index.ts';
import { Type } from '../../contract/schema-kit.ts';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

type Run = McpOffer extends { tools(): readonly (infer T)[] }
  ? T extends { run: infer R }
    ? R
    : never
  : never;

function tool(name: string, input: object, run: Run): ReturnType<McpOffer['tools']>[number] {
  return {
    name,
    subject: name,
    title: name,
    description: 'What the conformance suite of MCP asks for',
    input: input as never,
    readOnly: true,
    destructive: false,
    judged: true,
    deadlineMs: 10_000,
    run,
  };
}

const none = Type.Object({}, { additionalProperties: false });
const answer = (result: Record<string, unknown>): ToolAnswer => ({ result });

/** What the conformance suite wants to find, behind the same endpoint, sessions and checks as the robot's own offer. */
export const conformanceOffer: McpOffer = {
  name: 'conformance',
  version: '1',
  instructions: '',
  tools: () => [
    tool('test_simple_text', none, async () =>
      answer({ text: 'This is a simple text response for testing.' }),
    ),
    tool('test_image_content', none, async () => ({
      result: {},
      images: [{ mime: 'image/png', data: new Uint8Array(PNG) }],
    })),
    tool('test_error_handling', none, async () => {
      throw new EdgeError('tool.failed', {
        operation: 'call',
        subject: 'test',
        message: 'This tool intentionally returns an error for testing',
      });
    }),
    tool('test_tool_with_progress', none, async (_args, call) => {
      for (const step of ['a third', 'two thirds', 'done']) {
        call.progress(step);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return answer({ text: 'done' });
    }),
    tool(
      'json_schema_2020_12_tool',
      {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        $defs: {
          address: { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } },
        },
        properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' } },
        additionalProperties: false,
      },
      async () => answer({}),
    ),
  ],
  resources: [
    { uri: 'test://static-text', name: 'text', description: 'text', mimeType: 'text/plain' },
    { uri: 'test://static-binary', name: 'binary', description: 'picture', mimeType: 'image/png' },
  ],
  templates: [
    {
      uriTemplate: 'test://template/{id}/data',
      name: 'data',
      description: 'data',
      mimeType: 'application/json',
    },
  ],
  async read(uri) {
    if (uri === 'test://static-binary') return { uri, mimeType: 'image/png', blob: PNG.toString('base64') };
    if (uri === 'test://static-text')
      return { uri, mimeType: 'text/plain', text: 'This is the content of the static text resource.' };
    const id = /^test:\/\/template\/(\w+)\/data$/.exec(uri)?.[1];
    if (id === undefined) throw new EdgeError('api.not_found', { operation: 'read', subject: uri });
    return {
      uri,
      mimeType: 'application/json',
      text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
    };
  },
  judge: async () => {},
};
