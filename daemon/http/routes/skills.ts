import type { FastifyInstance } from 'fastify';
import { Type } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors } from '../schemas.ts';

const SkillView = Type.Object(
  {
    app: Type.String(),
    name: Type.String(),
    version: Type.String(),
    description: Type.String(),
    path: Type.String({ description: 'of its SKILL.md, relative to the folder of the application' }),
    sha256: Type.String(),
    files: Type.Array(Type.String(), { description: 'files beside it that an agent can load' }),
  },
  { title: 'Skill' },
);
const FaultView = Type.Object(
  { app: Type.String(), path: Type.String(), problems: Type.Array(Type.String()) },
  { title: 'SkillFault' },
);

/** Procedures that agents can load, by application. */
export function skillRoutes(app: FastifyInstance, { skills }: HttpPorts): void {
  app.get(
    '/v1/skills',
    {
      schema: {
        operationId: 'listSkills',
        summary: 'Skills of the applications, and invalid packages with what is wrong with them',
        tags: ['runs'],
        response: {
          200: Type.Object({ skills: Type.Array(SkillView), faults: Type.Array(FaultView) }),
          ...errors,
        },
      },
    },
    async () => {
      const shelves = [...(skills ?? [])];
      const found = shelves.flatMap(([name, shelf]) =>
        shelf.skills().map(async (one) => ({
          app: name,
          name: one.name,
          version: one.skill.version,
          description: one.skill.description,
          path: one.skill.instructions_ref,
          sha256: one.sha256,
          files: [...(await shelf.files(one.name))],
        })),
      );
      const faults = shelves.flatMap(([name, shelf]) =>
        shelf.faults().map(({ path, problems }) => ({ app: name, path, problems: [...problems] })),
      );
      return { skills: await Promise.all(found), faults };
    },
  );
}
