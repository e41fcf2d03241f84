import { CHANNEL, type Playlist, playlists, type Video, videos } from './youtube-catalog.ts'
import { VISITOR_DATA } from './youtube-player.ts'
import { channelEndpoint, clock, runs, text, thumbnails } from './youtube-text.ts'

/** Entries of one page of a playlist; the site's own number. */
const PAGE_SIZE = 100

const CLIENT = { clientName: 'WEB', clientVersion: '2.20260708.00.00' } as const

/** `STS` spares yt-dlp the download of the player's script. */
const CONFIG = {
  INNERTUBE_API_KEY: 'AIzaSyA-sim',
  INNERTUBE_CLIENT_NAME: CLIENT.clientName,
  INNERTUBE_CLIENT_VERSION: CLIENT.clientVersion,
  INNERTUBE_CONTEXT_CLIENT_NAME: 1,
  VISITOR_DATA,
  STS: 20_645,
  LOGGED_IN: false,
  PLAYER_JS_URL: '/s/player/0a1b2c3d/player_ias.vflset/en_US/base.js',
  INNERTUBE_CONTEXT: { client: { hl: 'en', gl: 'US', ...CLIENT, visitorData: VISITOR_DATA } },
} as const

/** A page of the site: its settings, its data and, on a watch page, the player's answer. */
export function htmlPage(data: unknown, player: unknown = null, head = ''): string {
  const script = (code: string) => `<script>${code}</script>`
  return [
    `<!DOCTYPE html><html><head>${head}${script(`ytcfg.set(${JSON.stringify(CONFIG)});`)}</head><body>`,
    player === null ? '' : script(`var ytInitialPlayerResponse = ${JSON.stringify(player)};`),
    script(`var ytInitialData = ${JSON.stringify(data)};`),
    '</body></html>',
  ].join('')
}

function likeButton(video: Video) {
  const buttonViewModel = {
    accessibilityText: `like this video along with ${video.likes.toLocaleString('en-US')} other people`,
  }
  const toggle = { toggleButtonViewModel: { toggleButtonViewModel: { defaultButtonViewModel: { buttonViewModel } } } }
  return { segmentedLikeDislikeButtonViewModel: { likeButtonViewModel: { likeButtonViewModel: toggle } } }
}

function videoPanels(video: Video) {
  const views = text(`${video.views.toLocaleString('en-US')} views`)
  const endpoint = channelEndpoint(video)
  return [
    {
      videoPrimaryInfoRenderer: {
        title: runs(video.title),
        viewCount: { videoViewCountRenderer: { viewCount: views, isLive: Boolean(video.live) } },
        dateText: text('May 17, 2024'),
        videoActions: { menuRenderer: { topLevelButtons: [likeButton(video)] } },
      },
    },
    {
      videoSecondaryInfoRenderer: {
        owner: {
          videoOwnerRenderer: {
            title: runs(video.channel, endpoint),
            subscriberCountText: text('4.2M subscribers'),
            navigationEndpoint: endpoint,
          },
        },
      },
    },
  ]
}

function chapterBar(video: Video) {
  if (!video.chapters) return {}
  const chapters = video.chapters.map(([start, title]) => ({
    chapterRenderer: { title: text(title), timeRangeStartMillis: start * 1000 },
  }))
  const playerBar = { chapteredPlayerBarRenderer: { chapters } }
  return { decoratedPlayerBarRenderer: { decoratedPlayerBarRenderer: { playerBar } } }
}

function heatmap(video: Video) {
  const markers = Array.from({ length: 100 }, (_, index) => ({
    startMillis: String(Math.round(index * video.duration * 10)),
    durationMillis: String(video.duration * 10),
    intensityScoreNormalized: Math.abs(Math.sin(index / 9)),
  }))
  const markersList = { markerType: 'MARKER_TYPE_HEATMAP', markers }
  return { entityBatchUpdate: { mutations: [{ payload: { macroMarkersListEntity: { markersList } } }] } }
}

/** What stands around the player: titles, channel, chapters, and the playlist when it is watched as part of one. */
export function watchNext(video: Video, list?: Readonly<{ id: string; playlist: Playlist }>) {
  const panel = list && {
    title: list.playlist.title,
    playlistId: list.id,
    titleText: text(list.playlist.title),
    endpoint: { commandMetadata: { webCommandMetadata: { url: `/playlist?list=${list.id}` } } },
    contents: list.playlist.ids.slice(0, 200).map((id) => {
      return { playlistPanelVideoRenderer: { videoId: id, title: text(videos.get(id)?.title ?? '[Private video]') } }
    }),
  }
  return {
    contents: {
      twoColumnWatchNextResults: {
        results: { results: { contents: video.title === '' ? [] : videoPanels(video) } },
        ...(panel ? { playlist: { playlist: panel } } : {}),
      },
    },
    playerOverlays: { playerOverlayRenderer: chapterBar(video) },
    ...(video.heatmap ? { frameworkUpdates: heatmap(video) } : {}),
  }
}

