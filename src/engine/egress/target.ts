import { isIP } from 'node:net'

/** Where a connection is meant to go: a host in its one spelling (no brackets, no trailing dot), and a port. */
export type Target = Readonly<{ host: string; port: number }>

/** Far more than any host has, percent-encoded too. */
const MAX_HOST_TEXT = 2_048

/** A target of a plain request; `path` includes the query. */
export type HttpTarget = Target & Readonly<{ path: string }>

/**
 * The one spelling of a host: lower case, punycode, dotted decimal whatever the notation was (`0x7f.1`, `2130706433`,
 * full-width digits), IPv6 without brackets. Null when no URL could name it.
 */
export function canonicalHost(text: string): string | null {
  const literal = isIP(text) === 6 ? `[${text}]` : text
  if (literal === '' || literal.length > MAX_HOST_TEXT || /[\s/?#@\\]|:(?![^[]*\])/.test(literal)) return null
  const url = URL.parse(`http://${literal}/`)
  return url === null ? null : hostOfUrl(url)
}

/** The host of a URL as `canonicalHost` spells it; null for what is only dots. */
export function hostOfUrl(url: URL): string | null {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
  return host === '' || host.endsWith('.') || host.length > 253 ? null : host
}

/** Reads `host:port` of a CONNECT request. Null unless both are there and well formed. */
export function parseAuthority(text: string): Target | null {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+):(\d{1,5})$/.exec(text)
  if (match === null) return null
  const host = canonicalHost(match[1] ?? '')
  const port = Number(match[2])
  return host === null || port < 1 || port > 65_535 ? null : { host, port }
}

/** Reads the absolute form `http://host[:port]/path` of a request; the path stays as it was sent. Null for all else. */
export function parseHttpTarget(text: string): HttpTarget | null {
  const match = /^http:\/\/([^/?#]+)([^#]*)/i.exec(text)
  const authority = match?.[1] ?? ''
  const rest = match?.[2] ?? ''
  const target = parseAuthority(/:\d*$/.test(authority.replace(/^\[.*\]/, '')) ? authority : `${authority}:80`)
  if (target === null) return null
  return { ...target, path: rest.startsWith('/') ? rest : `/${rest}` }
}

/** `host:port` with IPv6 in brackets; the port is left out when it is `defaultPort`. */
export function authorityOf(target: Target, defaultPort: number | null = null): string {
  const host = target.host.includes(':') ? `[${target.host}]` : target.host
  return target.port === defaultPort ? host : `${host}:${target.port}`
}
