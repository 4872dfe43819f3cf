import { describe, expect, it } from 'vitest';
import { policySite, SITE } from '../support/policy-site.ts';

/** A case is the question that the daemon asks, with all that the daemon says about it, or it is an error. */
const site = policySite();
const { one, write, configure } = site;

/** In the place of the policies of the site: everything is allowed but what this forbids. */
const forbid = (head: string, when: string) =>
  write(
    'policies/site.cedar',
    `@id("all") permit (principal, action, resource);\n@id("no") forbid (principal, ${head}) when { ${when} };`,
  );
const INTENT = 'action == Auraison::Action::"intent", resource';
const TOOL = 'action == Auraison::Action::"tool", resource';
const number = (name: string, more: string) =>
  `context.numbers.hasTag("${name}") && context.numbers.getTag("${name}")${more}`;
const text = (where: string, name: string, value: string) =>
  `context.${where}.hasTag("${name}") && context.${where}.getTag("${name}") == "${value}"`;
const refused = (keys: string) =>
  site.judged(`[[case]]\n${keys}\nexpect = "allow"\n`).then(
    () => 'it was judged',
    (thrown: Error) => thrown.message,
  );

describe('an intent', () => {
  it('has no targets where it names none, as the daemon asks it', async () => {
    forbid(INTENT, number('targets.length', ' == decimal("0.0")'));
    const keys = 'point = "intent"\nsubject = "crane/go"\nexpect = "deny"';
    expect(await one(keys)).toEqual(['deny', 'no', true]);
    expect(await one(`${keys}\nfacts = { targets = ["tb1"] }`)).toEqual(['allow', 'all', false]);
  });

  it.each([
    ['that no application serves', 'subject = "crane/goo"', /no application serves the intent crane\/goo/],
    [
      'with a parameter beside params',
      'subject = "crane/go"\nfacts = { kg = 7 }',
      /not "kg": .*facts\.params/,
    ],
    [
      'with a wrong parameter',
      'subject = "crane/go"\nfacts = { params = { kg = "7" } }',
      /refused before.*kg/,
    ],
    ['of another type', 'subject = "crane/go"\nfacts = { type = "crane/far" }', /type is "crane\/go" here/],
    [
      'for another robot',
      'subject = "crane/go"\nfacts = { targets = ["tb2"] }',
      /this robot is tb1, not tb2/,
    ],
    ['of no priority', 'subject = "crane/go"\nfacts = { priority = 12 }', /refused before.*priority/],
    ['by a way that has no person', 'subject = "crane/go"\norigin = "schedule"', /add principal or roles/],
    ['about another application', 'subject = "crane/go"\nabout = { app = "robot" }', /crane, not by robot/],
    ['with a word that no question has', 'subject = "crane/go"\nabout = { itent = "a" }', /not "itent"/],
  ])('%s is refused', async (_what, keys, words) => {
    expect(await refused(`point = "intent"\n${keys}`)).toMatch(words);
  });

  it('for a plan is served by the planner', async () => {
    forbid(INTENT, text('about', 'app', 'planner'));
    expect(
      await one('point = "intent"\nsubject = "plan"\nfacts = { params = { goal = "go" } }\nexpect = "deny"'),
    ).toEqual(['deny', 'no', true]);
  });
});

