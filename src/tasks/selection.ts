import { setImmediate as nextTurn } from 'node:timers/promises'
import PQueue from 'p-queue'
import type { TaskList } from '../db/task-list.ts'
import { Refusal, type RefusalCode } from '../domain/errors.ts'
import type { ApiKey } from '../domain/key.ts'
import { TASK_STATES, type TaskKind, type TaskState } from '../domain/task.ts'
import type { TaskService } from './service.ts'

/** Most tasks that one call deals with. */
export const MAX_SELECTED = 500

/** Of those, how many at the same time. */
const AT_ONCE = 8

/** What is done to each task. */
export type SelectionAction =
  Readonly<{ kind: 'cancel' | 'retry' | 'delete' }> | Readonly<{ kind: 'priority'; priority: number }>

/** Which tasks of a key: by their ids, or all of a batch, in some states, of some kinds. */
export type Selection =
  | Readonly<{ ids: readonly string[] }>
  | Readonly<{
      batchId: string | null
      states: readonly TaskState[] | null
      kinds: readonly TaskKind[] | null
      /** Where the call before stopped; null = from the newest on. */
      before: number | null
    }>

export type SelectionResult = Readonly<{
  matched: number
  changed: number
  failed: readonly Readonly<{ id: string; code: RefusalCode }>[]
  /** Where the next call goes on; null when nothing is left. */
  next: number | null
}>

/** The states in which something can be done to a task. */
const STATES_OF: Readonly<Record<SelectionAction['kind'], readonly TaskState[]>> = {
  cancel: ['waiting', 'processing'],
  retry: ['error', 'cancelled'],
  priority: ['waiting'],
  delete: TASK_STATES,
}

type Deps = Readonly<{ tasks: TaskService; list: TaskList }>

/**
 * Does the same to many tasks, each by itself. Of tasks that were named, each that could not be dealt with is told; of
 * others, those that came to another end in the meantime are passed over.
 */
export async function applyToSelection(
  deps: Deps,
  key: ApiKey,
  selection: Selection,
  action: SelectionAction,
): Promise<SelectionResult> {
  const { items, next } = await selectedIds(deps.list, key, selection, action)
  const queue = new PQueue({ concurrency: AT_ONCE })
  const outcomes = await queue.addAll(
    items.map((id) => async () => ({ id, code: await outcomeOf(() => apply(deps.tasks, key, id, action)) })),
  )
  const isPassedOver = (code: RefusalCode) =>
    !('ids' in selection) && (code === 'conflict' || code === 'task_not_found')
  return {
    matched: items.length,
    changed: outcomes.filter(({ code }) => code === null).length,
    failed: outcomes.flatMap(({ id, code }) => (code === null || isPassedOver(code) ? [] : [{ id, code }])),
    next,
  }
}

async function selectedIds(list: TaskList, key: ApiKey, selection: Selection, action: SelectionAction) {
  if ('ids' in selection) return { items: [...new Set(selection.ids)], next: null }
  const { batchId, states, kinds, before } = selection
  const possible = STATES_OF[action.kind].filter((state) => states?.includes(state) ?? true)
  if (possible.length === 0) return { items: [], next: null }
  const filter = { states: possible, kinds, batchId, text: null, createdAfter: null, createdBefore: null }
  return list.ids({ keyId: key.id, filter, before, limit: MAX_SELECTED })
}

function apply(tasks: TaskService, key: ApiKey, id: string, action: SelectionAction): Promise<void> {
  switch (action.kind) {
    case 'cancel':
      return tasks.cancel(key, id)
    case 'retry':
      return tasks.retry(key, id)
    case 'delete':
      return tasks.remove(key, id)
    case 'priority':
      return tasks.prioritise(key, id, action.priority)
  }
}

/** Why it was refused; null when it was done. */
async function outcomeOf(act: () => Promise<void>): Promise<RefusalCode | null> {
  await nextTurn() // the database answers at once: without it nobody else would have a turn before the last task
  try {
    await act()
    return null
  } catch (cause) {
    if (cause instanceof Refusal) return cause.code
    throw cause
  }
}
