import { EdgeError } from '../../contract/core.ts';
import { builtInText } from './definitions.ts';
import { fullMessageName, type IndividualType, splitParts } from './interface-text.ts';
import { individualTypes, referencedNames, rihs01, type TypeDescription } from './type-description.ts';

/** Where definition texts come from: by full name (`std_srvs/srv/SetBool`), the text of its file alone. */
export type TextLookup = (type: string) => string | undefined;

const SEPARATOR = '='.repeat(80);
/** Parts that a service or action has without a file of their own, longest first. */
const PART =
  /_(?:SendGoal_Request|SendGoal_Response|SendGoal_Event|SendGoal|GetResult_Request|GetResult_Response|GetResult_Event|GetResult|FeedbackMessage|Feedback|Goal|Result|Request|Response|Event)$/;

/**
 * Message, service and action types by name: their descriptions, RIHS01 hashes, and the definition texts by
 * which they are encoded. Parts of services and actions (`std_srvs/srv/SetBool_Request`,
 * `nav2_msgs/action/NavigateToPose_FeedbackMessage`) are types like any other. Everything is kept once made.
 */
export class TypeBook {
  readonly #lookup: TextLookup;
  readonly #individual = new Map<string, IndividualType>();
  readonly #loaded = new Set<string>();
  readonly #hashes = new Map<string, string>();
  readonly #texts = new Map<string, string>();

  /** The lookups are asked in order, the built-in definitions last: an installation knows its own types best. */
  constructor(...lookups: readonly TextLookup[]) {
    this.#lookup = (type) => {
      for (const lookup of lookups) {
        const text = lookup(type);
        if (text !== undefined) return text;
      }
      return builtInText(type);
    };
  }

  /** False where the definition, or one of those within it, is not on this host, or is unreadable. */
  knows(type: string): boolean {
    try {
      this.hash(type);
      return true;
    } catch {
      return false;
    }
  }

  /** `RIHS01_…`. Throws `sample.unknown_type` naming the type that is missing and its package. */
  hash(type: string): string {
    const known = this.#hashes.get(type);
    if (known !== undefined) return known;
    const hash = rihs01(this.describe(type));
    this.#hashes.set(type, hash);
    return hash;
  }

  /** Throws as `hash`. */
  describe(type: string): TypeDescription {
    const found = new Map<string, IndividualType>();
    const waiting = [type];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (found.has(name)) continue;
      const individual = this.#find(name, type);
      found.set(name, individual);
      waiting.push(...referencedNames(individual));
    }
    const own = found.get(type)!;
    found.delete(type);
    const referenced = [...found.values()].sort((a, b) => (a.type_name < b.type_name ? -1 : 1));
    return { type_description: own, referenced_type_descriptions: referenced };
  }

  /**
   * The definition with its dependencies (`ros2msg`, as rosbag2 writes it) of a message or of a part. Throws as `hash`.
   */
  definition(type: string): string {
    const known = this.#texts.get(type);
    if (known !== undefined) return known;
    const { type_description: own, referenced_type_descriptions: others } = this.describe(type);
    const parts = [this.#partText(own.type_name)];
    for (const { type_name: name } of others) {
      parts.push(`${SEPARATOR}\nMSG: ${shortName(name)}\n${this.#partText(name)}`);
    }
    const text = `${parts.join('\n')}\n`;
    this.#texts.set(type, text);
    return text;
  }

  #find(name: string, wanted: string): IndividualType {
    const known = this.#individual.get(name);
    if (known) return known;
    const file = this.#fileOf(name);
    if (file !== undefined && !this.#loaded.has(file.type)) {
      this.#loaded.add(file.type);
      for (const part of individualTypes(file.type, file.text)) this.#individual.set(part.type_name, part);
    }
    const found = this.#individual.get(name);
    if (found) return found;
    throw unknown(name, wanted);
  }

  /** The file that declares a type: its own, or that of the service or action it is a part of. */
  #fileOf(name: string): { type: string; text: string } | undefined {
    if (!/^\w+\/(?:msg|srv|action)\/\w+$/.test(name)) return undefined;
    const own = this.#lookup(name);
    if (own !== undefined) return { type: name, text: own };
    const base = name.replace(PART, '');
    if (base === name || name.includes('/msg/')) return undefined;
    const text = this.#lookup(base);
    return text === undefined ? undefined : { type: base, text };
  }

  /** The text of one type alone; that of a synthesised part is generated. */
  #partText(name: string): string {
    const [pkg = '', kind = ''] = name.split('/');
    const file = this.#fileOf(name);
    if (file === undefined) throw unknown(name, name);
    if (kind === 'msg') return file.text.trimEnd();
    const part = name.slice(file.type.length);
    if (kind === 'srv') {
      const [request = '', response = ''] = splitParts(file.text, 2, file.type);
      return qualified(part === '_Request' ? request : part === '_Response' ? response : '', pkg);
    }
    const [goal = '', result = '', feedback = ''] = splitParts(file.text, 3, file.type);
    const self = file.type.split('/')[2] ?? '';
    const texts: Readonly<Record<string, string>> = {
      _Goal: goal,
      _Result: result,
      _Feedback: feedback,
      _FeedbackMessage: `unique_identifier_msgs/UUID goal_id\n${pkg}/${self}_Feedback feedback`,
      _SendGoal_Request: `unique_identifier_msgs/UUID goal_id\n${pkg}/${self}_Goal goal`,
      _SendGoal_Response: 'bool accepted\nbuiltin_interfaces/Time stamp',
      _GetResult_Request: 'unique_identifier_msgs/UUID goal_id',
      _GetResult_Response: `int8 status\n${pkg}/${self}_Result result`,
    };
    return qualified(texts[part] ?? '', pkg);
  }
}

/**
 * Types of the same package by their full names: in a part of a service or action a bare `GoalInfo` would be
 * looked for among its siblings by some readers.
 */
function qualified(text: string, pkg: string): string {
  return text.replace(/^(\s*)([A-Z]\w*)(?=[\s[])/gm, `$1${pkg}/$2`);
}

/** `pkg/Type`, as the headers of a `ros2msg` definition and the fields in it name types. */
function shortName(type: string): string {
  const [pkg, , name] = type.split('/');
  return `${pkg}/${name}`;
}

function unknown(name: string, wanted: string): EdgeError {
  const pkg = (name.split('/')[0] ?? '').replaceAll('_', '-');
  return new EdgeError('sample.unknown_type', {
    operation: 'find-definition',
    subject: fullMessageName(wanted, ''),
    message:
      name === wanted
        ? `the type ${name} has no definition on this host`
        : `the type ${wanted} uses ${name}, which has no definition on this host`,
    hint: `install the package that defines it (ros-<distro>-${pkg}), or put its files into a folder of ros.definitions`,
  });
}
