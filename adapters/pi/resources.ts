import type {
  InlineExtension,
  LoadExtensionsResult,
  ResourceLoader,
  SettingsManager,
} from '@earendil-works/pi-coding-agent';
import type { PiLibrary } from './pi-library.ts';

/** Extensions of an application as Pi takes them: factories, isolated by their provider. */
export type PiExtension = InlineExtension;

export type ResourceParts = {
  readonly pi: PiLibrary;
  readonly settings: SettingsManager;
  readonly cwd: string;
  readonly systemPrompt: string;
  readonly extensions: readonly PiExtension[];
};

/** The resources of a session: its prompt and its extensions. Nothing is read from a home folder. */
export async function ownResources(parts: ResourceParts): Promise<ResourceLoader> {
  const { systemPrompt } = parts;
  const extensions = await extensionsOf(parts);
  return {
    getExtensions: () => extensions,
    getSkills: () => ({ skills: [], diagnostics: [] }),
    getPrompts: () => ({ prompts: [], diagnostics: [] }),
    getThemes: () => ({ themes: [], diagnostics: [] }),
    getAgentsFiles: () => ({ agentsFiles: [] }),
    getSystemPrompt: () => systemPrompt,
    getSystemPromptSource: () => undefined,
    getAppendSystemPrompt: () => [],
    getAppendSystemPromptSources: () => [],
    // Skills and prompts of a run are those of its application; an extension adds none.
    extendResources: () => {},
    reload: async () => {},
  };
}

/** Pi makes extensions of factories; its loader is configured to look for nothing else. */
async function extensionsOf(parts: ResourceParts): Promise<LoadExtensionsResult> {
  const { coding } = parts.pi;
  if (parts.extensions.length === 0)
    return { extensions: [], errors: [], runtime: coding.createExtensionRuntime() };
  const loader = new coding.DefaultResourceLoader({
    cwd: parts.cwd,
    agentDir: parts.cwd,
    settingsManager: parts.settings,
    extensionFactories: [...parts.extensions],
    noExtensions: true,
    noSkills: true,
    noPromptTemplates: true,
    noThemes: true,
    noContextFiles: true,
    systemPrompt: parts.systemPrompt,
  });
  await loader.reload();
  return loader.getExtensions();
}
