import type { Request } from 'express'
import type { FinishedBatch } from '../../db/finished-files.ts'
import type { Task, TaskFile } from '../../domain/task.ts'
import type { Seal } from '../../keys/seal.ts'

/** The path of a task's file, as clients of the core know it. */
export const filePath = (taskId: string, name: string) => `/files/${taskId}/${encodeURIComponent(name)}`

/** An absolute address of a finished file that works without a key until the file is removed. */
export function signedFileUrl(
  base: string,
  task: Task,
  file: TaskFile,
  until: Readonly<{ seal: Seal; retentionMs: number }>,
): string {
  const expiresAt = (task.finishedAt ?? 0) + until.retentionMs
  return signedUntil(base, filePath(task.id, file.name), { seal: until.seal, expiresAt })
}

/** An absolute address of the core that works without a key until `expiresAt`, in milliseconds since the epoch. */
export function signedUntil(base: string, path: string, by: Readonly<{ seal: Seal; expiresAt: number }>): string {
  const expires = Math.ceil(by.expiresAt / 1000)
  return `${base}${path}?expires=${expires}&signature=${by.seal.sign(`${path} ${expires}`)}`
}

/** When a finished task's files are removed, in milliseconds since the epoch; null while others of its batch go on. */
export function removalOf(task: Task, batch: FinishedBatch | null, retentionMs: number): number | null {
  if (task.finishedAt === null || (batch !== null && batch.finishedAt === null)) return null
  return Math.max(task.finishedAt, batch?.finishedAt ?? 0) + retentionMs
}

/** Whether a request's query carries a signature of `path` that has not expired. */
export function isSigned(path: string, query: Readonly<Record<string, unknown>>, seal: Seal): boolean {
  const { expires, signature } = query
  if (typeof expires !== 'string' || typeof signature !== 'string' || !/^\d{1,12}$/.test(expires)) return false
  return Number(expires) * 1000 > Date.now() && seal.verify(`${path} ${expires}`, signature)
}

/** The address that the client reached us by. */
export function baseUrlOf(req: Request, configured: string | null): string {
  return configured ?? `${req.protocol}://${req.get('host') ?? 'localhost'}`
}
