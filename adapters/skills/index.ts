export { FolderShelf, type Judged, judgeFolder } from './folder-shelf.ts';
export { type ParsedSkill, parseSkill, type Verdict } from './parse-skill.ts';
