export { FolderShelf, type Judged, judgeFolder } from './folder-shelf.ts';
export { type Split, splitFrontMatter } from './front-matter.ts';
export { type ParsedSkill, parseSkill, type Verdict } from './parse-skill.ts';
export { type PlainYaml, parsePlainYaml } from './plain-yaml.ts';
