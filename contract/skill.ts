import { type Static, Type } from 'typebox';
import { closed, Name, Text, Uuid } from './common.ts';

/** A packaged procedure an agent can load: SKILL.md instructions plus tools. */
export const Skill = Type.Object(
  {
    skill_id: Uuid('UUIDv7'),
    version: Type.String({ pattern: '^[0-9]+\\.[0-9]+\\.[0-9]+$', description: 'semantic version' }),
    description: Text(1024, 'when to load it, for the model'),
    instructions_ref: Text(512, 'path of the SKILL.md inside the application folder'),
    tools: Type.Array(Name('tool'), { maxItems: 128 }),
    requires: Type.Object(
      {
        topics: Type.Array(Text(256, 'ROS topic'), { maxItems: 128 }),
        actions: Type.Array(Text(256, 'ROS action'), { maxItems: 128 }),
        models: Type.Array(Text(256, 'model'), { maxItems: 32 }),
      },
      closed,
    ),
    app: Name('application that owns it'),
  },
  { ...closed, $id: 'auraison/v1/skill', title: 'Skill' },
);
export type Skill = Static<typeof Skill>;
