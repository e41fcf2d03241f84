import type { SimState } from './exchange.ts'
import type { SiteMedia } from './media.ts'
import { captions } from './youtube-captions.ts'
import type { Video } from './youtube-catalog.ts'
import { streamingData } from './youtube-formats.ts'
import type { LiveStatus, YouTubeLive } from './youtube-live.ts'
import { text, thumbnails } from './youtube-text.ts'

export const VISITOR_DATA = 'CgtzaW11bGF0ZWQwMCjA'

const UPCOMING_MS = 2 * 60 * 60 * 1000

/** The player API's answer for an id that no video has. */
export const unknownVideo = (videoId: unknown) => ({
  playabilityStatus: {
    status: 'ERROR',
    reason: 'Video unavailable',
    errorScreen: {
      playerErrorMessageRenderer: {
        reason: text('Video unavailable'),
        subreason: text('This video is unavailable'),
      },
    },
  },
  videoDetails: { videoId },
})

function playabilityStatus({ error }: Video) {
  if (!error) return { status: 'OK', playableInEmbed: true }
  const { status, reason, screen, detail, ageGate } = error
  return {
    status,
    reason,
    ...(ageGate ? { desktopLegacyAgeGateReason: 1 } : {}),
    ...(screen === undefined
      ? {}
      : {
          errorScreen: {
            playerErrorMessageRenderer: {
              reason: text(screen),
              ...(detail === undefined ? {} : { subreason: text(detail) }),
            },
          },
        }),
  }
}

function videoDetails(video: Video, live: LiveStatus | null) {
  const sizes = [
    [120, 90, 'default'],
    [320, 180, 'mqdefault'],
    [480, 360, 'hqdefault'],
    [640, 480, 'sddefault'],
  ] as const
  return {
    videoId: video.id,
    ...(video.title === '' ? {} : { title: video.title }),
    lengthSeconds: String(video.duration),
    keywords: video.tags,
    channelId: video.channelId,
    shortDescription: video.description,
    viewCount: String(video.views),
    author: video.channel,
    isPrivate: false,
    isLiveContent: Boolean(video.live ?? video.upcoming),
    ...(live ? { isLive: live.endedAt === null } : {}),
    ...(video.upcoming ? { isUpcoming: true } : {}),
    ...(live && live.endedAt !== null ? { isPostLiveDvr: true } : {}),
    thumbnail: {
      thumbnails: sizes.flatMap(([width, height, name]) => thumbnails(video.id, name, [width, height]).thumbnails),
    },
  }
}

function liveBroadcastDetails(live: LiveStatus | null) {
  const startsAt = live ? live.startedAt : Date.now() + UPCOMING_MS
  const endedAt = live?.endedAt ?? null
  return {
    isLiveNow: live !== null && endedAt === null,
    startTimestamp: new Date(startsAt).toISOString(),
    ...(endedAt === null ? {} : { endTimestamp: new Date(endedAt).toISOString() }),
  }
}

function microformat(video: Video, live: LiveStatus | null) {
  return {
    playerMicroformatRenderer: {
      title: text(video.title),
      description: text(video.description),
      lengthSeconds: String(video.duration),
      ownerProfileUrl: `http://www.youtube.com/${video.handle}`,
      externalChannelId: video.channelId,
      isFamilySafe: !video.error?.ageGate,
      availableCountries: video.countries ?? ['US', 'DE'],
      isUnlisted: Boolean(video.unlisted),
      viewCount: String(video.views),
      category: video.category,
      publishDate: video.date,
      uploadDate: video.date,
      ownerChannelName: video.channel,
      isShortsEligible: Boolean(video.short),
      thumbnail: thumbnails(video.id, 'maxresdefault', [1280, 720]),
      ...(live || video.upcoming ? { liveBroadcastDetails: liveBroadcastDetails(live) } : {}),
    },
  }
}

/** The player API's answer to one client. The `web` client gets formats without addresses, as from the site. */
export function playerResponse(
  video: Video,
  client: string,
  from: Readonly<{ media: SiteMedia; live: YouTubeLive; state: SimState }>,
) {
  const live = video.live ? from.live.status(video.id, from.state) : null
  const subtitles = captions(video)
  const streams = () => (video.live ? from.live.streamingData(video) : streamingData(from.media, video))
  const withoutUrls = () => ({
    expiresInSeconds: '21540',
    serverAbrStreamingUrl: 'https://x.googlevideo.com/sabr',
    adaptiveFormats: streams().adaptiveFormats.map(({ url: _url, ...format }) => format),
  })
  const hasUrls = client !== 'WEB' || from.state.webFormats
  return {
    responseContext: { visitorData: VISITOR_DATA },
    playabilityStatus: playabilityStatus(video),
    videoDetails: videoDetails(video, live),
    ...(video.title === '' ? {} : { microformat: microformat(video, live) }),
    ...(video.error ? {} : { streamingData: hasUrls ? streams() : withoutUrls() }),
    ...(subtitles ? { captions: subtitles } : {}),
  }
}
