import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { RequestHandler } from 'express'
import { Refusal } from '../../domain/errors.ts'
import { etagOf } from '../etag.ts'

/** Where the page's own path ends decides what its relative addresses mean; so they work behind any prefix. */
const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>ytdlpd API</title>
    <link rel="icon" type="image/png" href="favicon-32x32.png" />
    <link rel="stylesheet" href="swagger-ui.css" />
  </head>
  <body>
    <div id="page"></div>
    <script src="swagger-ui-bundle.js"></script>
    <script src="start.js"></script>
  </body>
</html>
`

/** A validator or a configuration from the address would be requests to others. */
const START = `window.SwaggerUIBundle({
  url: '../openapi.json',
  domNode: document.getElementById('page'),
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  filter: true,
  queryConfigEnabled: false,
  tryItOutEnabled: true,
  validatorUrl: null,
})
`

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.png': 'image/png',
}

/** The files of the page: ours, or null for those out of swagger-ui-dist. Nothing else is served. */
const FILES = {
  'index.html': PAGE,
  'start.js': START,
  'swagger-ui-bundle.js': null,
  'swagger-ui.css': null,
  'favicon-32x32.png': null,
} as const

export const DOCS_FILES = Object.keys(FILES) as readonly (keyof typeof FILES)[]

/** Nothing but our own scripts, styles and answers: the page cannot be made to ask anybody else. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** How long a browser may use a file without asking again. */
const MAX_AGE_S = 3600

type FileName = keyof typeof FILES

type Loaded = Readonly<{ content: Buffer; etag: string; type: string }>

/** The interactive page of the API, below the path it is mounted at. */
export function docsPage(): RequestHandler {
  const loaded = new Map<string, Promise<Loaded>>()
  const load = (name: FileName): Promise<Loaded> => {
    const known = loaded.get(name) ?? loadFile(name)
    loaded.set(name, known)
    known.catch(() => loaded.delete(name)) // the next call tries again
    return known
  }
  return async (req, res) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') throw new Refusal('method_not_allowed', 'Method not allowed')
    // Without its last slash the page would look for its files one level too high.
    if (req.path === '/' && !req.originalUrl.split('?')[0]?.endsWith('/'))
      return res
        .status(308)
        .setHeader('Location', `${path.posix.basename(req.baseUrl)}/`)
        .end()
    const name = req.path === '/' ? 'index.html' : req.path.slice(1)
    if (!isOurs(name)) throw new Refusal('route_not_found', 'Not found')
    const { content, etag, type } = await load(name)
    res.setHeader('Content-Security-Policy', POLICY)
    res.setHeader('X-Content-Type-Options', 'nosniff')
    res.setHeader('Referrer-Policy', 'no-referrer')
    res.setHeader('Cache-Control', name === 'index.html' ? 'no-cache' : `public, max-age=${MAX_AGE_S}`)
    res.setHeader('ETag', etag)
    if (req.fresh) return res.status(304).end()
    res.setHeader('Content-Type', type)
    res.send(content)
  }
}

const isOurs = (name: string): name is FileName => Object.hasOwn(FILES, name)

async function loadFile(name: FileName): Promise<Loaded> {
  const own = FILES[name]
  const content = own === null ? await readFile(path.join(packageFolder(), name)) : Buffer.from(own)
  return { content, etag: etagOf(content), type: TYPES[path.extname(name)] ?? 'application/octet-stream' }
}

const packageFolder = () => path.dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
