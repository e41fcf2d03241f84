import { statSync } from 'node:fs'
import path from 'node:path'
import { MediaCache } from './media-cache.ts'

export type VideoCodec = 'h264' | 'vp9' | 'av1'
export type AudioCodec = 'aac' | 'opus'
export type Picture = Readonly<{ width: number; height: number; fps: number; seconds: number }>
export type VideoSpec = Picture & Readonly<{ codec: VideoCodec }>
export type AudioSpec = Readonly<{ codec: AudioCodec; kbps: number; seconds: number }>

/** Seconds that are really encoded; longer files are stream-copied loops of it, thirty times cheaper. */
const LOOP_SECONDS = 2
const SEGMENT_SECONDS = 2

const ENCODERS: Readonly<Record<VideoCodec, readonly string[]>> = {
  h264: ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '38', '-pix_fmt', 'yuv420p', '-g', '60'],
  vp9: '-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -row-mt 1 -b:v 0 -crf 55 -g 60'.split(' '),
  av1: ['-c:v', 'libsvtav1', '-preset', '12', '-crf', '60', '-pix_fmt', 'yuv420p', '-g', '60'],
}

const WIDTHS: Readonly<Record<number, number>> = {
  144: 256,
  240: 426,
  360: 640,
  480: 854,
  720: 1280,
  1080: 1920,
  1440: 2560,
  2160: 3840,
}

/** Width of a 16:9 picture of that height, even as the encoders want it. */
export const widthOf = (height: number): number => WIDTHS[height] ?? Math.round((height * 16) / 9 / 2) * 2

const pattern = ({ width, height, fps, seconds }: Picture): string[] => [
  ...['-f', 'lavfi', '-i'],
  `testsrc=s=320x180:r=${fps}:d=${seconds},scale=${width}:${height}:flags=neighbor`,
]
const tone = (seconds: number): string[] => ['-f', 'lavfi', '-i', `sine=440:d=${seconds}:r=48000`]
const picture = (height: number, seconds: number): Picture => ({ width: widthOf(height), height, fps: 30, seconds })
const extensionOf = (codec: VideoCodec | AudioCodec): string =>
  ({ h264: 'mp4', av1: 'mp4', vp9: 'webm', aac: 'm4a', opus: 'webm' })[codec]

/** Every file the simulated sites hand out, made on first demand. */
export class SiteMedia extends MediaCache {
  videoName({ codec, width, height, fps, seconds }: VideoSpec): string {
    return `video-${codec}-${width}x${height}-${fps}-${seconds}.${extensionOf(codec)}`
  }

  audioName({ codec, kbps, seconds }: AudioSpec): string {
    return `audio-${codec}-${kbps}-${seconds}.${extensionOf(codec)}`
  }

  /** Size in bytes when the file has been made, else null. */
  sizeOf(name: string): number | null {
    return statSync(path.join(this.dir, name), { throwIfNoEntry: false })?.size ?? null
  }

  /** A video track without sound. */
  video(spec: VideoSpec): Promise<string> {
    return this.file(this.videoName(spec), async () => {
      const loop = { ...spec, seconds: LOOP_SECONDS }
      const base = await this.file(`base-${this.videoName(loop)}`, () => [
        ...pattern(loop),
        ...ENCODERS[spec.codec],
        '-an',
      ])
      const front = extensionOf(spec.codec) === 'mp4' ? ['-movflags', '+faststart'] : []
      return ['-stream_loop', '-1', '-i', base, '-t', String(spec.seconds), '-c', 'copy', ...front]
    })
  }

  audio(spec: AudioSpec): Promise<string> {
    const encoder = spec.codec === 'aac' ? ['-c:a', 'aac', '-movflags', '+faststart'] : ['-c:a', 'libopus']
    return this.file(this.audioName(spec), () => [
      ...tone(spec.seconds),
      ...encoder,
      ...['-b:a', `${spec.kbps}k`, '-ac', '2'],
    ])
  }

  /** H.264 and AAC in one mp4. */
  muxed(spec: Picture): Promise<string> {
    const { width, height, fps, seconds } = spec
    return this.file(`muxed-${width}x${height}-${fps}-${seconds}.mp4`, async () => [
      ...['-i', await this.video({ ...spec, codec: 'h264' }), ...tone(seconds)],
      ...'-c:v copy -c:a aac -b:a 96k -shortest -movflags +faststart'.split(' '),
    ])
  }

  /** A picture whose colours depend on `variant`. */
  image(size: Readonly<{ width: number; height: number }>, variant = 0, type: 'jpg' | 'webp' = 'jpg'): Promise<string> {
    const { width, height } = size
    return this.file(`image-${width}x${height}-${variant}.${type}`, () => [
      ...['-f', 'lavfi', '-i', `testsrc2=s=${width}x${height}:r=1:d=1,hue=h=${variant * 47}`, '-frames:v', '1'],
      ...(type === 'webp' ? ['-c:v', 'libwebp'] : []),
    ])
  }

  /** A folder with `0.ts` … and `index.m3u8`: `count` MPEG-TS segments of two seconds. */
  segments(height: number, count: number): Promise<string> {
    const seconds = count * SEGMENT_SECONDS
    return this.folder(`hls-${height}-${count}`, (dir) =>
      this.ffmpeg([
        ...[...pattern(picture(height, seconds)), ...tone(seconds), ...ENCODERS.h264],
        ...['-sc_threshold', '0', '-c:a', 'aac', '-b:a', '96k'],
        ...['-f', 'hls', '-hls_time', String(SEGMENT_SECONDS), '-hls_list_size', '0'],
        ...['-hls_segment_filename', path.join(dir, '%d.ts'), path.join(dir, 'index.m3u8')],
      ]),
    )
  }

  /** A folder with `init.mp4` and `0.m4s` …: fragments of one track (360p H.264, or AAC), two seconds each. */
  fragments(track: 'video' | 'audio', count: number): Promise<string> {
    const seconds = count * SEGMENT_SECONDS
    const input =
      track === 'audio'
        ? [...tone(seconds), '-c:a', 'aac', '-b:a', '128k']
        : [...pattern(picture(360, seconds)), ...ENCODERS.h264, '-sc_threshold', '0']
    return this.folder(`fragments-${track}-${count}`, (dir) =>
      this.ffmpeg([
        ...[...input, '-f', 'hls', '-hls_time', String(SEGMENT_SECONDS), '-hls_list_size', '0'],
        ...['-hls_segment_type', 'fmp4', '-hls_fmp4_init_filename', 'init.mp4'],
        ...['-hls_segment_filename', path.join(dir, '%d.m4s'), path.join(dir, 'index.m3u8')],
      ]),
    )
  }
}
