import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import { FinishedFiles } from '../db/finished-files.ts'
import type { Tables } from '../db/schema.ts'
import type { ToolRunner } from '../engine/tool.ts'
import type { LocalFiles } from '../files/local.ts'
import { Checksums } from './checksums.ts'
import { Thumbnails } from './thumbnails.ts'

/** What faces do with the files of finished tasks. */
export type FileServices = Readonly<{ finished: FinishedFiles; checksums: Checksums; thumbnails: Thumbnails }>

/** Builds them; the stack ends what they have under way. */
export function createFileServices(
  deps: Readonly<{ db: Kysely<Tables>; files: LocalFiles; runner: ToolRunner; maxMemoryBytes: number; log: Logger }>,
  stack: AsyncDisposableStack,
): FileServices {
  const { db, files, runner, maxMemoryBytes, log } = deps
  const finished = new FinishedFiles(db)
  const checksums = stack.use(new Checksums({ files, finished, log }))
  const thumbnails = stack.use(new Thumbnails({ runner, files, maxMemoryBytes }))
  return { finished, checksums, thumbnails }
}
