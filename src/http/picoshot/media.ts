import { z } from 'zod'
import type { Platform } from '../../domain/platform.ts'
import type { Post, VideoItem } from '../../domain/post.ts'

/** Below it a video is not called `hd`. */
const HD_PIXELS = 720

export const mediaSchema = z
  .strictObject({
    type: z.enum(['video', 'audio', 'image']),
    url: z.string(),
    quality: z.string().meta({
      description: '`hd` and `sd`: with sound; `<n>p_video_only`: without; `audio_only`; `original` for pictures',
      example: 'hd',
    }),
  })
  .meta({ id: 'PicoshotMedia', description: 'One file of a post' })
type Medium = z.output<typeof mediaSchema>

/** The address under which a medium is handed out. */
export type Linker = (medium: Readonly<{ platform: Platform; url: string }>, expiresAt: number | null) => string

/** Everything in a post, what a person wants first: videos that can be played as they are, pictures, then tracks. */
export function mediaOf({ videos, images, audios }: Post, platform: Platform, linkTo: Linker | null): Medium[] {
  const medium =
    (type: Medium['type'], quality: string) => (item: Readonly<{ url: string; expiresAt: number | null }>) => ({
      type,
      url: linkTo === null ? item.url : linkTo({ platform, url: item.url }, item.expiresAt),
      quality,
    })
  const best = videos.toSorted((a, b) => Number(isList(a)) - Number(isList(b)) || sideOf(b) - sideOf(a))
  return [
    ...best.filter(({ hasAudio }) => hasAudio).map((video) => medium('video', qualityOf(video))(video)),
    ...images.map(medium('image', 'original')),
    ...best.filter(({ hasAudio }) => !hasAudio).map((video) => medium('video', trackQuality(video))(video)),
    ...audios.map(medium('audio', 'audio_only')),
  ]
}

/** A playlist of pieces: a browser may not play it. */
const isList = ({ mimeType }: VideoItem) => /mpegurl|dash\+xml/.test(mimeType)

/** The shorter side, which is the height of an upright video too; 0 = unknown. */
const sideOf = ({ width, height }: VideoItem) => Math.min(width ?? height ?? 0, height ?? width ?? 0)

const qualityOf = (video: VideoItem) => (sideOf(video) >= HD_PIXELS ? 'hd' : 'sd')
const trackQuality = (video: VideoItem) => (sideOf(video) > 0 ? `${sideOf(video)}p_video_only` : 'video_only')
