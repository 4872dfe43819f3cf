import { resolve } from 'node:path';
import type { Command } from 'commander';
import { action } from '../context.ts';
import { table } from '../output.ts';

type SkillView = {
  readonly app: string;
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly files: readonly string[];
};
type Answer = {
  readonly skills: readonly SkillView[];
  readonly faults: readonly {
    readonly app: string;
    readonly path: string;
    readonly problems: readonly string[];
  }[];
};

export function addSkillsCommands(program: Command): void {
  const skills = program
    .command('skills')
    .description('procedures that agents of this robot can load (Agent Skills format)')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison skills\n  auraison skills --json | jq ".faults"\n  auraison skills validate apps/my-app/skills/*',
    )
    .action(
      action(async ({ api, out }) => {
        const answer = await api.get<Answer>('/v1/skills');
        out.result(answer, () => listText(answer));
        return answer.faults.length > 0 ? 1 : 0;
      }),
    );
  skills
    .command('validate <folders...>')
    .description('judge packages as the reference validator of the format does; needs no daemon')
    .addHelpText('after', '\nExample:\n  auraison skills validate apps/turtlebot-maze')
    .action(
      action(async ({ out }, folders: string[]) => {
        const { judgeFolder } = await import('../../adapters/skills/index.ts');
        const verdicts = folders.map((folder) => {
          const judged = judgeFolder(resolve(folder));
          return judged.ok
            ? { folder, valid: true, name: judged.skill.name, problems: [] as readonly string[] }
            : { folder, valid: false, problems: judged.problems };
        });
        out.result(verdicts, () =>
          verdicts
            .map(({ folder, valid, problems }) =>
              valid
                ? `${folder}: valid`
                : [`${folder}: not valid`, ...problems.map((p) => `  ${p}`)].join('\n'),
            )
            .join('\n'),
        );
        return verdicts.every(({ valid }) => valid) ? 0 : 1;
      }),
    );
}

function listText({ skills, faults }: Answer): string {
  const list =
    skills.length === 0
      ? 'no skills: SKILL.md in the folder of an application, see docs/tools.md'
      : table(
          ['SKILL', 'APPLICATION', 'VERSION', 'FILES', 'DESCRIPTION'],
          skills.map(({ name, app, version, files, description }) => [
            name,
            app,
            version,
            String(files.length),
            description.length > 70 ? `${description.slice(0, 69)}…` : description,
          ]),
        );
  const broken = faults.flatMap(({ app, path, problems }) =>
    problems.map((problem) => `not usable: ${app}/${path}: ${problem}`),
  );
  return [list, ...broken].join('\n');
}
