import type { Router } from 'express'
import { Refusal } from '../domain/errors.ts'
import type { Endpoint } from './route.ts'

/** Refuses `method_not_allowed` a known path with a method it does not have. */
export function refuseOtherMethods(router: Router, endpoints: readonly Pick<Endpoint, 'method' | 'path'>[]): void {
  for (const [path, known] of Map.groupBy(endpoints, (endpoint) => endpoint.path)) {
    const allowed = known.map(({ method }) => method.toUpperCase()).join(', ')
    router.all(path, (_req, res) => {
      res.setHeader('Allow', allowed)
      throw new Refusal('method_not_allowed', 'Method not allowed')
    })
  }
}
