import type { Request } from 'express'
import type { Task, TaskFile } from '../../domain/task.ts'
import type { Seal } from '../../keys/seal.ts'

/** The path of a task's file, as clients of the core know it. */
export const filePath = (taskId: string, name: string) => `/files/${taskId}/${name}`

/** An absolute address of a finished file that works without a key until the file is removed. */
export function signedFileUrl(
  base: string,
  task: Task,
  file: TaskFile,
  until: { seal: Seal; retentionMs: number },
): string {
  const path = filePath(task.id, file.name)
  const expires = Math.ceil(((task.finishedAt ?? 0) + until.retentionMs) / 1000)
  return `${base}${path}?expires=${expires}&signature=${until.seal.sign(`${path} ${expires}`)}`
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
