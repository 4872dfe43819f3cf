import type { SkillShelf } from '../../../contract/index.ts';

/** What the list of skills may cost each prompt, characters. Skills beyond it are loaded by name only. */
const CHARS_MAX = 16_000;

/**
 * The block of a prompt that lists the skills: name and description of each, as the Agent Skills format
 * shows them to models. Undefined without skills. What a package says of itself is escaped: it cannot close
 * the list or open another.
 */
export function advertiseSkills(shelf: SkillShelf): string | undefined {
  const skills = shelf.skills();
  if (skills.length === 0) return undefined;
  const lines: string[] = [];
  let chars = 0;
  let left = 0;
  for (const { name, skill } of skills) {
    const line = `<skill>\n<name>${escaped(name)}</name>\n<description>${escaped(skill.description)}</description>\n</skill>`;
    chars += line.length;
    if (chars > CHARS_MAX) left += 1;
    else lines.push(line);
  }
  const more = left === 0 ? '' : `\nThere are ${left} further skills that this list has no room for.`;
  return (
    'Skills are instructions for particular tasks. When one of these fits the task, load it with the tool ' +
    `skill_load before you act.\n\n<available_skills>\n${lines.join('\n')}\n</available_skills>${more}`
  );
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/\s+/g, ' ');
}
