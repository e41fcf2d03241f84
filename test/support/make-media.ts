import { execa } from 'execa'

/** Runs the real ffmpeg with the arguments given as one text; throws with what it said when it fails. */
export async function ffmpeg(dir: string, args: string): Promise<void> {
  await execa('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args.split(' ').filter(Boolean)], { cwd: dir })
}

/** Calls `work` for every item, `width` at a time, and returns the results in order. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>, width = 3): Promise<R[]> {
  const results: R[] = []
  const queue = items.entries()
  const lane = async () => {
    for (const [index, item] of queue) results[index] = await work(item)
  }
  await Promise.all(Array.from({ length: width }, lane))
  return results
}
