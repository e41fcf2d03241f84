import fs from 'node:fs/promises'
import path from 'node:path'

const WORK_DIR = '.work'

/** Beside a task's own files, in no list of them: a picture that was made when somebody asked for it. */
export const MADE_THUMBNAIL = '.thumbnail.jpg'

/** No attempt has this number. */
const MAKING = 0

/** What a task id looks like; folders of any other name are not ours and are never touched. */
const TASK_ID = /^[A-Za-z0-9]{16}$/
const WORK_NAME = /^([A-Za-z0-9]{16})\.(\d+)$/

/** Whether a text could be the id of a task; it is safe in a path then. */
export const isTaskId = (text: string): boolean => TASK_ID.test(text)

/**
 * Finished files, `downloads/<task id>/<name>`, and beside them the work folders of unfinished attempts,
 * `downloads/.work/<task id>.<attempt>`. A finished file appears whole, by rename, and never changes.
 */
export class LocalFiles {
  readonly root: string
  readonly #workRoot: string

  private constructor(root: string) {
    this.root = root
    this.#workRoot = path.join(root, WORK_DIR)
  }

  /** Makes the folders when they are not there. */
  static async open(root: string): Promise<LocalFiles> {
    const files = new LocalFiles(root)
    await fs.mkdir(files.#workRoot, { recursive: true, mode: 0o700 })
    return files
  }

  /** Where a finished file is. `name` is the one that was published, never a client's text. */
  pathOf(taskId: string, name: string): string {
    return path.join(this.root, taskId, name)
  }

  /** The work folder of an attempt. It takes over what an earlier attempt left, so that partial files go on. */
  async openWork(taskId: string, attempt: number): Promise<string> {
    const dir = path.join(this.#workRoot, `${taskId}.${attempt}`)
    // An attempt that died between publishing and settling left a file that no record names.
    await fs.rm(path.join(this.root, taskId), { recursive: true, force: true })
    const left = (await this.#workOf(taskId)).toSorted((a, b) => attemptOf(a) - attemptOf(b))
    const newest = left.pop()
    await Promise.all(left.map((name) => this.#removeWork(name)))
    if (newest !== undefined) await fs.rename(path.join(this.#workRoot, newest), dir)
    await fs.mkdir(dir, { recursive: true, mode: 0o700 })
    return dir
  }

  /** Removes every work folder of a task. */
  async removeWork(taskId: string): Promise<void> {
    await Promise.all((await this.#workOf(taskId)).map((name) => this.#removeWork(name)))
  }

  /** Moves a finished file to its place under `name`; when this resolves it survives a power cut. */
  async publish(taskId: string, file: string, name: string): Promise<{ name: string; size: number }> {
    const dir = path.join(this.root, taskId)
    const size = await syncFile(file)
    await fs.mkdir(dir, { recursive: true })
    await fs.rename(file, path.join(dir, name))
    await Promise.all([syncDir(dir), syncDir(path.dirname(file)), syncDir(this.root)])
    return { name, size }
  }

  /**
   * Adds the file that `make` leaves in the folder it is given, under a name that begins with a dot, beside the task's own.
   * False when it made none, or the task is gone meanwhile. What a crash leaves is swept like the work of an attempt.
   */
  async addHidden(
    taskId: string,
    name: typeof MADE_THUMBNAIL,
    make: (workDir: string) => Promise<string | null>,
  ): Promise<boolean> {
    const work = `${taskId}.${MAKING}`
    const workDir = path.join(this.#workRoot, work)
    try {
      await fs.mkdir(workDir, { recursive: true, mode: 0o700 })
      const made = await make(workDir)
      if (made === null) return false
      await fs.rename(made, this.pathOf(taskId, name))
      return true
    } catch (error) {
      const isGone = !(await exists(path.join(this.root, taskId)))
      if (isGone) return false // removed meanwhile
      throw error
    } finally {
      await this.#removeWork(work)
    }
  }

  /** Removes everything of a task; a file that is being read is read to its end. */
  async remove(taskId: string): Promise<void> {
    await fs.rm(path.join(this.root, taskId), { recursive: true, force: true })
    await this.removeWork(taskId)
  }

  /** Bytes of a finished file; null when it is not there. */
  async sizeOf(taskId: string, name: string): Promise<number | null> {
    const stat = await fs.lstat(this.pathOf(taskId, name)).catch(() => null) // not there, or not readable: no file
    return stat?.isFile() ? stat.size : null
  }

  /** Task ids that have a folder here, finished or not. */
  async taskIds(): Promise<string[]> {
    const finished = (await fs.readdir(this.root, { withFileTypes: true })).filter((entry) => entry.isDirectory())
    return [...new Set([...finished.map(({ name }) => name).filter(isTaskId), ...(await this.workIds())])]
  }

  /** Task ids that have a work folder. */
  async workIds(): Promise<string[]> {
    return (await fs.readdir(this.#workRoot)).flatMap((name) => WORK_NAME.exec(name)?.[1] ?? [])
  }

  /** The work folders there are. */
  async workDirs(): Promise<string[]> {
    const names = await fs.readdir(this.#workRoot)
    return names.filter((name) => WORK_NAME.test(name)).map((name) => path.join(this.#workRoot, name))
  }

  /** Bytes that may still be written where the files live. */
  async freeBytes(): Promise<number> {
    const stat = await fs.statfs(this.root)
    return stat.bavail * stat.bsize
  }

  async #workOf(taskId: string): Promise<string[]> {
    return (await fs.readdir(this.#workRoot)).filter((name) => WORK_NAME.exec(name)?.[1] === taskId)
  }

  async #removeWork(name: string): Promise<void> {
    await fs.rm(path.join(this.#workRoot, name), { recursive: true, force: true })
  }
}

const exists = (file: string): Promise<boolean> =>
  fs.access(file).then(
    () => true,
    () => false, // not there, or not readable
  )

const attemptOf = (name: string) => Number(WORK_NAME.exec(name)?.[2] ?? 0)

/** Its size, once it is on the disk. */
async function syncFile(file: string): Promise<number> {
  await using handle = await fs.open(file, 'r')
  await handle.sync()
  const { size } = await handle.stat()
  return size
}

async function syncDir(dir: string): Promise<void> {
  await using handle = await fs.open(dir, 'r')
  await handle.sync()
}
