export { createEgress, type Egress, type EgressOptions, type EgressStats } from './egress.ts'
export { EgressError } from './error.ts'
export { createEgressFetch, type EgressFetch, type EgressFetchOptions, type EgressResponse } from './fetch.ts'
export type { EgressLane, LaneFailure, LaneOptions } from './lane.ts'
export {
  createPolicy,
  describeDenial,
  type Denial,
  type DenialReason,
  type EgressPolicy,
  type UrlVerdict,
} from './policy.ts'
export type { EgressLog } from './proxy.ts'
export { selfTest } from './self-test.ts'
export { parseUpstream } from './upstream.ts'
