/** The built-in tools that only stop the robot or a run. No policy, quota or person is asked about them. */
export const STOP_TOOLS = ['robot.stop', 'run.cancel'] as const;

const NAMES: ReadonlySet<string> = new Set(STOP_TOOLS);

/** Whether a tool of this name only stops. Tools of applications and servers have other names. */
export function isStopTool(name: string): boolean {
  return NAMES.has(name);
}
