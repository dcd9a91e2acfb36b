/**
 * The option table: every key that Drey knows. Parsing, validation, typed access, the documentation and
 * the REST pages all read this table and nothing else.
 */
import { clusterOptions } from './cluster-options.ts';
import { environmentOptions } from './environment-options.ts';
import { highAvailabilityOptions } from './high-availability-options.ts';
import { jobOptions } from './job-options.ts';
import { memoryOptions } from './memory-options.ts';
import { metricOptions } from './metric-options.ts';
import type { Option } from './option.ts';
import { restOptions } from './rest-options.ts';
import { stateOptions } from './state-options.ts';

/** Every option by the name that code uses: `configuration.get(options.restPort)`. */
export const options = {
  ...clusterOptions,
  ...memoryOptions,
  ...restOptions,
  ...jobOptions,
  ...stateOptions,
  ...highAvailabilityOptions,
  ...metricOptions,
  ...environmentOptions,
} as const;

/** A chapter of the documentation. */
export interface OptionGroup {
  readonly title: string;
  readonly options: readonly Option[];
}

/** The table by chapter, in the order of the documentation. */
export const optionGroups: readonly OptionGroup[] = [
  { title: 'Processes', options: Object.values(clusterOptions) },
  { title: 'Memory', options: Object.values(memoryOptions) },
  { title: 'REST, dashboard and client', options: Object.values(restOptions) },
  { title: 'Jobs', options: Object.values(jobOptions) },
  { title: 'State and checkpoints', options: Object.values(stateOptions) },
  { title: 'High availability', options: Object.values(highAvailabilityOptions) },
  { title: 'Metrics and traces', options: Object.values(metricOptions) },
  { title: 'Environment, security and file systems', options: Object.values(environmentOptions) },
];

const exact = new Map<string, Option>();
const families: { readonly pattern: RegExp; readonly option: Option }[] = [];
for (const option of optionGroups.flatMap((group) => group.options)) {
  for (const key of [option.key, ...option.deprecatedKeys]) {
    if (key.includes('<')) families.push({ pattern: keyPattern(key), option });
    else exact.set(key, option);
  }
}

/** The option that describes `key`, under its current or a deprecated spelling; undefined for an unknown key. */
export function optionFor(key: string): Option | undefined {
  return exact.get(key) ?? families.find(({ pattern }) => pattern.test(key))?.option;
}

/** Every key without placeholder, deprecated spellings included; what near misses are looked for in. */
export function knownKeys(): readonly string[] {
  return [...exact.keys()];
}

/** `metrics.reporter.<name>.port` matches any one word at `<name>`; `<...>` at the end matches any rest. */
function keyPattern(key: string): RegExp {
  const source = key.split(/(<[^>]*>)/).map((part) => {
    if (part === '<...>') return '.+';
    return part.startsWith('<') ? '[^.]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${source.join('')}$`);
}
