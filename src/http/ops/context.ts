import type { Logger } from 'pino'
import type { Health } from '../../tasks/health.ts'
import type { Metrics } from '../../tasks/metrics.ts'

/** What the endpoints for operators may use. */
export type OpsContext = Readonly<{ health: Health; metrics: Metrics; log: Logger }>
