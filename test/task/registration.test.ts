/** How a TaskManager keeps its JobManager: attempts, pauses, and that it never gives up. */
import test from 'ava';
import fc from 'fast-check';
import { RegistrationCore, type RegistrationEffect } from '../../src/task/registration.core.ts';

const OPTIONS = { initialTimeoutMs: 100, maxTimeoutMs: 30_000, errorDelayMs: 10_000, refusedDelayMs: 30_000 };
const LEADER = { host: 'jm', port: 6123 };
const kinds = (effects: readonly RegistrationEffect[]): string[] => effects.map(({ kind }) => kind);

/** Fails the current attempt and lets the pause pass; answers the pause. */
function failOnce(core: RegistrationCore, attempt: number, refused = false): number {
  const effects = core.step({ kind: 'failed', attempt, reason: 'refused', refused });
  core.step({ kind: 'retryDue', attempt });
  return effects.flatMap((effect) => (effect.kind === 'startRetryTimer' ? [effect.delayMs] : []))[0] ?? -1;
}

test('Pauses double from initial-timeout to error-delay; a refusal waits refused-registration-delay', (t) => {
  const core = new RegistrationCore(OPTIONS);
  core.step({ kind: 'leaderChanged', leader: LEADER });
  const pauses = Array.from({ length: 9 }, (_, i) => failOnce(core, i + 1));
  t.deepEqual(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  t.is(failOnce(core, 10, true), 30_000);
});

test('A lost connection is dialled again at once', (t) => {
  const core = new RegistrationCore(OPTIONS);
  core.step({ kind: 'leaderChanged', leader: LEADER });
  core.step({ kind: 'connected', attempt: 1 });
  core.step({ kind: 'accepted', attempt: 1 });
  t.deepEqual(kinds(core.step({ kind: 'closed', attempt: 1, reason: 'reset' })), ['lost', 'dial']);
});

test('Another leader ends the conversation with the one before, whatever its state', (t) => {
  const core = new RegistrationCore(OPTIONS);
  core.step({ kind: 'leaderChanged', leader: LEADER });
  core.step({ kind: 'connected', attempt: 1 });
  t.deepEqual(kinds(core.step({ kind: 'leaderChanged', leader: { host: 'jm2', port: 1 } })), ['hangUp', 'dial']);
  t.deepEqual(core.step({ kind: 'accepted', attempt: 1 }), []);
});

test('In every order of answers, an attempt is under way or a pause runs while there is a leader', (t) => {
  const answers = fc.constantFrom('connected', 'accepted', 'failed', 'closed', 'retryDue');
  fc.assert(
    fc.property(fc.array(answers, { maxLength: 40 }), (script) => {
      const core = new RegistrationCore(OPTIONS);
      let attempt = 0;
      let open = new Set<string>(); // What may answer now.
      const take = (effects: readonly RegistrationEffect[]): void => {
        for (const effect of effects) {
          if (effect.kind === 'dial') [attempt, open] = [effect.attempt, new Set(['connected', 'failed'])];
          if (effect.kind === 'register') open = new Set(['accepted', 'failed', 'closed']);
          if (effect.kind === 'registered') open = new Set(['closed']);
          if (effect.kind === 'startRetryTimer') open = new Set(['retryDue']);
        }
      };
      take(core.step({ kind: 'leaderChanged', leader: LEADER }));
      for (const kind of script) {
        if (!open.has(kind)) continue;
        if (kind === 'failed') take(core.step({ kind, attempt, reason: '', refused: false }));
        else if (kind === 'closed') take(core.step({ kind, attempt, reason: '' }));
        else take(core.step({ kind: kind as 'connected' | 'accepted' | 'retryDue', attempt }));
        t.true(open.size > 0);
      }
    }),
  );
});
