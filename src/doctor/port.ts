import http from 'node:http'
import net from 'node:net'
import { text } from 'node:stream/consumers'
import type { Config } from '../config/index.ts'
import { ok, problem, reasonOf, warning, type Finding } from './finding.ts'

const ANSWER_MS = 5_000

/** Whether the port is free, or a daemon answers there, and how it is. */
export async function checkPort({ http: { host, port } }: Config): Promise<Finding[]> {
  if (port === 0) return [ok('port', 'PORT=0: any free one')]
  const taken = await cannotListen(host, port)
  if (taken === null) return [ok('port', `${host}:${port} is free: no daemon runs there`)]
  if (taken.code !== 'EADDRINUSE') return [problem('port', taken.message, 'Correct HOST and PORT')]
  const answer = await askReady(host, port)
  if (answer === null)
    return [problem('port', `something else uses ${host}:${port}`, 'Stop it, or set PORT to another')]
  if (answer.length === 0) return [ok('port', `a daemon answers at ${host}:${port} and is ready`)]
  return answer.map((why) => warning('port', `the daemon at ${host}:${port} is not ready: ${why}`, 'See its log'))
}

function cannotListen(host: string, port: number): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', resolve)
    server.listen(port, host, () => server.close(() => resolve(null)))
  })
}

/** Why the daemon there is not ready, nothing when it is; null when it is none of ours. */
async function askReady(host: string, port: number): Promise<string[] | null> {
  const hostname = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      const request = http.get({ hostname, port, path: '/ready', timeout: ANSWER_MS, agent: false }, (response) => {
        text(response).then(resolve, reject)
      })
      request.once('timeout', () => request.destroy(new Error('no answer')))
      request.once('error', reject)
    })
    const { ready, reasons } = JSON.parse(answer) as { ready?: unknown; reasons?: unknown }
    return typeof ready === 'boolean' && Array.isArray(reasons) ? reasons.map(String) : null
  } catch (error) {
    return error instanceof SyntaxError ? null : [reasonOf(error)]
  }
}
