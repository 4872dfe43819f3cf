import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EdgeError, type Intent, METHODS, type Tool } from '../../contract/index.ts';
import type { TSchema } from '../../contract/schema-kit.ts';
import { GatedToolBox } from '../../daemon/runtime/attempt/tool-box.ts';
import { ToolGate } from '../../daemon/runtime/gate/tool-gate.ts';
import { ToolJournal } from '../../daemon/runtime/gate/tool-journal.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { makeHouse } from '../support/house.ts';

/** Hostile arguments against every tool of the house: nothing that does not fit reaches a tool, let alone a robot. */
type Schema = {
  type?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  anyOf?: Schema[];
  items?: Schema;
  const?: unknown;
  enum?: unknown[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  patternProperties?: Record<string, Schema>;
  additionalProperties?: unknown;
  description?: string;
};

/** Something that fits: the plainest value of a schema. */
function fitting(schema: Schema): unknown {
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf) return fitting(schema.anyOf[0]!);
  switch (schema.type) {
    case 'object': {
      const required = schema.required ?? [];
      const known = Object.entries(schema.properties ?? {}).filter(([key]) => required.includes(key));
      const free = Object.values(schema.patternProperties ?? {}).map((one): [string, Schema] => [
        'joint_1',
        one,
      ]);
      return Object.fromEntries([...known, ...free].map(([key, one]) => [key, fitting(one)]));
    }
    case 'array':
      return Array.from({ length: schema.minItems ?? 0 }, (_, i) => `${String(fitting(schema.items!))}${i}`);
    case 'number':
    case 'integer':
      return Math.min(Math.max(1, schema.minimum ?? 1), schema.maximum ?? 1);
    case 'boolean':
      return true;
    default:
      return schema.pattern?.startsWith('^/') ? '/camera' : 'word';
  }
}

/** Each number of a schema with the path to it, through the first branch that has it. */
function numbersOf(
  schema: Schema,
  path: readonly string[] = [],
): { path: readonly string[]; schema: Schema }[] {
  if (schema.type === 'number' || schema.type === 'integer') return [{ path, schema }];
  const inside = [
    ...Object.entries(schema.properties ?? {}),
    ...Object.values(schema.patternProperties ?? {}).map((one): [string, Schema] => ['joint_1', one]),
  ];
  return [
    ...inside.flatMap(([key, one]) => numbersOf(one, [...path, key])),
    ...(schema.anyOf ?? []).flatMap((one) => numbersOf(one, path)),
  ];
}

function rig() {
  const clock = new ManualClock();
  const bus = new FakeBus(clock);
  const { tools, ids } = makeHouse(bus, clock);
  const ran: string[] = [];
  const watched = tools.map(
    (tool): Tool => ({
      ...tool,
      run: async () => {
        ran.push(tool.spec.name);
        return { result: {} };
      },
    }),
  );
  const intent = {
    policy_ctx: { tenant: 'lab', principal: 'ada', roles: [], origin: 'cli' },
  } as unknown as Intent;
  const signal = new AbortController().signal;
  const events: { kind: string; payload: Record<string, unknown> }[] = [];
  const runId = ids.next<string>();
  const gate = new ToolGate({
    runId,
    intent,
    clock,
    ids,
    hooks: new PolicyGate([], clock),
    journal: new ToolJournal([]),
    signal,
    emit: async (batch: readonly unknown[]) => void events.push(...(batch as typeof events)),
    robotTime: () => undefined,
    unpaused: async () => {},
    stopRobot: async () => {},
  } as unknown as ConstructorParameters<typeof ToolGate>[0]);
  const box = new GatedToolBox({ runId, intent, clock, gate, blobs: undefined, tools: watched });
  const refused = async (name: string, args: unknown) => {
    const before = ran.length;
    const thrown = await box.call(name, args).then(
      () => undefined,
      (error: unknown) => error,
    );
    const code = thrown instanceof EdgeError ? thrown.code : String(thrown);
    return { code, reached: ran.length > before };
  };
  return { tools, box, ran, refused, events, bus };
}

