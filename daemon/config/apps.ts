import { placeRows } from './places.ts';
import { SANDBOX_KEY } from './sandboxes.ts';
import { choice, flag, text, texts } from './spec.ts';
import { webhookRows } from './webhooks.ts';

const ABSOLUTE = { match: /^\/.+$/, expected: 'absolute paths, for example ["/etc/auraison/apps"]' };

/** Who runs the applications of this house, and where those of others are. */
export const APPS_KEYS = {
  shipped: flag(true, 'the applications that come with the daemon are offered'),
  as_agent: texts(
    [],
    'applications with a flow and an agent that run as the agent, which needs [[models]]; the flow carries on when none answers',
    {
      match: /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/,
      expected: 'names of applications, for example ["turtlebot-maze"]',
    },
  ),
  turtlebot_maze: choice(['flow', 'pi'], 'flow', '"pi" is the same as as_agent = ["turtlebot-maze"]'),
  extensions: flag(true, 'extensions/*.ts in the folders of applications are loaded'),
  folder: text(
    '',
    'where yours are: <folder>/<application>/extensions/*.ts instead of those beside the application, for example "/etc/auraison/apps"',
    { match: /^(|\/.*)$/, expected: 'an absolute path, or ""' },
  ),
  dirs: texts(
    [],
    'folders with application packages: each is a package (it has an app.toml) or holds packages; see docs/write-an-app.md',
    ABSOLUTE,
  ),
  schedules: flag(true, 'packages may give the robot their own intents in time ([[schedule]] of app.toml)'),
  schedule_roles: texts(
    ['schedule'],
    'roles of the intents that schedules of packages give; "schedule" may open them and call their tools, and nothing else',
    { match: /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/, expected: 'names of roles, for example ["schedule"]' },
  ),
  webhooks: webhookRows(),
  places: placeRows(),
  watch: flag(true, 'packages that changed are read again without being asked'),
  trusted_keys: texts(
    [],
    'files with public Ed25519 keys (PEM) whose signatures of packages count; a key is named by its file name without the ending',
    ABSOLUTE,
  ),
  modules: choice(
    ['any', 'signed', 'none'],
    'any',
    'packages whose TypeScript (module and extensions) runs in the daemon, in no sandbox: any, those that a trusted key signed, or none but those that come with the daemon',
  ),
  sandbox: SANDBOX_KEY('where programs run that packages bring (their MCP servers)'),
  require_signed: flag(false, 'packages without such a signature are not taken'),
} as const;
