import { pino, type Logger } from 'pino'
import type { Config } from './config/index.ts'

/** Wherever a secret could stand in what is logged. */
const SECRETS = [
  'key',
  'value',
  'apiKey',
  'authorization',
  'cookie',
  'proxyUrl',
  'req.headers',
  '*.headers',
  '*.proxyUrl',
  '*.cookies',
]

/** The root logger: JSON lines on standard output, times and levels as people read them, secrets struck out. */
export function createLogger(level: Config['logLevel']): Logger {
  return pino({
    ...{ level, base: null, redact: { paths: SECRETS, censor: '[secret]' } },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  })
}
