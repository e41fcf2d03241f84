import path from 'node:path'
import { runFfmpeg } from './ffmpeg.ts'
import { localInput, probeFile, type MediaContext } from './probe.ts'
import type { ToolRunner } from './tool.ts'

const FILE = 'still.jpg'

/** Pixels; smaller pictures stay as they are. */
const MAX_WIDTH = 640

/** Where in a video to look, as a share of it: its first frame is often black. */
const SHARE = 0.1
const LATEST_S = 60

/**
 * A small JPEG of a medium in the work folder: a frame of the video, else the cover that a sound carries; null when it has
 * neither. Throws TaskError when the tools cannot read it.
 */
export async function makeStill(runner: ToolRunner, file: string, ctx: MediaContext): Promise<string | null> {
  const { streams, duration } = await probeFile(runner, file, ctx)
  const pictures = streams.filter(({ type }) => type === 'video')
  const stream = pictures.find(({ attachedPicture }) => !attachedPicture) ?? pictures[0]
  if (!stream) return null
  const from = stream.attachedPicture || duration === null ? 0 : Math.min(duration * SHARE, LATEST_S)
  const still = path.join(ctx.workDir, FILE)
  const args = [
    ...(from > 0 ? ['-ss', from.toFixed(3)] : []),
    ...['-i', localInput(file), '-map', `0:${stream.index}`, '-frames:v', '1', '-update', '1'],
    ...['-vf', `scale='min(${MAX_WIDTH},iw)':-2`, '-q:v', '4', '-f', 'image2', '-y', still],
  ]
  await runFfmpeg(runner, { args, duration: null }, ctx)
  return still
}
