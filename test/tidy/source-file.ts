/**
 * A TypeScript file as the house rules see it: its text with comments and literals blanked out, its imports,
 * its exports and its functions. A scanner, not a parser: it knows where text ends and code begins, and no more.
 */

/** One source file. */
export interface SourceFile {
  /** Relative to the repository, for example `src/base/assert.ts`. */
  readonly path: string;
  readonly text: string;
  /** As long as `text`; comments, strings, templates and regular expressions are blanks, line ends stay. */
  readonly code: string;
  /** Import specifiers as written, re-exports and dynamic imports included. */
  readonly imports: readonly string[];
}

/** Reads one file. */
export function sourceFile(path: string, text: string): SourceFile {
  const code = blank(text, /\/\*[^]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[^]|\$\{[^}]*\}|[^`\\])*`/g);
  const codeWithStrings = text.replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\/\*[^]*?\*\/|\/\/[^\n]*/g, (match) => {
    return match.startsWith('/') ? blanks(match) : match;
  });
  const imports = Array.from(codeWithStrings.matchAll(/(?<!['"])\b(?:from|import)\s*\(?\s*['"]([^'"\n]+)['"]/g), ([, specifier = '']) => specifier);
  return { path, text, code, imports };
}

/** Blanks out what matches, and regular expression literals: a slash where no value can precede it. */
function blank(text: string, pattern: RegExp): string {
  const both = new RegExp(`${pattern.source}|(?<=(?:[(,=:[!&|?{};>]|return)\\s*)\\/(?![/*])(?:\\\\.|\\[(?:\\\\.|[^\\]\\\\\\n])*\\]|[^/\\\\\\n])+\\/[a-z]*`, 'g');
  return text.replace(both, blanks);
}

function blanks(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}

/** The room of `src/<room>/<file>.ts`; `src/index.ts` is a room of its own. */
export function roomOf(path: string): string {
  return path.split('/').length > 2 ? (path.split('/')[1] ?? '') : 'index';
}

/** `../base/assert.ts` as seen from `src/rpc/peer.ts` is `src/base/assert.ts`. */
export function resolveImport(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

/** A function and its length from the opening to the closing brace. */
export interface FunctionBlock {
  readonly line: number;
  readonly lineCount: number;
}

/** Every block that belongs to a function, method or arrow function. */
export function functionsOf({ code }: SourceFile): FunctionBlock[] {
  const found: FunctionBlock[] = [];
  const open: { readonly offset: number; readonly isFunction: boolean }[] = [];
  for (let offset = 0; offset < code.length; offset++) {
    if (code[offset] === '{') open.push({ offset, isFunction: isFunctionHead(code.slice(Math.max(0, offset - 400), offset)) });
    if (code[offset] !== '}') continue;
    const block = open.pop();
    if (!block?.isFunction) continue;
    const line = lineAt(code, block.offset);
    found.push({ line, lineCount: lineAt(code, offset) - line + 1 });
  }
  return found;
}

function isFunctionHead(before: string): boolean {
  const head = before.trimEnd();
  if (head.endsWith('=>')) return true;
  const statement = head.slice(Math.max(head.lastIndexOf(';'), head.lastIndexOf('{'), head.lastIndexOf('}')) + 1);
  if (/^\s*(else\s+)?(if|for|while|switch|catch|with)\b/.test(statement)) return false;
  return /\)\s*(:[^=]*)?$/.test(statement);
}

/** Line numbers start at 1. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** An exported name; types are told apart, since they may live in signatures alone. */
export interface ExportedName {
  readonly name: string;
  readonly isType: boolean;
}

/** The names that a file declares and exports. */
export function exportsOf({ code }: SourceFile): ExportedName[] {
  const declared = code.matchAll(/^export (?:declare |abstract |async )*(class|function\*?|const|let|interface|type) (\w+)/gm);
  return Array.from(declared, ([, kind = '', name = '']) => ({ name, isType: kind === 'interface' || kind === 'type' }));
}
