/**
 * A debugger for tests: it speaks to the inspector of a Node.js process, finds the worker thread that has loaded a
 * bundle, and breaks at a line of the user's TypeScript as an editor does, by way of the bundle's source map.
 */
import { SourceMap, type SourceMapPayload } from 'node:module';
import { WebSocket } from 'ws';

type Answer = Readonly<Record<string, unknown>>;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Answer;
  readonly result?: Answer;
}

interface Script {
  readonly sessionId: string;
  readonly scriptId: string;
  readonly sourceMapURL: string;
}

/** Where the debugger stopped, as the source map names it; lines from 1. */
export interface Stop {
  readonly source: string;
  readonly line: number;
}

/** How long the debugger waits for what it was promised. */
const TIMEOUT_MS = 20_000;
const INLINE_MAP = 'data:application/json;base64,';

export class Debugger {
  private readonly socket: WebSocket;
  private readonly answers = new Map<string, (result: Answer) => void>();
  private readonly scripts: Script[] = [];
  private readonly waiting = new Set<() => void>();
  private lastPause: { readonly sessionId: string; readonly frames: readonly Answer[] } | null = null;
  private lastId = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => this.receive(JSON.parse(data.toString('utf8')) as Message, ''));
  }

  /** Attaches to a process by what it wrote: `Debugger listening on ws://…`. All its workers are followed. */
  static async attach(url: string): Promise<Debugger> {
    const socket = new WebSocket(url);
    await new Promise((opened, failed) => socket.once('open', opened).once('error', failed));
    const attached = new Debugger(socket);
    await attached.call('', 'NodeWorker.enable', { waitForDebuggerOnStart: false });
    return attached;
  }

  /** Breaks at the first code of `line` (from 1) of a source whose name ends in `ending`, in every worker that has it or loads it. */
  breakAt(ending: string, line: number): void {
    const seen = new Set<Script>();
    this.waiting.add(() => {
      for (const script of this.scripts) {
        if (seen.has(script) || !sourcesOf(script).some((name) => name.endsWith(ending))) continue;
        seen.add(script);
        const { sessionId, scriptId } = script;
        void this.call(sessionId, 'Debugger.setBreakpoint', { location: { scriptId, ...generatedPlace(script, ending, line) } });
      }
    });
    this.look();
  }

  /** Waits until a breakpoint hits, and says where. */
  async stopped(): Promise<Stop> {
    const { sessionId, frames } = await this.until(() => this.lastPause);
    const location = frames[0]?.['location'] as { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber: number };
    const script = this.scripts.find((each) => each.scriptId === location.scriptId && each.sessionId === sessionId);
    if (script === undefined) throw new Error(`stopped in an unknown script ${location.scriptId}`);
    const stop = originalPlace(script, location.lineNumber, location.columnNumber);
    if (stop === null) throw new Error('stopped at code that nobody wrote');
    return stop;
  }

  /** The value of an expression where the debugger stopped. */
  async evaluate(expression: string): Promise<unknown> {
    const { sessionId, frames } = await this.until(() => this.lastPause);
    const { result } = await this.call(sessionId, 'Debugger.evaluateOnCallFrame', { callFrameId: frames[0]?.['callFrameId'], expression });
    return (result as Answer)['value'];
  }

  /** Lets everything run on, and leaves. */
  close(): void {
    this.socket.terminate();
  }

  private receive({ id, method, params = {}, result = {} }: Message, sessionId: string): void {
    if (id !== undefined) this.answers.get(`${sessionId}/${id}`)?.(result);
    if (method === 'NodeWorker.attachedToWorker') void this.call(String(params['sessionId']), 'Debugger.enable', {});
    if (method === 'NodeWorker.receivedMessageFromWorker') {
      return this.receive(JSON.parse(String(params['message'])) as Message, String(params['sessionId']));
    }
    if (method === 'Debugger.scriptParsed') {
      this.scripts.push({ sessionId, scriptId: String(params['scriptId']), sourceMapURL: String(params['sourceMapURL'] ?? '') });
    }
    if (method === 'Debugger.paused') this.lastPause = { sessionId, frames: params['callFrames'] as readonly Answer[] };
    this.look();
  }

  private look(): void {
    for (const look of this.waiting) look();
  }

  /** `sessionId`: of a worker; '': the process itself. */
  private call(sessionId: string, method: string, params: Answer): Promise<Answer> {
    const id = ++this.lastId;
    const message = JSON.stringify({ id, method, params });
    const outer = { id: ++this.lastId, method: 'NodeWorker.sendMessageToWorker', params: { sessionId, message } };
    return new Promise((answered) => {
      this.answers.set(`${sessionId}/${id}`, answered);
      this.socket.send(sessionId === '' ? message : JSON.stringify(outer));
    });
  }

  private until<T>(find: () => T | null): Promise<T> {
    return new Promise((found, failed) => {
      const look = (): void => {
        const value = find();
        if (value === null) return;
        clearTimeout(timer);
        this.waiting.delete(look);
        found(value);
      };
      const timer = setTimeout(() => {
        this.waiting.delete(look);
        failed(new Error(`the debugger waited ${TIMEOUT_MS} ms for nothing`));
      }, TIMEOUT_MS);
      this.waiting.add(look);
      look();
    });
  }
}

function payloadOf({ sourceMapURL }: Script): (SourceMapPayload & { readonly sourceRoot: string }) | null {
  if (!sourceMapURL.startsWith(INLINE_MAP)) return null;
  const text = Buffer.from(sourceMapURL.slice(INLINE_MAP.length), 'base64').toString('utf8');
  return JSON.parse(text) as SourceMapPayload & { readonly sourceRoot: string };
}

function sourcesOf(script: Script): readonly string[] {
  const payload = payloadOf(script);
  return payload === null ? [] : payload.sources.map((source) => `${payload.sourceRoot}${source}`);
}

/** Where the code at a place of a bundle comes from, when a mapping begins exactly there or before it in the line. */
function originalPlace(script: Script, lineNumber: number, columnNumber: number): Stop | null {
  const payload = payloadOf(script);
  if (payload === null) return null;
  const entry = new SourceMap(payload).findEntry(lineNumber, columnNumber);
  if (!('originalSource' in entry) || entry.generatedLine !== lineNumber) return null;
  return { source: `${payload.sourceRoot}${entry.originalSource}`, line: entry.originalLine + 1 };
}

/** The first place in the bundle that comes from a line of a source. The map answers in the other direction only. */
function generatedPlace(script: Script, ending: string, line: number): { readonly lineNumber: number; readonly columnNumber: number } {
  for (let lineNumber = 0; lineNumber < GENERATED_LINES_MAX; lineNumber++) {
    for (let columnNumber = 0; columnNumber < GENERATED_COLUMNS_MAX; columnNumber++) {
      const place = originalPlace(script, lineNumber, columnNumber);
      if (place?.line === line && place.source.endsWith(ending)) return { lineNumber, columnNumber };
    }
  }
  throw new Error(`${ending}:${line} is not in the bundle`);
}

const GENERATED_LINES_MAX = 60;
const GENERATED_COLUMNS_MAX = 100;
