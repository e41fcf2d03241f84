export { createEgress, type Egress, type EgressOptions, type EgressStats } from './egress.ts'
export { EgressError } from './error.ts'
export {
  createEgressFetch,
  createEgressOpen,
  type EgressFetch,
  type EgressFetchOptions,
  type EgressOpen,
  type EgressResponse,
  type EgressStream,
} from './fetch.ts'
export type { EgressLane, LaneFailure, LaneOptions, LaneRoute } from './lane.ts'
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
