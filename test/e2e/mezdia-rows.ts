/** What the calls of this face need. `job`: a completed one, and its file. */
type Ground = Readonly<{ url: string; job: string; jobFile: string }>

type Row = Readonly<{
  path?: Readonly<Record<string, string>>
  query?: Readonly<Record<string, string>>
  body?: unknown
  headers: Readonly<Record<string, string>>
  status?: number
  stranger?: number
}>

/** From elsewhere than this machine: nobody is let in without a key then. */
const headers = { 'X-Forwarded-For': '203.0.113.7' }
const own = { headers, stranger: 200 }
const download = (body: unknown, more: Partial<Row> = {}): Row => ({ headers, body, stranger: 403, ...more })

/** No site answers the daemon of these tests: what Instagram shows is left to others, what is refused is told here. */
const NO_POST = { headers, query: { url: 'https://www.instagram.com/' }, status: 400 }
const NOBODY = { headers, query: { username: 'no body' }, status: 400 }

/** One row for each endpoint. */
export const MEZDIA_ROWS: Readonly<Record<string, (ground: Ground) => Row>> = {
  'GET /compat/mezdia/health': () => own,
  'GET /compat/mezdia/info': ({ url }) => ({ headers, query: { url } }),
  'GET /compat/mezdia/formats': ({ url }) => ({ headers, query: { url } }),
  'GET /compat/mezdia/download/playlist/info': ({ url }) => ({ headers, query: { url }, status: 400 }),
  'GET /compat/mezdia/subtitles': ({ url }) => ({ headers, query: { url } }),
  'POST /compat/mezdia/subtitles': ({ url }) => ({ headers, body: { url }, status: 404 }),
  'GET /compat/mezdia/thumbnail': ({ url }) => ({ headers, query: { url }, status: 404 }),
  'GET /compat/mezdia/stream/video': ({ url }) => ({ headers, query: { url } }),
  'POST /compat/mezdia/download/single': ({ url }) => download({ url }),
  'POST /compat/mezdia/download/playlist/all': ({ url }) => download({ url }),
  'POST /compat/mezdia/download/playlist/select': ({ url }) => download({ url, video_indices: [0] }),
  'POST /compat/mezdia/download/batch': ({ url }) => download({ urls: [url] }),
  'GET /compat/mezdia/status/{id}': ({ job }) => ({ headers, path: { id: job } }),
  'GET /compat/mezdia/download/file/{name}': ({ jobFile }) => ({ headers, path: { name: jobFile } }),
  'POST /compat/mezdia/jobs/{id}/cancel': ({ job }) => ({ headers, path: { id: job }, status: 400 }),
  'GET /compat/mezdia/jobs': () => own,
  'GET /compat/mezdia/instagram/info': () => own,
  'GET /compat/mezdia/instagram/post/info': () => NO_POST,
  'GET /compat/mezdia/instagram/reel/info': () => NO_POST,
  'GET /compat/mezdia/instagram/post/stats': () => NO_POST,
  'GET /compat/mezdia/instagram/reel/stats': () => NO_POST,
  'GET /compat/mezdia/instagram/story/info': () => NOBODY,
  'GET /compat/mezdia/instagram/profile/info': () => NOBODY,
  'GET /compat/mezdia/instagram/profile/posts': () => NOBODY,
  'POST /compat/mezdia/instagram/download/post': () => download({ url: 'CnU4zIh9x_F' }),
  'POST /compat/mezdia/instagram/download/reel': () => download({ url: 'CnU4zIh9x_F' }),
  'POST /compat/mezdia/instagram/download/story': () => download({ username: 'somebody' }),
  'POST /compat/mezdia/instagram/download/carousel': () => download({ url: 'CnU4zIh9x_F' }),
  'POST /compat/mezdia/instagram/download/batch': () => download({ items: [{ url: 'CnU4zIh9x_F', type: 'post' }] }),
  'GET /compat/mezdia/instagram/status/{id}': ({ job }) => ({ headers, path: { id: job }, status: 400 }),
  'GET /compat/mezdia/instagram/download/file/{name}': () => ({ headers, path: { name: 'x_image.jpg' }, status: 404 }),
}
