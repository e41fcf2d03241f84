import type { RequestHandler } from 'express'

const HOUR_S = 3_600

/** Lets pages of any origin call a face and read `exposed` headers; answers preflights. No cookies are ever involved. */
export function allowAllOrigins(exposed: readonly string[] = []): RequestHandler {
  return (req, res, next) => {
    res.setHeader('Access-Control-Allow-Origin', '*')
    res.setHeader('Access-Control-Expose-Headers', ['Retry-After', 'X-Request-Id', ...exposed].join(', '))
    if (req.method !== 'OPTIONS') return next()
    res.setHeader('Access-Control-Allow-Methods', 'GET, HEAD, POST, DELETE, OPTIONS')
    res.setHeader('Access-Control-Allow-Headers', 'Authorization, Content-Type, Range, X-API-Key')
    res.setHeader('Access-Control-Max-Age', HOUR_S)
    res.status(204).end()
  }
}
