import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { LaneFailure } from './lane.ts'
import { describeDenial, type Denial } from './policy.ts'

/** An answer of the proxy's own. */
export type Refusal = Readonly<{ status: number; reason: string; text: string; header?: readonly [string, string] }>

const badGateway = (text: string, word: string): Refusal => ({
  status: 502,
  reason: 'Bad Gateway',
  text,
  header: ['X-Egress-Error', word],
})

/** Everything that the proxy answers by itself. */
export const refusals = {
  credentials: {
    status: 407,
    reason: 'Proxy Authentication Required',
    text: 'credentials are needed',
    header: ['Proxy-Authenticate', 'Basic realm="egress"'],
  },
  form: { status: 400, reason: 'Bad Request', text: 'only CONNECT host:port and http://host/path are served' },
  method: { status: 405, reason: 'Method Not Allowed', text: 'the method is not served' },
  length: { status: 411, reason: 'Length Required', text: 'a body must have a length' },
  busy: {
    status: 503,
    reason: 'Service Unavailable',
    text: 'too many connections',
    header: ['X-Egress-Error', 'busy'],
  },
  unresolved: badGateway('the host has no address', 'dns'),
  unreachable: badGateway('the host cannot be reached', 'connect'),
  broken: badGateway('the host gave no proper answer', 'response'),
  timeout: {
    status: 504,
    reason: 'Gateway Timeout',
    text: 'the host did not answer in time',
    header: ['X-Egress-Error', 'timeout'],
  },
  denied: (denial: Denial) => forbidden(denial.reason, `${denial.host} is ${describeDenial(denial.reason)}`),
  closed: (failure: LaneFailure) => forbidden(failure, 'the connection budget is closed'),
} as const satisfies Readonly<Record<string, Refusal | ((cause: never) => Refusal)>>

function forbidden(word: string, text: string): Refusal {
  return { status: 403, reason: 'Forbidden', text: `egress denied: ${text}`, header: ['X-Egress-Denied', word] }
}

/** Answers a plain request; the connection stays usable. */
export function respond(response: ServerResponse, refusal: Refusal): void {
  response.writeHead(refusal.status, refusal.reason, headersOf(refusal).flat())
  response.end(bodyOf(refusal))
}

/** Answers a CONNECT and closes its connection. */
export function endWith(socket: Socket, refusal: Refusal): void {
  const lines = [...headersOf(refusal), ['Connection', 'close'] as const].map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${refusal.status} ${refusal.reason}\r\n${lines.join('')}\r\n${bodyOf(refusal)}`)
}

function headersOf(refusal: Refusal): readonly (readonly [string, string])[] {
  return [
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Content-Length', String(Buffer.byteLength(bodyOf(refusal)))],
    ...(refusal.header === undefined ? [] : [refusal.header]),
  ]
}

function bodyOf(refusal: Refusal): string {
  return `${refusal.text}\n`
}
