import type { Request } from 'express'
import { z } from 'zod'
import { Refusal, type RefusalCode } from '../../domain/errors.ts'
import type { Keys } from '../../keys/keys.ts'
import type { ErrorBody } from '../errors.ts'

/** Every error of Easydown. */
export const easydownErrorSchema = z
  .strictObject({
    status: z.int().meta({ description: 'As in HTTP, but 302 and 304 for the two that are about the address' }),
    data: z.null(),
    msg: z.string(),
    code: z.union([z.string(), z.literal(302), z.literal(304)]).meta({
      description:
        '`302`: the address is none of a single post of the services (HTTP 400). `304`: there is nothing to be had (HTTP 200)',
    }),
  })
  .meta({ id: 'EasydownError', description: 'Why a call was refused' })

type Fault = Readonly<{ http: number; code: string | 302 | 304; msg: string }>

const FAULTS = {
  unsupported: { http: 400, code: 302, msg: 'Unsupported URL' },
  nothing: { http: 200, code: 304, msg: 'No downloadable media' },
  platform: { http: 403, code: 'platform_not_allowed', msg: 'Platform not allowed' },
} as const satisfies Readonly<Record<string, Fault>>

/** What only this API tells apart. */
export class EasydownRefusal extends Refusal {
  readonly fault: Fault

  constructor(fault: keyof typeof FAULTS, options: ErrorOptions = {}) {
    super('invalid_request', FAULTS[fault].msg, options)
    this.fault = FAULTS[fault]
  }
}

const UNAUTHORIZED = 'Unauthorized'
const TOO_MANY: Fault = { http: 429, code: 'rate_limited', msg: 'Too many requests' }
const INTERNAL: Fault = { http: 500, code: 'internal_error', msg: 'Internal server error' }

const KNOWN: Partial<Readonly<Record<RefusalCode, Fault>>> = {
  invalid_request: FAULTS.unsupported,
  malformed_body: FAULTS.unsupported,
  unsupported_media_type: FAULTS.unsupported,
  key_missing: { http: 401, code: 'missing_token', msg: UNAUTHORIZED },
  key_invalid: { http: 401, code: 'invalid_token', msg: UNAUTHORIZED },
  no_credits: { http: 402, code: 'insufficient_credits', msg: 'Insufficient credits' },
  rate_limited: TOO_MANY,
  queue_full: TOO_MANY,
  limit_exceeded: TOO_MANY,
  no_space: INTERNAL,
  shutting_down: INTERNAL,
  unavailable: INTERNAL,
  internal: INTERNAL,
}

/** Errors as clients of Easydown know them. */
export const easydownErrorBody =
  (keys: Pick<Keys, 'authenticate'>): ErrorBody =>
  (refusal, { req, res, status }) => {
    const fault = faultOf(refusal, status)
    res.status(fault.http)
    const isExpired = fault.code === 'invalid_token' && hasExpired(keys, req)
    return {
      status: typeof fault.code === 'number' ? fault.code : fault.http,
      data: null,
      msg: fault.msg,
      code: isExpired ? 'token_expired' : fault.code,
    } satisfies z.input<typeof easydownErrorSchema>
  }

function faultOf(refusal: Refusal, status: number): Fault {
  if (refusal instanceof EasydownRefusal) return refusal.fault
  return KNOWN[refusal.code] ?? { http: status, code: refusal.code, msg: refusal.message }
}

/** The value of the header that clients of Easydown send. */
export const bearerOf = (req: Request): string | undefined =>
  /^Bearer +(\S+)$/i.exec(req.get('authorization') ?? '')?.[1]

function hasExpired(keys: Pick<Keys, 'authenticate'>, req: Request): boolean {
  const key = keys.authenticate(bearerOf(req) ?? '')
  return key !== null && key.disabledAt === null && key.expiresAt !== null && key.expiresAt <= Date.now()
}
