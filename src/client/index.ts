import createClient, { type Client } from 'openapi-fetch'
import type { paths } from './schema.d.ts'

/** Every endpoint with the types of its input and of its answers. */
export type YtdlpdClient = Client<paths>

export type YtdlpdClientOptions = Readonly<{
  /** Where the daemon is, with its prefix if it has one: `https://media.example/ytdlpd`. */
  baseUrl: string
  /** Left out: for the endpoints that need none. */
  apiKey?: string
  /** Instead of the global one. */
  fetch?: (request: Request) => Promise<Response>
}>

/** Talks to a daemon: `client.GET('/v1/tasks/{id}', { params: { path: { id } } })` resolves to `{ data, error, response }`. */
export function createYtdlpdClient({ baseUrl, apiKey, fetch }: YtdlpdClientOptions): YtdlpdClient {
  return createClient<paths>({
    baseUrl: baseUrl.replace(/\/+$/, ''),
    headers: apiKey === undefined ? {} : { 'X-API-Key': apiKey },
    ...(fetch === undefined ? {} : { fetch }),
  })
}
