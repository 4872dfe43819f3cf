import { languageModelConformance } from '../conformance/language-model.ts';
import { FakeOpenAi, say, silent, stall } from '../fakes/fake-openai.ts';
import { openAiModel } from '../support/openai-model.ts';

for (const jsonMode of ['auto', 'native', 'schema', 'text'] as const) {
  languageModelConformance(`OpenAiModel, ${jsonMode}, over HTTP`, async ({ text, calls, silent: quiet }) => {
    const native = jsonMode === 'auto' || jsonMode === 'native';
    const asText = calls?.map(({ name, args }) => ({ tool: name, arguments: args }));
    const script = quiet
      ? text === undefined
        ? silent
        : stall(text)
      : say({
          ...(native && calls ? { calls } : {}),
          text: !native && asText ? JSON.stringify(asText) : (text ?? ''),
        });
    const server = await FakeOpenAi.start(script);
    return { model: openAiModel(server.url, { jsonMode }), stop: () => server.stop() };
  });
}
