/** From a job's configuration to what its JobMaster is configured with. */
import { Configuration } from '../config/configuration.ts';
import { options } from '../config/options.ts';
import type { RestartStrategyOptions } from '../jobmaster/restart-strategy.core.ts';
import { ClusterError } from '../protocol/errors.ts';
import type { JobSettings } from './dispatcher.ts';

/** Throws CONFIG_INVALID naming what cannot be read. */
export function jobSettingsOf(texts: Readonly<Record<string, string>>): JobSettings {
  const configuration = Configuration.of(texts);
  try {
    return { restartStrategy: restartStrategyFrom(configuration), slotRequestTimeoutMs: configuration.get(options.slotRequestTimeout) };
  } catch (thrown) {
    throw new ClusterError('CONFIG_INVALID', `the job's configuration is invalid: ${String(thrown)}`, { cause: thrown });
  }
}

function restartStrategyFrom(configuration: Configuration): RestartStrategyOptions {
  const kind = configuration.get(options.restartStrategy) ?? 'none';
  switch (kind) {
    case 'none':
      return { kind };
    case 'fixed-delay':
      return { kind, attempts: configuration.get(options.fixedDelayAttempts), delayMs: configuration.get(options.fixedDelay) };
    case 'failure-rate':
      return {
        kind,
        failuresMax: configuration.get(options.failureRateMax),
        intervalMs: configuration.get(options.failureRateInterval),
        delayMs: configuration.get(options.failureRateDelay),
      };
    default:
      throw new ClusterError(
        'CONFIG_INVALID', `restart-strategy.type: ${kind} is not available in this version; use none, fixed-delay or failure-rate`,
      );
  }
}
