import { Bubblewrap, OciRuntime } from '../../adapters/sandbox/index.ts';
import { sandboxConformance } from '../conformance/sandbox.ts';
import { sandboxPrograms } from '../support/sandbox.ts';

/** Real providers on this host, against a program that wants out. */
const searchPath = sandboxPrograms();
sandboxConformance('bubblewrap', (parts) => new Bubblewrap({ ...parts, searchPath }));
sandboxConformance('crun', (parts) => new OciRuntime({ ...parts, searchPath }, ['crun']));
sandboxConformance('runc', (parts) => new OciRuntime({ ...parts, searchPath }, ['runc']));
