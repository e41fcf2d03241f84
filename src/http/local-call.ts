import type { Request } from 'express'
import { isPassedOn } from './passed-on.ts'

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/
const LOOPBACK_NAME = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i

const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i

/**
 * From this machine and meant for it: a page that lets a name lead here is not, nor one of another site that has a browser
 * on this machine ask for it.
 */
export const isLocal = (req: Request): boolean =>
  !isPassedOn(req) &&
  LOOPBACK.test(req.socket.remoteAddress ?? '') &&
  LOOPBACK_NAME.test(req.get('host') ?? '') &&
  LOOPBACK_ORIGIN.test(req.get('origin') ?? 'http://localhost')
