/** Renders docs/configuration.md from the option table. */
import type { Option } from '../src/config/option.ts';
import { optionGroups } from '../src/config/options.ts';

const INTRODUCTION = `# Configuration

*Generated from the option table in \`src/config\` by \`npm run docs\`; change it there.*

A process reads \`flink-conf.yaml\` in \`FLINK_CONF_DIR\` (default: \`conf\` beside \`bin\`), or \`config.yaml\` when there is no
such file. Keys, spellings and meanings are Apache Flink's; what differs is marked **Unlike Flink**.

- \`flink-conf.yaml\`: one \`key: value\` a line, with a space after the colon; a space and \`#\` start a comment; the last
  of several lines with the same key wins.
- \`config.yaml\`: standard YAML, nested or flat: \`rest: {port: 8081}\` is \`rest.port: 8081\`.
- \`-D key=value\` on a command line wins over the file.

All problems are reported at once as \`file:line: key: what\`. A value that cannot be used keeps the process from starting.
An unknown key is a warning, with the key that was probably meant. Deprecated spellings are accepted with a notice.
Values of keys that look like secrets (password, secret, token, …) are shown as \`******\` everywhere.

Durations: \`10 s\`, \`500 ms\`, \`1 min\`, \`1 d\`; without a unit, milliseconds. Sizes: \`64kb\`, \`1600m\`, \`1 gb\`; without a
unit, bytes; units are powers of 1024. Ports: \`8081\`, \`50010,50020-50025\`, tried in order; 0 lets the system choose.

An option whose *since* is newer than this version is accepted, reported when it is set, and takes effect from then on.
`;

/** The whole page. */
export function configurationPage(): string {
  const chapters = optionGroups.map(({ title, options }) => {
    const rows = options.filter((option) => option.withoutEffect === undefined).toSorted(byKey).map(row);
    const head = '| Key | Default | Type | Description | Since |\n|---|---|---|---|---|';
    return `## ${title}\n\n${head}\n${rows.join('\n')}\n`;
  });
  return [INTRODUCTION, ...chapters, ignoredKeys()].join('\n');
}

function row(option: Option): string {
  const shown = option.defaultText === null ? '(none)' : code(option.defaultText);
  const older = option.deprecatedKeys.length === 0 ? '' : ` Deprecated: ${option.deprecatedKeys.map(code).join(', ')}.`;
  const description = option.description.replace('Unlike Flink:', '**Unlike Flink:**');
  return `| ${code(option.key)} | ${shown} | ${code(option.type.name)} | ${cell(description + older)} | ${option.since} |`;
}

/** Keys that mean nothing on Node.js, with the reason. */
function ignoredKeys(): string {
  const ignored = optionGroups.flatMap(({ options }) => options.filter((option) => option.withoutEffect !== undefined));
  const rows = ignored.toSorted(byKey).map(({ key, withoutEffect = '' }) => `| ${code(key)} | ${cell(withoutEffect)} |`);
  return `## Accepted without effect\n\nKeys of Flink that mean nothing here. \`<...>\` is any rest.\n\n| Key | Why |\n|---|---|\n${rows.join('\n')}\n`;
}

function byKey(a: Option, b: Option): number {
  return a.key < b.key ? -1 : 1;
}

function code(text: string): string {
  return `\`${cell(text)}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
