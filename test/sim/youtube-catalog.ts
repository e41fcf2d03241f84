/** Why a video cannot be played, in the words of the player API. */
export type Refusal = Readonly<{
  status: 'ERROR' | 'UNPLAYABLE' | 'LOGIN_REQUIRED' | 'LIVE_STREAM_OFFLINE'
  reason: string
  /** Text of the player's error screen and the line under it. */
  screen?: string
  detail?: string
  ageGate?: boolean
}>

export type Video = Readonly<{
  id: string
  title: string
  /** Seconds. */
  duration: number
  channel: string
  channelId: string
  handle: string
  views: number
  likes: number
  date: string
  category: string
  description: string
  tags: readonly string[]
  maxHeight: number
  /** Languages of manual subtitles, and of the automatic ones. */
  subtitles?: readonly string[]
  autoCaptions?: string
  /** Start in seconds, and title. */
  chapters?: readonly (readonly [number, string])[]
  heatmap?: boolean
  /** A vertical one. */
  short?: boolean
  live?: boolean
  upcoming?: boolean
  unlisted?: boolean
  audioTracks?: readonly Readonly<{ id: string; name: string; isDefault: boolean }>[]
  error?: Refusal
  /** Countries where it may be seen. */
  countries?: readonly string[]
}>

export type Playlist = Readonly<{ title: string; ids: readonly string[] }>

export const CHANNEL = { channel: 'Sim Channel', channelId: 'UCsimsimsimsimsimsimsim0', handle: '@simchannel' } as const

/** A complete record of a plain public video; `id` must have eleven characters for yt-dlp to accept its URL. */
export const createVideo = (video: Partial<Video> & Readonly<{ id: string }>): Video => ({
  ...CHANNEL,
  title: '',
  duration: 65,
  views: 1_234_567,
  likes: 54_321,
  date: '2024-05-17T08:30:00-07:00',
  category: 'Music',
  description: 'A simulated video.\n\nLinks: https://example.com',
  tags: ['sim', 'test'],
  maxHeight: 2160,
  ...video,
})

const bulkId = (index: number): string => `simBulk${String(index).padStart(4, '0')}`
const bulkIds = (count: number): string[] => Array.from({ length: count }, (_, index) => bulkId(index))

const unavailable = (detail: string): Refusal => ({
  status: 'ERROR',
  reason: 'Video unavailable',
  screen: 'Video unavailable',
  detail,
})
const loginRequired = (reason: string, detail: string): Refusal => ({
  status: 'LOGIN_REQUIRED',
  reason,
  screen: reason,
  detail,
})

const PLAYABLE = [
  createVideo({
    id: 'dQw4w9WgXcQ',
    title: 'Sim: Never Going To Give You Up (4K)',
    subtitles: ['en', 'de'],
    autoCaptions: 'en',
    chapters: [
      [0, 'Intro'],
      [20, 'Verse'],
      [40, 'Chorus'],
    ],
    heatmap: true,
  }),
  createVideo({ id: 'simShort001', title: 'Sim: vertical short', short: true, duration: 12, maxHeight: 1080 }),
  createVideo({ id: 'simPlain001', title: 'Sim: plain 720p', maxHeight: 720, duration: 30 }),
  createVideo({ id: 'simPlain002', title: 'Sim: /\\:*?"<>| ünïcödé 日本語 😀 title', maxHeight: 360, duration: 20 }),
  createVideo({
    id: 'simPlain003',
    title: 'Sim: audio tracks',
    maxHeight: 360,
    duration: 20,
    audioTracks: [
      { id: 'en.4', name: 'English original', isDefault: true },
      { id: 'de.3', name: 'German', isDefault: false },
    ],
  }),
  createVideo({ id: 'simLive0001', title: 'Sim: live now', live: true, maxHeight: 720, duration: 0 }),
]

const REFUSED = [
  createVideo({
    id: 'simUpcom001',
    title: 'Sim: premiere',
    upcoming: true,
    error: { status: 'LIVE_STREAM_OFFLINE', reason: 'Premieres in 2 hours' },
  }),
  createVideo({
    id: 'simPrivate1',
    error: loginRequired('Private video', "Sign in if you've been granted access to this video"),
  }),
  createVideo({ id: 'simRemoved1', error: unavailable('This video has been removed by the uploader') }),
  createVideo({
    id: 'simTermin01',
    error: unavailable(
      'This video is no longer available because the YouTube account associated with this video has been terminated.',
    ),
  }),
  createVideo({
    id: 'simAgeGate1',
    title: 'Sim: age gate',
    error: {
      ...loginRequired('Sign in to confirm your age', 'This video may be inappropriate for some users.'),
      ageGate: true,
    },
  }),
  createVideo({
    id: 'simBotChk01',
    error: loginRequired('Sign in to confirm you’re not a bot', 'This helps protect our community. Learn more'),
  }),
  createVideo({
    id: 'simGeoBlk01',
    title: 'Sim: geo',
    error: {
      ...unavailable('The uploader has not made this video available in your country'),
      status: 'UNPLAYABLE',
    },
    countries: ['DE', 'FR'],
  }),
  createVideo({
    id: 'simMembers1',
    title: 'Sim: members',
    error: {
      status: 'UNPLAYABLE',
      reason: 'Join this channel to get access to members-only content like this video, and other exclusive perks.',
    },
  }),
  createVideo({
    id: 'simRateLim1',
    error: {
      status: 'ERROR',
      reason: "This content isn't available, try again later.",
      screen: "This content isn't available, try again later.",
    },
  }),
]

const BULK = Array.from({ length: 250 }, (_, index) =>
  createVideo({ id: bulkId(index), title: `Sim: bulk ${index}`, maxHeight: 360, duration: 10 + (index % 7) }),
)

/** The library, by id. A test may add its own. */
export const videos = new Map<string, Video>([...PLAYABLE, ...REFUSED, ...BULK].map((video) => [video.id, video]))

/** By id; an entry whose id is not in `videos` is left out of the listing. A test may add its own. */
export const playlists = new Map<string, Playlist>([
  [
    'PLsimsimsimsimsimsimsimsimsimsim0001',
    {
      title: 'Sim: mixed playlist',
      ids: ['dQw4w9WgXcQ', 'simPlain001', 'simPrivate1', 'simPlain002', 'simRemoved1', 'simPlain003'],
    },
  ],
  ['PLsimsimsimsimsimsimsimsimsimsim0250', { title: 'Sim: 250 videos', ids: bulkIds(250) }],
])

/** Adds a playlist of `count` short videos and returns its id. */
export function addBulkPlaylist(count: number): string {
  const id = `PLsimsimsimsimsimsimsimsimsimsi${String(count).padStart(5, '0')}`
  const ids = bulkIds(count)
  ids.forEach((videoId, index) => {
    if (videos.has(videoId)) return
    videos.set(videoId, createVideo({ id: videoId, title: `Sim: bulk ${index}`, maxHeight: 360, duration: 10 }))
  })
  playlists.set(id, { title: `Sim: ${count} videos`, ids })
  return id
}
