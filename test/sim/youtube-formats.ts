import { type AudioSpec, type SiteMedia, type VideoCodec, type VideoSpec, widthOf } from './media.ts'
import type { Video } from './youtube-catalog.ts'

type VideoFormat = Readonly<{
  itag: number
  codecs: string
  height: number
  fps: number
  kbps: number
  real: VideoCodec
}>
type AudioFormat = Readonly<{
  itag: number
  codecs: string
  kbps: number
  real: AudioSpec['codec']
  quality: string
  sampleRate: number
}>

/** The site's own numbers; fields: itag, codecs, height, frames a second, kbit/s, what the file really is. */
const VIDEO_FORMATS: readonly VideoFormat[] = (
  [
    [160, 'avc1.4d400c', 144, 30, 90, 'h264'],
    [133, 'avc1.4d4015', 240, 30, 210, 'h264'],
    [134, 'avc1.4d401e', 360, 30, 480, 'h264'],
    [135, 'avc1.4d401f', 480, 30, 900, 'h264'],
    [136, 'avc1.4d401f', 720, 30, 1800, 'h264'],
    [137, 'avc1.640028', 1080, 30, 3600, 'h264'],
    [298, 'avc1.4d4020', 720, 60, 2600, 'h264'],
    [299, 'avc1.64002a', 1080, 60, 5200, 'h264'],
    [278, 'vp9', 144, 30, 80, 'vp9'],
    [242, 'vp9', 240, 30, 180, 'vp9'],
    [243, 'vp9', 360, 30, 380, 'vp9'],
    [244, 'vp9', 480, 30, 700, 'vp9'],
    [247, 'vp9', 720, 30, 1300, 'vp9'],
    [248, 'vp9', 1080, 30, 2600, 'vp9'],
    [302, 'vp9', 720, 60, 2200, 'vp9'],
    [303, 'vp9', 1080, 60, 4000, 'vp9'],
    [308, 'vp9', 1440, 60, 10_000, 'vp9'],
    [315, 'vp9', 2160, 60, 22_000, 'vp9'],
    [394, 'av01.0.00M.08', 144, 30, 60, 'av1'],
    [396, 'av01.0.01M.08', 360, 30, 280, 'av1'],
    [398, 'av01.0.08M.08', 720, 60, 1600, 'av1'],
    [399, 'av01.0.09M.08', 1080, 60, 2900, 'av1'],
    [401, 'av01.0.13M.08', 2160, 60, 15_000, 'av1'],
  ] as const
).map(([itag, codecs, height, fps, kbps, real]) => ({ itag, codecs, height, fps, kbps, real }))

const AUDIO_FORMATS: readonly AudioFormat[] = (
  [
    [139, 'mp4a.40.5', 48, 'aac', 'LOW', 22_050],
    [140, 'mp4a.40.2', 129, 'aac', 'MEDIUM', 44_100],
    [249, 'opus', 50, 'opus', 'LOW', 48_000],
    [250, 'opus', 70, 'opus', 'LOW', 48_000],
    [251, 'opus', 140, 'opus', 'MEDIUM', 48_000],
  ] as const
).map(([itag, codecs, kbps, real, quality, sampleRate]) => ({ itag, codecs, kbps, real, quality, sampleRate }))

const MUXED_ITAG = 18

const QUALITIES: Readonly<Record<number, string>> = {
  144: 'tiny',
  240: 'small',
  360: 'medium',
  480: 'large',
  720: 'hd720',
  1080: 'hd1080',
  1440: 'hd1440',
  2160: 'hd2160',
}

const widthIn = (video: Video, height: number): number =>
  video.short ? Math.round((height * 9) / 16 / 2) * 2 : widthOf(height)

const videoSpec = (video: Video, { real, height, fps }: VideoFormat): VideoSpec => ({
  codec: real,
  width: widthIn(video, height),
  height,
  fps,
  seconds: video.duration,
})
const audioSpec = (video: Video, { real, kbps }: AudioFormat): AudioSpec => ({
  codec: real,
  kbps,
  seconds: video.duration,
})
const mimeOf = (kind: 'video' | 'audio', real: string): string =>
  `${kind}/${real === 'vp9' || real === 'opus' ? 'webm' : 'mp4'}`

