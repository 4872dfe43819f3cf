import { RESOURCES, type ResourceView, readResource, TEMPLATES } from './robot-resources.ts';
import { type RobotTool, robotTools } from './robot-tools.ts';
import type { RobotMcpPorts } from './server-ports.ts';

type Template = {
  readonly uriTemplate: string;
  readonly name: string;
  readonly description: string;
  readonly mimeType: string;
};

/** What a server of ours offers; the robot's own, or what a test puts in its place. */
export type McpOffer = {
  readonly name: string;
  readonly version: string;
  readonly instructions: string;
  tools(): readonly RobotTool[];
  readonly resources: readonly ResourceView[];
  readonly templates: readonly Template[];
  read(
    uri: string,
  ): Promise<
    | { readonly uri: string; readonly mimeType: string; readonly text: string }
    | { readonly uri: string; readonly mimeType: string; readonly blob: string }
  >;
  /** Before a tool that says so; a person may have to agree first. Rejects where it may not be called. */
  readonly judge: RobotMcpPorts['judge'];
};

export function robotOffer(ports: RobotMcpPorts): McpOffer {
  return {
    name: `auraison-edge/${ports.robot}`,
    version: ports.version,
    instructions:
      `The robot ${ports.robot}. run_submit asks it for something and may move it; robot_stop stops it at once. ` +
      'Policies of the robot judge every call; some wait for a person (approvals_list).',
    tools: () => robotTools(ports),
    resources: RESOURCES,
    templates: TEMPLATES,
    read: (uri) => readResource(uri, ports),
    judge: (...call) => ports.judge(...call),
  };
}