function playlistItem(id: string, index: number) {
  const video = videos.get(id)
  if (!video) return []
  const substitute = video.error?.screen === 'Private video' ? '[Private video]' : '[Deleted video]'
  const shown = video.title !== '' && {
    shortBylineText: runs(video.channel, channelEndpoint(video)),
    videoInfo: { runs: [{ text: '1.2M views' }, { text: ' • ' }, { text: '2 years ago' }] },
    ...(video.duration > 0 ? { lengthSeconds: String(video.duration), lengthText: text(clock(video.duration)) } : {}),
  }
  return [
    {
      playlistVideoRenderer: {
        videoId: id,
        index: text(String(index)),
        title: runs(video.title === '' ? substitute : video.title),
        isPlayable: !video.error,
        thumbnail: thumbnails(id, 'hqdefault', [336, 188]),
        ...(shown || {}),
      },
    },
  ]
}

/** One page of a playlist, with the token of the next page when there is one. */
export function playlistItems(id: string, from: number) {
  const { ids } = playlists.get(id) ?? { ids: [] }
  const items = ids.slice(from, from + PAGE_SIZE).flatMap((videoId, index) => playlistItem(videoId, from + index + 1))
  if (from + PAGE_SIZE >= ids.length) return items
  const token = `continue:${id}:${from + PAGE_SIZE}`
  const continuationCommand = { token, request: 'CONTINUATION_REQUEST_TYPE_BROWSE' }
  return [...items, { continuationItemRenderer: { continuationEndpoint: { continuationCommand } } }]
}

/** The data of a playlist page. */
export function playlistData(id: string) {
  const playlist = playlists.get(id)
  if (!playlist) {
    const alertRenderer = { type: 'ERROR', text: text('The playlist does not exist.') }
    return { responseContext: {}, alerts: [{ alertRenderer }] }
  }
  const count = runs(`${playlist.ids.length} videos`)
  const list = { playlistVideoListRenderer: { playlistId: id, contents: playlistItems(id, 0) } }
  const content = { sectionListRenderer: { contents: [{ itemSectionRenderer: { contents: [list] } }] } }
  return {
    metadata: { playlistMetadataRenderer: { title: playlist.title, description: 'sim playlist' } },
    header: {
      playlistHeaderRenderer: {
        playlistId: id,
        title: text(playlist.title),
        numVideosText: count,
        ownerText: runs(CHANNEL.channel, channelEndpoint(CHANNEL)),
        viewCountText: text('1,000 views'),
        privacy: 'PUBLIC',
        byline: [{ playlistBylineRenderer: { text: count } }],
      },
    },
    contents: { twoColumnBrowseResultsRenderer: { tabs: [{ tabRenderer: { selected: true, content } }] } },
  }
}

const TABS = [
  { name: 'videos', title: 'Videos', holds: (video: Video) => !video.short && !video.live && !video.error },
  { name: 'shorts', title: 'Shorts', holds: (video: Video) => Boolean(video.short) },
  { name: 'streams', title: 'Live', holds: (video: Video) => Boolean(video.live) },
] as const

const isListed = (video: Video): boolean => !video.id.startsWith('simBulk')

function richItem(video: Video) {
  const url = video.short ? `/shorts/${video.id}` : `/watch?v=${video.id}`
  const videoRenderer = {
    videoId: video.id,
    title: runs(video.title),
    lengthText: text(clock(video.duration)),
    viewCountText: text('1,234,567 views'),
    publishedTimeText: text('2 years ago'),
    thumbnail: thumbnails(video.id, 'hqdefault', [336, 188]),
    navigationEndpoint: { commandMetadata: { webCommandMetadata: { url } } },
  }
  return { richItemRenderer: { content: { videoRenderer } } }
}

/** The data of the channel's page with one of its tabs open. */
export function channelData(openTab: string) {
  const tabs = TABS.map(({ name, title, holds }) => {
    const url = `/${CHANNEL.handle}/${name}`
    const contents = videos.values().filter(isListed).filter(holds).map(richItem).toArray()
    return {
      tabRenderer: {
        title,
        selected: name === openTab,
        endpoint: { commandMetadata: { webCommandMetadata: { url } } },
        ...(name === openTab ? { content: { richGridRenderer: { contents } } } : {}),
      },
    }
  })
  return {
    metadata: {
      channelMetadataRenderer: {
        title: CHANNEL.channel,
        description: 'sim channel',
        externalId: CHANNEL.channelId,
        vanityChannelUrl: `http://www.youtube.com/${CHANNEL.handle}`,
        avatar: { thumbnails: [{ url: 'https://yt3.googleusercontent.com/sim=s900', width: 900, height: 900 }] },
      },
    },
    contents: { twoColumnBrowseResultsRenderer: { tabs } },
  }
}

/** The first twenty playable videos, whatever is searched for. */
export function searchData() {
  const playable = videos.values().filter((video) => video.title !== '' && !video.error)
  const contents = playable.take(20).map((video) => ({
    videoRenderer: {
      videoId: video.id,
      title: runs(video.title),
      lengthText: text(clock(video.duration)),
      ownerText: runs(video.channel, channelEndpoint(video)),
    },
  }))
  const sectionListRenderer = { contents: [{ itemSectionRenderer: { contents: contents.toArray() } }] }
  return { contents: { twoColumnSearchResultsRenderer: { primaryContents: { sectionListRenderer } } } }
}
