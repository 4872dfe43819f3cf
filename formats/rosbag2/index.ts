export * from './metadata.ts';
export * from './qos-profiles.ts';
export { parseYaml, type YamlValue } from './yaml.ts';
