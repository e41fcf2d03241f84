import { z } from 'zod'
import { MAX_COOKIE_CHARS, MAX_COOKIES, type Cookie } from '../../domain/cookies.ts'
import { TASK_ERROR_CODES } from '../../domain/errors.ts'
import { isoTime, isoTimeOrNull } from '../../domain/iso-time.ts'
import type { JarView } from '../../keys/cookie-jars.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { wholeListOf } from './list.ts'

const MAX_HOST_CHARS = 253

const siteParams = z.object({
  site: z.string().max(MAX_HOST_CHARS).meta({ description: 'The site by its host name', example: 'youtube.com' }),
})

/** One cookie as programs hand it over. */
const cookieSchema = z
  .strictObject({
    name: z.string().max(4096),
    value: z.string().max(8192),
    domain: z
      .string()
      .max(MAX_HOST_CHARS + 1)
      .meta({ description: 'With a leading dot it holds for subdomains too', example: '.youtube.com' }),
    path: z.string().max(1024).default('/'),
    secure: z.boolean().default(false),
    http_only: z.boolean().optional().meta({ description: 'Makes no difference here' }),
    expires: z
      .number()
      .nullable()
      .default(null)
      .meta({ description: 'Seconds since the epoch; null or 0 = a cookie of the session' }),
  })
  .meta({ id: 'Cookie' })

const cookieBody = z
  .strictObject({
    netscape: z
      .string()
      .max(MAX_COOKIE_CHARS, { error: `netscape may have at most ${MAX_COOKIE_CHARS} characters`, abort: true })
      .optional()
      .meta({
        description: 'A cookie file as browser add-ons and `curl` write it',
        example: '# Netscape HTTP Cookie File\n.youtube.com\tTRUE\t/\tTRUE\t1893456000\tLOGIN_INFO\tsecret\n',
      }),
    cookies: z
      .array(cookieSchema)
      .max(MAX_COOKIES, { error: `at most ${MAX_COOKIES} cookies`, abort: true })
      .optional()
      .meta({ description: 'The same one by one' }),
  })
  .refine(({ netscape, cookies }) => (netscape === undefined) !== (cookies === undefined), {
    error: 'send either netscape or cookies',
    path: ['netscape'],
  })
  .meta({ id: 'CookieUpload' })

type CookieBody = z.output<typeof cookieBody>

const time = (description: string) => z.iso.datetime().nullable().meta({ description })

const jarFields = {
  site: z.string().meta({ example: 'youtube.com' }),
  cookies: z.int().meta({ description: 'How many' }),
  names: z.array(z.string()).meta({ description: 'Their names; values are never shown' }),
  created_at: z.iso.datetime().meta({ description: 'When they were sent' }),
  updated_at: z.iso.datetime().meta({ description: 'When the site last renewed one, or they were sent' }),
  age_seconds: z.int().meta({ description: 'Since they were sent' }),
  expires_at: time('When the first of those that look like a login expires; null when none does'),
  last_success_at: time('When a task last went well with them'),
  last_failure_at: time('When a task last failed for want of a valid login'),
  last_failure: z.enum(TASK_ERROR_CODES).nullable().meta({ description: 'Why it did', example: 'login_required' }),
}

const jarSchema = z.strictObject(jarFields).meta({ id: 'CookieJar', description: 'Cookies of one site' })

const putAnswer = z
  .strictObject({
    ...jarFields,
    kept: z.int().meta({ description: 'Cookies of the site' }),
    dropped: z.int().meta({ description: 'Those of other sites, expired ones and doubles' }),
  })
  .meta({ id: 'CookieJarUpdate' })

function jarView(jar: JarView): z.input<typeof jarSchema> {
  return {
    site: jar.site,
    cookies: jar.cookies,
    names: [...jar.names],
    created_at: isoTime(jar.createdAt),
    updated_at: isoTime(jar.updatedAt),
    age_seconds: Math.max(0, Math.round((Date.now() - jar.createdAt) / 1000)),
    expires_at: isoTimeOrNull(jar.expiresAt),
    last_success_at: isoTimeOrNull(jar.lastSuccessAt),
    last_failure_at: isoTimeOrNull(jar.lastFailureAt),
    last_failure: jar.lastFailure,
  }
}

/** `PUT /v1/cookies/:site`: in the place of what was there. */
const putCookies = defineRoute<V1Context, CookieBody, z.output<typeof siteParams>>({
  method: 'put',
  path: '/cookies/:site',
  permission: 'set_cookies',
  params: siteParams,
  body: cookieBody,
  doc: {
    summary: 'Hand over the cookies of a site',
    description:
      'Tasks of this key on the site, its subdomains and its other names run with them from now on, in the place of those there were. Cookies of other sites are left out and counted. They are kept encrypted, are never shown again, and are renewed when the site renews them.',
    tag: 'Cookies and sites',
    answers: { 200: putAnswer },
  },
  async handle({ jars, audit }, { key, params, input, req }) {
    const { kept, dropped, ...jar } = await jars.put(key, params.site, givenOf(input))
    await audit.record(key, req, 'cookies.set', { target: jar.site, detail: `${kept} cookies` })
    return { ...jarView(jar), kept, dropped } satisfies z.input<typeof putAnswer>
  },
})

function givenOf({ netscape = '', cookies }: CookieBody): { netscape: string } | { cookies: readonly Cookie[] } {
  if (cookies === undefined) return { netscape }
  const plain = cookies.map(({ name, value, domain, path, secure, expires }) => ({
    name,
    value,
    domain,
    path,
    secure,
    expires,
  }))
  return { cookies: plain }
}

/** `GET /v1/cookies`: the key's own. */
const listCookies = defineRoute<V1Context>({
  method: 'get',
  path: '/cookies',
  permission: 'set_cookies',
  counts: false,
  costly: true,
  body: null,
  doc: {
    summary: 'List the sites this key has cookies of',
    tag: 'Cookies and sites',
    answers: {
      200: wholeListOf(jarSchema).meta({ id: 'CookieJarList' }),
    },
  },
  async handle({ jars }, { key }) {
    return { items: (await jars.list(key)).map(jarView), next: null }
  },
})

/** `DELETE /v1/cookies/:site`. */
const deleteCookies = defineRoute<V1Context, null, z.output<typeof siteParams>>({
  method: 'delete',
  path: '/cookies/:site',
  permission: 'set_cookies',
  params: siteParams,
  body: null,
  doc: {
    summary: 'Forget the cookies of a site',
    tag: 'Cookies and sites',
    answers: { 200: z.strictObject({ site: z.string(), deleted: z.literal(true) }).meta({ id: 'CookieJarDeleted' }) },
  },
  async handle({ jars, audit }, { key, params, req }) {
    const site = await jars.remove(key, params.site)
    await audit.record(key, req, 'cookies.deleted', { target: site })
    return { site, deleted: true }
  },
})

/** Cookies of sites. */
export const cookieRoutes: readonly AnyRoute<V1Context>[] = [listCookies, putCookies, deleteCookies]
