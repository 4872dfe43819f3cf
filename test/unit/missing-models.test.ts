import { describe, expect, it } from 'vitest';
import { type ModelInfo, missingModels } from '../../contract/index.ts';

const model = (name: string, more: Partial<ModelInfo> = {}): ModelInfo => ({
  ...{ name, modelId: name, vision: false, tools: true, context: 8_192, latency: 'any' as const },
  ...{ costIn: 0, costOut: 0, ...more },
});

describe('models that an application misses', () => {
  it('are none where one fits', () => {
    expect(missingModels(undefined, [model('a')])).toBeUndefined();
    expect(missingModels({ prefer: ['a'], only: true }, [model('a')])).toBeUndefined();
    expect(missingModels({ vision: true }, [model('a'), model('eyes', { vision: true })])).toBeUndefined();
  });

  it('without any model: the command that needs no account', () => {
    expect(missingModels({ tools: true }, [])).toEqual({
      names: [],
      blocking: true,
      reason: 'no model is configured',
      fix: 'auraison models add local',
    });
  });

  it('a preferred one that is not there stops nobody, unless the application wants no other', () => {
    expect(missingModels({ prefer: ['big'] }, [model('a')])).toMatchObject({
      ...{ names: ['big'], blocking: false, fix: 'auraison models add PROVIDER --name big' },
      reason: 'it prefers big, not configured; others answer instead',
    });
    expect(missingModels({ prefer: ['big'], only: true }, [model('a')])).toMatchObject({
      blocking: true,
      reason: expect.stringMatching(/a: not asked for/),
    });
  });

  it('names why each model does not do', () => {
    const lack = missingModels({ vision: true, context: 100_000 }, [
      model('blind'),
      model('small', { vision: true }),
      model('mute', { vision: true, context: 200_000, tools: false }),
    ]);
    expect(lack).toMatchObject({ blocking: true, fix: 'auraison models add PROVIDER' });
    expect(lack?.reason).toMatch(/blind: it sees no images; small: its context .* mute: it calls no tools/);
  });
});
