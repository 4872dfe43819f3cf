import type { ToolSpec } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { robotTools } from './robot-tools.ts';
import type { RobotMcpPorts } from './server-ports.ts';

/** As policies name the reading of a resource. */
export const RESOURCE_READ = 'resources.read';

/** What policies judge of those who come by MCP, outside of any run. Nothing stands behind it: it is read, and cannot be called. */
export function judgedSpecs(
  house: readonly ToolSpec[],
): readonly Pick<ToolSpec, 'name' | 'effect' | 'input'>[] {
  const nothing = { houseTools: () => house.map((spec) => ({ spec })) } as unknown as RobotMcpPorts;
  const uri = Type.Object({ uri: Type.String() }, { additionalProperties: false });
  return [
    ...robotTools(nothing)
      .filter(({ judged }) => judged)
      .map(({ subject, readOnly, input }) => ({ name: subject, effect: effectOf(readOnly), input })),
    { name: RESOURCE_READ, effect: 'read', input: uri },
  ];
}

/** Motions are asked for as intents: what is called here reads or writes. */
export function effectOf(readOnly: boolean): 'read' | 'write' {
  return readOnly ? 'read' : 'write';
}