const schemaOf = (tool: Tool) => tool.spec.input as TSchema as unknown as Schema;
const branches = (schema: Schema) => schema.anyOf ?? [schema];
const NO = { code: 'schema.invalid', reached: false };

describe('arguments of every tool of the house', () => {
  it('reach it when they fit', async () => {
    const { tools, box, ran } = rig();
    for (const tool of tools)
      for (const branch of branches(schemaOf(tool))) await box.call(tool.spec.name, fitting(branch));
    expect(new Set(ran)).toEqual(new Set(tools.map(({ spec }) => spec.name)));
    expect(tools.length).toBeGreaterThanOrEqual(18);
  });

  it('have a range and a unit wherever they are numbers, and are closed', () => {
    const { tools } = rig();
    const open: string[] = [];
    const visit = (name: string, schema: Schema) => {
      if (schema.type === 'object' && schema.additionalProperties !== false) open.push(name);
      for (const one of [
        ...Object.values(schema.properties ?? {}),
        ...Object.values(schema.patternProperties ?? {}),
        ...(schema.anyOf ?? []),
        ...(schema.items ? [schema.items] : []),
      ])
        visit(name, one);
    };
    for (const tool of tools) {
      visit(tool.spec.name, schemaOf(tool));
      for (const { path, schema } of numbersOf(schemaOf(tool))) {
        const { minimum, maximum } = schema;
        expect(Number.isFinite(minimum) && Number.isFinite(maximum), `${tool.spec.name} ${path}`).toBe(true);
      }
    }
    expect(open).toEqual([]);
  });

  it('are refused where a number is none, is coerced, or is out of its range', async () => {
    const { tools, refused } = rig();
    let tried = 0;
    for (const tool of tools) {
      for (const branch of branches(schemaOf(tool))) {
        for (const { path, schema } of numbersOf(branch)) {
          const { minimum = 0, maximum = 0 } = schema;
          const odd: unknown[] = [
            Number.NaN,
            Infinity,
            -Infinity,
            1e308,
            -1e308,
            maximum * 1.001 + 1e-6,
            minimum - 1e-3,
            '15',
            '1e1',
            '',
            null,
            true,
            [],
            [1],
            {},
            { valueOf: 1 },
            1n,
            ...(schema.type === 'integer' ? [minimum + 0.5] : []),
          ];
          for (const value of odd) {
            const args = structuredClone(fitting(branch)) as Record<string, unknown>;
            let here = args;
            for (const key of path.slice(0, -1)) {
              here[key] ??= {};
              here = here[key] as Record<string, unknown>;
            }
            here[path.at(-1)!] = value;
            // `is` of a success condition may be a boolean by its own right.
            if (value === true && path.at(-1) === 'is') continue;
            const { code, reached } = await refused(tool.spec.name, args);
            expect({ code, reached }, `${tool.spec.name} ${path} = ${String(value)}`).toEqual(NO);
            tried += 1;
          }
        }
      }
    }
    expect(tried).toBeGreaterThan(300);
  });

  it('are refused with unknown, inherited and look-alike names, and as something else than an object', async () => {
    const { tools, refused } = rig();
    for (const tool of tools) {
      const base = JSON.stringify(fitting(branches(schemaOf(tool))[0]!));
      const inner = base.slice(1, -1);
      const comma = inner === '' ? '' : ',';
      const objects = [
        '__proto__',
        'constructor',
        'prototype',
        'х',
        'x\u200b',
        'X',
        ' x',
        'toString',
        '',
      ].map((key) => JSON.parse(`{${inner}${comma}${JSON.stringify(key)}: {"x": 1}}`));
      const inherited = Object.create({ x: 1 }) as object;
      for (const args of [
        ...objects,
        [],
        'x',
        1,
        true,
        [JSON.parse(base)],
        new Map(),
        new Date(0),
        inherited,
        () => 1,
      ]) {
        const { code, reached } = await refused(tool.spec.name, args);
        // A stop is made, whatever stands beside it.
        if (tool.spec.name === 'robot.stop') expect(reached, JSON.stringify(args)).toBe(true);
        else expect({ code, reached }, `${tool.spec.name} ${JSON.stringify(args)}`).toEqual(NO);
      }
    }
  });

  it('are refused when they are huge or nest without end, and none of it comes into the log', async () => {
    const { tools, refused, events } = rig();
    const deep: Record<string, unknown> = {};
    let at = deep;
    for (let i = 0; i < 10_000; i++) at = at['x'] = {} as Record<string, unknown>;
    const cycle: Record<string, unknown> = {};
    cycle['x'] = cycle;
    for (const { spec } of tools) {
      for (const args of [{ x: 'a'.repeat(40_000) }, deep, cycle, { x: Array(120_000).fill(1) }])
        if (spec.name === 'robot.stop') expect((await refused(spec.name, args)).reached).toBe(true);
        else expect(await refused(spec.name, args), spec.name).toEqual(NO);
    }
    expect(JSON.stringify(events).length).toBeLessThan(tools.length * 4 * 4_096);
  });

  it('are refused for names that look like a tool', async () => {
    const { tools, refused, box } = rig();
    for (const { spec } of tools) {
      const { name } = spec;
      const alike = [
        name.replace('o', 'о'),
        name.replace('.', '․'),
        name.toUpperCase(),
        ` ${name}`,
        `${name}\0`,
        `${name}\u200d`,
      ];
      for (const other of alike.filter((one) => one !== name))
        expect(await refused(other, {}), other).toEqual({ code: 'tool.not_found', reached: false });
    }
    for (const name of ['__proto__', 'constructor', 'toString', ''])
      expect((await refused(name, {})).code).toBe('tool.not_found');
    expect(new Set(box.specs().map(({ name }) => name)).size).toBe(tools.length);
  });

  it('never reach a tool by chance: what is let through fits, and nothing else does', async () => {
    const { tools, refused } = rig();
    const value = fc.anything({
      maxDepth: 3,
      withBigInt: true,
      withNullPrototype: true,
      withSparseArray: true,
    });
    const keys = [
      ...new Set(
        tools.flatMap((tool) => branches(schemaOf(tool)).flatMap((b) => Object.keys(b.properties ?? {}))),
      ),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          ...tools.filter(
            ({ spec }) =>
              (schemaOf({ spec } as Tool).required ?? []).length > 0 || spec.name === 'robot.maneuver',
          ),
        ),
        fc.dictionary(fc.constantFrom(...keys, 'other'), value, { maxKeys: 5 }),
        async (tool, args) => {
          const { code, reached } = await refused(tool.spec.name, args);
          if (reached)
            for (const field of Object.values(args))
              expect(['string', 'number', 'boolean', 'object']).toContain(typeof field);
          else expect(code).toBe('schema.invalid');
        },
      ),
      { numRuns: 1_500 },
    );
  });

  it('do not move a robot when they are hostile', async () => {
    const { refused, bus } = rig();
    const { robotNavigate, robotManeuver, armFollow, armGripper } = METHODS.execution;
    for (const args of [
      { x: '1', y: 2 },
      { x: 1, y: null },
      { x: 1, y: 2, yaw: true },
      { x: 1e308, y: 0 },
      { x: 1, y: 2, speed: 9 },
      { kind: 'drive', distance_m: '1' },
      { kind: 'drive', distance_m: 6 },
      { kind: 'drive', angle_rad: 1 },
      { joints: { a: '1' } },
      { joints: {} },
      { joints: { 'a b': 1 } },
      { joints: { '1': 1 } },
      { opening_m: -1, effort_n: 1 },
    ])
      for (const tool of ['robot.navigate', 'robot.maneuver', 'arm.move', 'arm.gripper'])
        expect((await refused(tool, args)).reached).toBe(false);
    for (const method of [robotNavigate, robotManeuver, armFollow, armGripper])
      expect(bus.asked).not.toContain(method);
  });
});
