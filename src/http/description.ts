import { coreErrorSchema } from './core/answers.ts'
import { coreEndpoints } from './core/index.ts'
import { buildDocument, type ApiDocument, type Face, type Section } from './openapi.ts'
import { easydownErrorSchema } from './easydown/errors.ts'
import { easydownEndpoints } from './easydown/index.ts'
import { mediaProxyEndpoint, mediaProxyErrorSchema } from './media-proxy/index.ts'
import { detailSchema } from './mezdia/error-body.ts'
import { mezdiaEndpoints } from './mezdia/index.ts'
import { opsEndpoints } from './ops/index.ts'
import { picoshotEndpoints, picoshotErrorSchema } from './picoshot/index.ts'
import { errorSchema, problemSchema } from './v1/error-body.ts'
import { v1Routes } from './v1/index.ts'

const INTRO = `A URL goes in, yt-dlp and ffmpeg run contained, files come out.

Two APIs do the same work. The native one, under \`/v1\`, knows everything the daemon can do. The one at the root is that
of yt-dlp-host, for clients that were made for it. A key works at both.`

/** In the order in which they are shown. */
const SECTIONS: readonly Section[] = [
  { name: 'Tasks', description: 'What is to be downloaded, and how far it is' },
  { name: 'Batches', description: 'Tasks that were submitted together' },
  { name: 'Queue', description: 'The queue as a whole' },
  { name: 'Info', description: 'What a URL is, before anything is downloaded' },
  { name: 'Archive', description: 'What was downloaded out of playlists' },
  { name: 'Files', description: 'What tasks made' },
  { name: 'Feeds', description: 'What tasks made, for podcast apps' },
  { name: 'Events', description: 'Live progress as server-sent events' },
  { name: 'Webhooks', description: 'Messages to an address of the client' },
  { name: 'Keys', description: 'Who may do what, and who did' },
  { name: 'Usage', description: 'What keys used on each day' },
  { name: 'Audit', description: 'Who did what to the installation' },
  { name: 'Cookies and sites', description: 'Logged-in sessions of sites, and what the operator set for sites' },
  { name: 'Core: tasks', description: 'The API of yt-dlp-host: tasks and their files' },
  { name: 'Core: keys', description: 'The API of yt-dlp-host: keys' },
  { name: 'picoshot', description: 'The API of picoshot: posts of YouTube, Instagram and TikTok' },
  { name: 'Easydown', description: 'The API of Easydown: posts of nine services' },
  { name: 'Mezdia: YouTube', description: 'The API of Mezdia: videos, playlists and their subtitles' },
  { name: 'Mezdia: Instagram', description: 'The API of Mezdia: posts, reels, stories and profiles' },
  { name: 'Mezdia: jobs', description: 'The API of Mezdia: how far downloads are, and their files' },
  { name: 'Media proxy', description: 'Media whose hosts do not answer browsers' },
  { name: 'Operations', description: 'For those who run the daemon' },
]

const nativeErrors = {
  id: 'Error',
  content: { 'application/json': errorSchema, 'application/problem+json': problemSchema },
}

const picoshotErrors = { id: 'PicoshotError', content: { 'application/json': picoshotErrorSchema } }
const easydownErrors = { id: 'EasydownError', content: { 'application/json': easydownErrorSchema } }
const mediaProxyErrors = { id: 'MediaProxyError', content: { 'application/json': mediaProxyErrorSchema } }

const faces: readonly Face[] = [
  { prefix: '/v1', endpoints: v1Routes, security: ['ApiKey', 'Bearer'], errors: nativeErrors },
  {
    prefix: '',
    endpoints: coreEndpoints,
    security: ['ApiKey'],
    errors: { id: 'CoreError', content: { 'application/json': coreErrorSchema } },
  },
  ...['', '/compat/picoshot'].map((prefix) => ({
    prefix,
    endpoints: picoshotEndpoints,
    security: ['ApiKey', 'Bearer'] as const,
    errors: picoshotErrors,
  })),
  ...['', '/compat/easydown'].map((prefix) => ({
    prefix,
    endpoints: easydownEndpoints,
    security: ['Bearer'] as const,
    errors: easydownErrors,
  })),
  ...['', '/compat/picoshot', '/compat/easydown'].map((prefix) => ({
    prefix,
    endpoints: [mediaProxyEndpoint],
    security: ['ApiKey', 'Bearer'] as const,
    errors: mediaProxyErrors,
  })),
  {
    prefix: '/compat/mezdia',
    endpoints: mezdiaEndpoints,
    security: ['ApiKey', 'Bearer'],
    errors: { id: 'MezdiaError', content: { 'application/json': detailSchema } },
  },
  { prefix: '', endpoints: opsEndpoints, security: ['ApiKey', 'Bearer'], errors: nativeErrors },
]

/** All faces in one description. */
export const describeApi = (): ApiDocument => buildDocument({ intro: INTRO, sections: SECTIONS, faces })
