import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { MediaCache } from '../sim/media-cache.ts'
import { POSITION_CODE } from './media.ts'

const MIB = 1024 * 1024
const SECONDS = 6
const MP4 = ['-movflags', '+faststart']
const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']
const AAC = ['-c:a', 'aac', '-b:a', '64k']
const OPUS = ['-c:a', 'libopus', '-b:a', '64k']
const VPX = ['-deadline', 'realtime', '-cpu-used', '8', '-b:v', '200k']

const lavfi = (graph: string): string[] => ['-f', 'lavfi', '-i', graph]
const picture = (seconds = SECONDS, size = '320x180'): string[] => lavfi(`testsrc=s=${size}:r=30:d=${seconds}`)
const tone = (seconds = SECONDS, hz = 440): string[] => lavfi(`sine=${hz}:d=${seconds}:r=48000`)

type PlainFile = Readonly<{ type: string; args: readonly string[] }>

/** The small files of the origin, by name. */
export const PLAIN_FILES: Readonly<Record<string, PlainFile>> = {
  'small.mp4': { type: 'video/mp4', args: [...picture(), ...tone(), ...H264, ...AAC, ...MP4] },
  'other.mp4': { type: 'video/mp4', args: [...picture(8), ...tone(8, 880), ...H264, ...AAC, ...MP4] },
  'silent.mp4': { type: 'video/mp4', args: [...picture(), ...H264, ...MP4] },
  'small.webm': { type: 'video/webm', args: [...picture(), ...tone(), '-c:v', 'libvpx-vp9', ...VPX, ...OPUS] },
  'vp8.webm': { type: 'video/webm', args: [...picture(), ...tone(), '-c:v', 'libvpx', ...VPX, ...OPUS] },
  'tone.mp3': { type: 'audio/mpeg', args: [...tone(), '-c:a', 'libmp3lame', '-b:a', '96k'] },
  'tone.m4a': { type: 'audio/mp4', args: [...tone(), ...AAC, ...MP4] },
  'tone.wav': { type: 'audio/wav', args: [...tone(), '-c:a', 'pcm_s16le'] },
  'tone.ogg': { type: 'audio/ogg', args: [...tone(), '-c:a', 'libvorbis'] },
  'picture.jpg': { type: 'image/jpeg', args: [...picture(1), '-frames:v', '1'] },
}

export type LiveSpec = Readonly<{ track: 'muxed' | 'video' | 'audio'; segmentSeconds: number; seconds: number }>

/** A folder of segments and what a playlist says of them. */
export type Segments = Readonly<{ dir: string; durations: readonly number[] }>

const hlsOutput = (dir: string, seconds: number, extra: readonly string[] = []): string[] => [
  ...['-f', 'hls', '-hls_time', String(seconds), '-hls_list_size', '0', '-hls_playlist_type', 'vod'],
  ...(extra.length > 0 ? extra : ['-hls_segment_filename', path.join(dir, '%d.ts')]),
  path.join(dir, 'index.m3u8'),
]

/** Everything the origin serves, made by ffmpeg on first demand. */
export class OriginMedia extends MediaCache {
  plain(name: string, { args }: PlainFile): Promise<string> {
    return this.file(name, () => args)
  }

  /** An mp4 of about that size whose bytes are all media: noise that does not compress, looped by stream copy. */
  big(mebibytes: number): Promise<string> {
    return this.file(`big-${mebibytes}.mp4`, async () => {
      // A second of lossless noise is about 2 MiB, so `-fs` cuts close to the size asked.
      const base = await this.file('base-noise.mp4', () => [
        ...lavfi('color=gray:s=256x144:r=30:d=2,noise=alls=60:allf=t'),
        ...[...tone(2), ...H264, '-qp', '0', '-g', '15', ...AAC],
      ])
      return ['-stream_loop', '-1', '-i', base, '-c', 'copy', ...MP4, '-fs', String(mebibytes * MIB)]
    })
  }

  /** Finished HLS: four segments of two seconds. */
  hls(name: 'plain' | 'low' | 'fmp4'): Promise<string> {
    const size = name === 'low' ? '160x90' : '320x180'
    return this.folder(`hls-${name}`, async (dir) => {
      const fragments = ['-hls_segment_type', 'fmp4', '-hls_fmp4_init_filename', 'init.mp4']
      const extra = name === 'fmp4' ? [...fragments, '-hls_segment_filename', path.join(dir, '%d.m4s')] : []
      const input = [...picture(8, size), ...tone(8), ...H264, '-g', '60', '-sc_threshold', '0', ...AAC]
      await this.ffmpeg([...input, ...hlsOutput(dir, 2, extra)])
    })
  }

  /** DASH: `manifest.mpd` with one video and one audio track in segments of two seconds. */
  dash(): Promise<string> {
    return this.folder('dash', (dir) =>
      this.ffmpeg([
        ...[...picture(8), ...tone(8), ...H264, '-g', '60', '-sc_threshold', '0', ...AAC],
        ...['-f', 'dash', '-seg_duration', '2', '-use_template', '1', '-use_timeline', '1'],
        ...['-adaptation_sets', 'id=0,streams=v id=1,streams=a', path.join(dir, 'manifest.mpd')],
      ]),
    )
  }

  /** All segments of a live stream that carries its clock in sound and picture (see POSITION_CODE). */
  async live({ track, segmentSeconds, seconds }: LiveSpec): Promise<Segments> {
    const { baseHz, hzPerSecond, stripes, framesPerSecond: fps } = POSITION_CODE
    const bits = `geq=lum='16+219*mod(floor(N/pow(2,X)),2)':cb=128:cr=128`
    const clockPicture = [
      ...lavfi(`color=black:s=${stripes}x2:r=${fps}:d=${seconds},format=yuv420p,${bits},scale=256x64:flags=neighbor`),
      ...['-map', '0:v', ...H264, '-crf', '30', '-g', String(fps * segmentSeconds), '-sc_threshold', '0'],
    ]
    // The phase is the integral of a pitch that rises with t.
    const sine = `aevalsrc='0.5*sin(2*PI*(${baseHz}*t+${hzPerSecond / 2}*t*t))':s=48000:d=${seconds}`
    const dir = await this.folder(`live-${track}-${segmentSeconds}-${seconds}`, async (dir) => {
      const audio = ['-map', '0:a', '-c:a', 'aac', '-b:a', '64k']
      const muxed = [...clockPicture.slice(0, 4), ...lavfi(sine), ...clockPicture.slice(4), ...audio.with(1, '1:a')]
      const input = { muxed, video: clockPicture, audio: [...lavfi(sine), ...audio] }[track]
      await this.ffmpeg([...input, ...hlsOutput(dir, segmentSeconds)])
      const playlist = await readFile(path.join(dir, 'index.m3u8'), 'utf8')
      const durations = Array.from(playlist.matchAll(/#EXTINF:([\d.]+)/g), (match) => Number(match[1]))
      await writeFile(path.join(dir, 'durations.json'), JSON.stringify(durations))
    })
    return { dir, durations: JSON.parse(await readFile(path.join(dir, 'durations.json'), 'utf8')) as number[] }
  }
}