describe('a message to a run', () => {
  const keys = 'point = "intent"\nsubject = "message r1"\n';
  it('has the type and the application of the run, and its package is asked', async () => {
    forbid(INTENT, text('texts', 'type', 'crane/go'));
    const more = 'facts = { message = { kind = "steer", text = "go on" } }\nexpect = "deny"';
    expect(await one(`${keys}about = { intent = "crane/go" }\n${more}`)).toEqual(['deny', 'no', true]);
    expect(await one(`${keys}app = "crane"\n${more}`)).toEqual(['deny', 'no', true]);
    expect(await refused(`${keys}facts = { message = { kind = "steer", text = "a" } }`)).toMatch(
      /the run that is spoken to/,
    );
    expect(await refused(`${keys}app = "crane"`)).toMatch(/message = \{ kind = "steer"/);
  });

  it('that stops the run is never judged', async () => {
    forbid(INTENT, 'true');
    expect(await one(`${keys}facts = { message = { kind = "stop" } }\nexpect = "allow"`)).toEqual([
      ...['allow', expect.stringMatching(/^never judged/), true],
    ]);
  });
});

describe('a tool', () => {
  it('of a run of an application has the intent of that run', async () => {
    forbid(TOOL, text('about', 'intent', 'crane/go'));
    expect(await one('point = "tool"\nsubject = "robot.state"\napp = "crane"\nexpect = "deny"')).toEqual([
      ...['deny', 'no', true],
    ]);
    write('apps/crane/app.toml', site.manifest(['crane/go', 'crane/far']));
    const keys = 'point = "tool"\nsubject = "robot.state"\napp = "crane"';
    expect(await refused(keys)).toMatch(/which intent the run of crane has.*of crane\/go, crane\/far/);
    expect(await one(`${keys}\nabout = { intent = "crane/go" }\nexpect = "deny"`)).toEqual([
      'deny',
      'no',
      true,
    ]);
  });

  it.each([
    ['of a run that no application has', 'about = { intent = "crane/goo" }', /no application serves/],
    [
      'of a run of another application',
      'app = "robot-moves"\nabout = { intent = "crane/go" }',
      /by crane, not/,
    ],
    ['with the application in about', 'about = { app = "crane" }', /effect, intent, within, not "app"/],
    ['within another that is no motion', 'about = { within = "lab.lift" }', /only a motion is a part/],
  ])('%s is refused', async (_what, keys, words) => {
    expect(await refused(`point = "tool"\nsubject = "robot.state"\n${keys}`)).toMatch(words);
  });

  it('of a program has an effect that there is', async () => {
    expect(await refused('point = "tool"\nsubject = "lab.lift"\nabout = { effect = "actuates" }')).toMatch(
      /effect = "read", "write" or "actuate", not "actuates"/,
    );
  });

  it('that comes by MCP has the effect and the arguments that it has there', async () => {
    forbid(TOOL, 'context.origin == "mcp" && resource.effect == "write"');
    const clip = 'point = "tool"\nsubject = "recorder.clip"\norigin = "mcp"\nexpect = "deny"';
    expect(await one(clip)).toEqual(['deny', 'no', true]);
    expect(await one('point = "tool"\nsubject = "bags.list"\norigin = "mcp"\nexpect = "allow"')).toEqual([
      ...['allow', 'all', true],
    ]);
    const read = 'point = "tool"\nsubject = "resources.read"\norigin = "mcp"\nfacts = { uri = "a" }';
    expect(await one(`${read}\nexpect = "allow"`)).toEqual(['allow', 'all', true]);
    // Of a run that came by MCP it is the tool of runs.
    expect(await refused(`${clip.replace('\nexpect = "deny"', '')}\napp = "crane"`)).toMatch(
      /before_s: missing/,
    );
  });
});

describe('a motion', () => {
  const hall = (keys: string) =>
    `point = "tool"\nsubject = "robot.navigate"\n${keys}\nexpect = "deny"\nby = "hall"`;
  it('within a tool has its facts too', async () => {
    expect(
      await one(hall('facts = { x = 12.0, y = 1.0 }\nabout = { within = "lab.lift", intent = "crane/go" }')),
    ).toEqual(['deny', 'hall', true]);
  });

  it('is taken as policies see it, where it is whole', async () => {
    const seen =
      'motion = "navigate", frame = "map", x_m = 3.0, y_m = 1.0, yaw = 0.0, via = 1, x_min_m = 3.0, y_min_m = 1.0, y_max_m = 1.0';
    expect(await one(hall(`facts = { ${seen}, x_max_m = 12.0 }`))).toEqual(['deny', 'hall', true]);
    expect(await refused(`point = "tool"\nsubject = "robot.navigate"\nfacts = { ${seen} }`)).toMatch(
      /x_max_m is missing/,
    );
    expect(await refused(`point = "tool"\nsubject = "robot.maneuver"\nfacts = { ${seen} }`)).toMatch(
      /motion of robot\.maneuver is drive, spin, wait, not "navigate"/,
    );
  });

  it('of a goal of ROS has no arguments of a tool', async () => {
    const keys = 'point = "tool"\nsubject = "robot.navigate"\nabout = { within = "ros.goal" }';
    expect(await refused(`${keys}\nfacts = { x = 3.0, y = 1.0 }`)).toMatch(
      /motion of robot\.navigate is navigate/,
    );
  });

  it('of an arm by many points is a question of the API', async () => {
    forbid(TOOL, number('points', '.greaterThan(decimal("1.0"))'));
    const keys =
      'point = "tool"\nsubject = "arm.move"\nfacts = { motion = "follow", frame = "joints", duration_ms = 500';
    expect(await one(`${keys}, points = 3, joints = ["a"] }\nexpect = "deny"`)).toEqual(['deny', 'no', true]);
  });
});

describe('an action that lets the robot move', () => {
  it('has what the daemon always says of it', async () => {
    forbid(TOOL, text('texts', 'motion', 'teleoperate'));
    const keys = 'point = "tool"\nsubject = "robot.teleoperate"';
    expect(await one(`${keys}\nfacts = { role = "teleoperation" }\nexpect = "deny"`)).toEqual([
      'deny',
      'no',
      true,
    ]);
    expect(await refused(keys)).toMatch(/role is missing/);
    expect(
      await refused('point = "tool"\nsubject = "ros.goal"\nfacts = { action = "/a", type = "b/action/C" }'),
    ).toMatch(/motion is missing/);
  });

  it('is the tool of that name or its start through the API', async () => {
    forbid(TOOL, text('texts', 'motion', 'controller'));
    const keys = 'point = "tool"\nsubject = "controller.run"\nfacts = { controller = "pick"';
    expect(await one(`${keys}, motion = "controller" }\nexpect = "deny"`)).toEqual(['deny', 'no', true]);
    expect(await one(`${keys}, seconds = 5 }\nexpect = "allow"`)).toEqual(['allow', 'all', true]);
    expect(await refused(`${keys} }`)).toMatch(/seconds: missing/);
  });
});

describe('a model', () => {
  it('is asked outside of any run where the case names none', async () => {
    forbid('action == Auraison::Action::"model", resource', text('about', 'app', 'inference'));
    const keys = 'point = "model"\nsubject = "big"\n';
    expect(await one(`${keys}expect = "deny"`)).toEqual(['deny', 'no', true]);
    expect(await one(`${keys}app = "crane"\nexpect = "allow"`)).toEqual(['allow', 'all', true]);
  });

  it('has no images and no tools where the case names none', async () => {
    forbid(
      'action == Auraison::Action::"model", resource',
      `!(${number('images', ' == decimal("0.0")')} && ${number('tools.length', ' == decimal("0.0")')})`,
    );
    expect(await one('point = "model"\nsubject = "big"\nexpect = "allow"')).toEqual(['allow', 'all', true]);
  });

  it('that is not there is refused', async () => {
    expect(await refused('point = "model"\nsubject = "bigg"')).toMatch(/no model bigg: there are big/);
  });
});

describe('an answer', () => {
  const answers =
    '@id("answers") permit (principal in Auraison::Role::"lead", action == Auraison::Action::"answer", resource) when { resource.tenant == principal.tenant && resource.requester != principal };';
  it('is about what somebody of this tenant asked for, and allows it', async () => {
    write(
      'policies/site.cedar',
      `${answers}\n@id("no") forbid (principal, action == Auraison::Action::"answer", resource) when { !(${text('texts', 'decision', 'allow')}) };`,
    );
    const keys = 'point = "approval"\nsubject = "tool/robot.navigate"\nprincipal = "lena"\n';
    expect(await one(`${keys}about = { requester = "max" }\nexpect = "allow"`)).toEqual([
      'allow',
      'answers',
      true,
    ]);
    expect(await one(`${keys}about = { requester = "lena" }\nexpect = "deny"`)).toEqual([
      ...['deny', 'no policy permits it', true],
    ]);
    expect(await refused(keys)).toMatch(/about = \{ requester = /);
    expect(await refused('point = "approval"\nsubject = "robot.navigate"')).toMatch(/for example tool\//);
    expect(await refused(`${keys}app = "crane"\nabout = { requester = "max" }`)).toMatch(
      /no package is asked/,
    );
  });
});

describe('data that leaves for central', () => {
  it('is asked in the name of the robot, with its lane', async () => {
    const keys = 'point = "egress"\nsubject = "central/events.runtime"\n';
    write(
      'policies/site.cedar',
      `${SITE}\n@id("lanes") permit (principal in Auraison::Role::"robot", action == Auraison::Action::"egress", resource) when { ${text('about', 'lane', 'clips')} && ${text('about', 'kind', 'files')} };`,
    );
    expect(await one(`${keys}expect = "deny"`)).toEqual(['deny', 'no policy permits it', true]);
    expect(await one('point = "egress"\nsubject = "central/clips"\nexpect = "allow"')).toEqual([
      'allow',
      'lanes',
      true,
    ]);
    expect(await refused(`${keys}principal = "operator"`)).toMatch(/asked as tb1, by central/);
    expect(await refused(`${keys}roles = ["operator"]`)).toMatch(/tb1 has roles robot/);
    expect(await refused('point = "egress"\nsubject = "central/clip"')).toMatch(
      /events\.CELL or one of summaries/,
    );
  });
});

describe('who asks', () => {
  const state = 'point = "tool"\nsubject = "robot.state"\n';
  it('by ROS is the graph with its roles, and not the operator', async () => {
    configure('[intents]\nros_roles = ["guest"]\n[inference]\nroles = ["guest"]');
    expect(await one(`${state}origin = "ros"\nexpect = "allow"`)).toEqual(['allow', 'guests', true]);
    expect(await one(`${state}principal = "ros/graph"\nexpect = "allow"`)).toEqual(['allow', 'guests', true]);
  });

  it('with two sets of roles has to say which', async () => {
    configure('[intents]\nros_roles = ["guest"]\n[inference]\nroles = ["operator"]');
    expect(await refused(`${state}origin = "ros"`)).toMatch(
      /with roles guest or with roles operator: say which/,
    );
    expect(await one(`${state}principal = "ros/graph"\nroles = ["guest"]\nexpect = "allow"`)).toEqual([
      ...['allow', 'guests', true],
    ]);
  });

  it('by a webhook, by a schedule of a package and at the start has the roles of the configuration', async () => {
    write(
      'apps/crane/app.toml',
      `${site.manifest(['crane/go'])}[[schedule]]\nname = "nightly"\ncron = "0 3 * * *"\nintent = "crane/go"\n`,
    );
    configure('[[apps.webhooks]]\nname = "crane.go"\nroles = ["guest"]');
    expect(await one(`${state}principal = "webhook/crane.go"\nexpect = "allow"`)).toEqual([
      'allow',
      'guests',
      true,
    ]);
    expect(await one(`${state}principal = "tb1"\nexpect = "allow"`)).toEqual(['allow', 'operators', true]);
    expect(await refused(`${state}principal = "webhook/crane.go"\nroles = ["operator"]`)).toMatch(
      /has roles guest/,
    );
    expect(await refused(`${state}principal = "schedule/crane.nightly"\nroles = ["operator"]`)).toMatch(
      /has roles schedule/,
    );
  });

  it('comes by a way that this one has', async () => {
    expect(await refused(`${state}principal = "lena"\norigin = "ros"`)).toMatch(
      /lena comes by api, .*not by ros/,
    );
    expect(await refused(`${state}principal = "ros/graph"\norigin = "api"`)).toMatch(
      /comes by ros, run, not by api/,
    );
    expect(await refused(`${state}origin = "cli"`)).toMatch(/origin = one of api, /);
  });

  it('has no grant by MCP: the roles of one do not count there', async () => {
    expect(
      await refused(`${state}principal = "lena"\norigin = "mcp"\ngrant = "g1"\nroles = ["operator"]`),
    ).toMatch(/a grant is named by api, a2a, run, not by mcp/);
  });

  it('with one name in two tenants has to say which', async () => {
    write('other.token', 'token-of-another');
    configure(
      `[[policy.principals]]\nname = "lena"\nroles = ["guest"]\ntoken_file = "${site.path('other.token')}"`,
    );
    expect(await refused(`${state}principal = "lena"`)).toMatch(/lena is of lab and of local: say which/);
    expect(await one(`${state}principal = "lena"\ntenant = "local"\nexpect = "allow"`)).toEqual([
      'allow',
      'guests',
      true,
    ]);
  });
});