/** Address of one format on the media hosts. */
export const mediaUrl = (video: Video, itag: number, extra: Readonly<Record<string, string>> = {}): string => {
  const query = new URLSearchParams({
    expire: '1999999999',
    id: video.id,
    itag: String(itag),
    source: 'youtube',
    ...extra,
  })
  return `https://rr${1 + (itag % 5)}---sn-4g5ednsl.googlevideo.com/videoplayback?${query.toString()}`
}

function videoEntry(media: SiteMedia, video: Video, format: VideoFormat) {
  const { itag, codecs, height, fps, kbps, real } = format
  const size = media.sizeOf(media.videoName(videoSpec(video, format)))
  return {
    itag,
    url: mediaUrl(video, itag),
    mimeType: `${mimeOf('video', real)}; codecs="${codecs}"`,
    bitrate: kbps * 1200,
    averageBitrate: kbps * 1000,
    width: widthIn(video, height),
    height,
    fps,
    quality: QUALITIES[height],
    qualityLabel: `${height}p${fps > 30 ? fps : ''}`,
    projectionType: 'RECTANGULAR',
    contentLength: String(size ?? kbps * 125 * video.duration),
    approxDurationMs: String(video.duration * 1000),
    lastModified: '1715960000000000',
  }
}

function audioEntries(media: SiteMedia, video: Video, format: AudioFormat) {
  const { itag, codecs, kbps, real, quality, sampleRate } = format
  const size = media.sizeOf(media.audioName(audioSpec(video, format)))
  const plain = {
    itag,
    url: mediaUrl(video, itag),
    mimeType: `${mimeOf('audio', real)}; codecs="${codecs}"`,
    bitrate: kbps * 1100,
    averageBitrate: kbps * 1000,
    quality: 'tiny',
    audioQuality: `AUDIO_QUALITY_${quality}`,
    audioSampleRate: String(sampleRate),
    audioChannels: 2,
    contentLength: String(size ?? kbps * 125 * video.duration),
    approxDurationMs: String(video.duration * 1000),
  }
  if (!video.audioTracks) return [plain]
  return video.audioTracks.map(({ id, name, isDefault }) => ({
    ...plain,
    url: mediaUrl(video, itag, { xtags: `lang=${id}` }),
    audioTrack: { id, displayName: name, audioIsDefault: isDefault },
  }))
}

/** `streamingData` of a finished video: one muxed format and the separate tracks up to its height. */
export function streamingData(media: SiteMedia, video: Video) {
  const muxed = {
    itag: MUXED_ITAG,
    url: mediaUrl(video, MUXED_ITAG),
    mimeType: 'video/mp4; codecs="avc1.42001E, mp4a.40.2"',
    bitrate: 600_000,
    width: widthIn(video, 360),
    height: 360,
    fps: 30,
    quality: 'medium',
    qualityLabel: '360p',
    audioQuality: 'AUDIO_QUALITY_LOW',
    audioSampleRate: '44100',
    audioChannels: 2,
    approxDurationMs: String(video.duration * 1000),
  }
  return {
    expiresInSeconds: '21540',
    formats: [muxed],
    adaptiveFormats: [
      ...VIDEO_FORMATS.filter(({ height }) => height <= video.maxHeight).map((format) =>
        videoEntry(media, video, format),
      ),
      ...AUDIO_FORMATS.flatMap((format) => audioEntries(media, video, format)),
    ],
  }
}

/** The file behind one itag, made on demand; null when the site has no such format. */
export async function mediaFile(
  media: SiteMedia,
  video: Video,
  itag: number,
): Promise<Readonly<{ path: string; type: string }> | null> {
  if (itag === MUXED_ITAG) {
    const path = await media.muxed({ width: widthIn(video, 360), height: 360, fps: 30, seconds: video.duration })
    return { path, type: 'video/mp4' }
  }
  const picture = VIDEO_FORMATS.find((format) => format.itag === itag)
  if (picture) return { path: await media.video(videoSpec(video, picture)), type: mimeOf('video', picture.real) }
  const sound = AUDIO_FORMATS.find((format) => format.itag === itag)
  if (sound) return { path: await media.audio(audioSpec(video, sound)), type: mimeOf('audio', sound.real) }
  return null
}
