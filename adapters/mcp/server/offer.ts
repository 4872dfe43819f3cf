import { RESOURCES, type ResourceView, readResource, TEMPLATES } from './robot-resources.ts';
import { type RobotTool, robotTools } from './robot-tools.ts';
import type { RobotMcpPorts } from './server-ports.ts';

type Template = {
  readonly uriTemplate: string;
  readonly name: string;
  readonly description: string;
  readonly mimeType: string;
};

/** The tools and resources of a server; the robot's, or those of a test. */
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
  /** Called before a tool that requires it; a person may have to agree first. Rejects if the call is not allowed. */
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
