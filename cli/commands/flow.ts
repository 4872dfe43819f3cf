import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import { action, type CommandContext } from '../context.ts';

const WHAT = 'the name of an application, its folder, a flow.yaml, or a behavior tree (.xml)';

type DrawOptions = { readonly mermaid?: boolean; readonly svg?: string };

/** Flows as people look at them. Needs no daemon. */
export function addFlowCommands(program: Command): void {
  const flow = program
    .command('flow')
    .description('flows: draw and check them; needs no daemon')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison flow draw turtlebot-maze\n  auraison flow check patrol/flow.yaml',
    );
  flow
    .command('draw <what>')
    .description(`draw a flow as text, Mermaid or SVG; ${WHAT}`)
    .option('--mermaid', 'as a Mermaid flowchart, for documents')
    .option('--svg <file>', 'as an image')
    .addHelpText(
      'after',
      `
Of a package with a module its code is loaded.

Examples:
  auraison flow draw patrol
  auraison flow draw patrol/flow.yaml --mermaid
  auraison flow draw turtlebot-maze --svg maze.svg`,
    )
    .action(action(draw));
  flow
    .command('check <what>')
    .description(`judge a flow: ${WHAT}; file, line and key of every fault`)
    .addHelpText('after', '\nExamples:\n  auraison flow check patrol\n  auraison flow check flow.yaml --json')
    .action(action(check));
}

async function draw(
  { out, settings }: CommandContext,
  what: string,
  { mermaid, svg }: DrawOptions,
): Promise<number> {
  const { flowOf } = await import('../../daemon/compose/flow-of.ts');
  const { faultText } = await import('../../adapters/packages/index.ts');
  const { graphMermaid, graphOf, graphText } = await import('../flow/flow-graph.ts');
  const { name, flow, faults } = flowOf(what, settings);
  if (!flow)
    throw new EdgeError('config.invalid', {
      operation: 'flow draw',
      subject: what,
      message: faults.map(faultText).join('\n'),
      hint: 'auraison flow check says the same',
    });
  const graph = graphOf(name, flow);
  if (svg !== undefined) {
    const { graphSvg } = await import('../flow/flow-svg.ts');
    writeFileSync(svg, graphSvg(graph));
    out.result(
      { name, file: svg, steps: graph.nodes.length },
      () => `drew ${name} (${graph.nodes.length} steps): ${svg}`,
    );
    return 0;
  }
  out.result(graph, () => (mermaid ? graphMermaid(graph) : graphText(graph)));
  return 0;
}

async function check({ out, settings }: CommandContext, what: string): Promise<number> {
  const { flowOf } = await import('../../daemon/compose/flow-of.ts');
  const { faultText } = await import('../../adapters/packages/index.ts');
  const { name, flow, faults, notes } = flowOf(what, settings);
  const steps = Object.keys(flow?.states ?? {}).length;
  out.result({ name, valid: faults.length === 0, steps, faults, notes }, () =>
    faults.length > 0
      ? faults.map(faultText).join('\n')
      : [`${name} is fine: ${steps} steps`, ...notes.map((note) => `  note  ${faultText(note)}`)].join('\n'),
  );
  return faults.length > 0 ? 1 : 0;
}
