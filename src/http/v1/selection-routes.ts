import { z } from 'zod'
import { REFUSAL_CODES } from '../../domain/errors.ts'
import { TASK_KINDS, TASK_STATES } from '../../domain/task.ts'
import type { AuditAction } from '../../keys/audit.ts'
import { applyToSelection, MAX_SELECTED, type Selection, type SelectionAction } from '../../tasks/selection.ts'
import { text } from '../fields.ts'
import { defineRoute, type AnyRoute } from '../route.ts'
import type { V1Context } from './context.ts'
import { cursorField, toCursor } from './list.ts'
import { priorityField } from './task-action-routes.ts'
import { list, word } from './task-fields.ts'

const shape = {
  ids: list('ids', text('an id', 64), MAX_SELECTED)
    .min(1, 'ids must have at least one entry')
    .optional()
    .meta({ description: 'These tasks' }),
  batch: text('batch', 64).optional().meta({ description: 'All tasks of a batch or playlist' }),
  status: list('status', word('status', TASK_STATES), 10)
    .min(1, 'status must have at least one entry')
    .optional()
    .meta({ description: 'All tasks in these states' }),
  kind: list('kind', word('kind', TASK_KINDS), 20).min(1, 'kind must have at least one entry').optional(),
  cursor: cursorField,
}

const fields = z.strictObject(shape)
type Body = z.output<typeof fields>

const body = fields.superRefine(requireOneWay).meta({ id: 'TaskSelection' })
const bodyWithPriority = z
  .strictObject({ ...shape, priority: priorityField })
  .superRefine(requireOneWay)
  .meta({ id: 'TaskSelectionWithPriority' })

/** Nobody means all of their tasks by saying nothing. */
function requireOneWay({ ids, batch, status, kind }: Body, ctx: z.RefinementCtx): void {
  const hasFilter = batch !== undefined || status !== undefined
  if (ids === undefined && !hasFilter)
    ctx.addIssue({ code: 'custom', path: ['ids'], message: 'Give ids, or batch or status' })
  if (ids !== undefined && (hasFilter || kind !== undefined))
    ctx.addIssue({ code: 'custom', path: ['ids'], message: 'Give either ids, or batch, status and kind' })
}

const answer = z
  .strictObject({
    matched: z.number().int().meta({ description: 'Tasks that were looked at' }),
    changed: z.number().int(),
    failed: z
      .array(z.strictObject({ id: z.string(), code: z.enum(REFUSAL_CODES) }))
      .meta({ description: 'What was refused, and why' }),
    more: z.boolean().meta({ description: 'Whether there may be more: call again with `next` as `cursor`' }),
    next: z.string().nullable(),
  })
  .meta({ id: 'SelectionResult' })

const SUMMARIES: Readonly<Record<SelectionAction['kind'], string>> = {
  cancel: 'End several tasks',
  retry: 'Try several tasks again',
  delete: 'Remove several tasks with their files',
  priority: 'Move several waiting tasks before or behind others',
}

const docOf = (kind: SelectionAction['kind'], more: Readonly<Record<string, unknown>> = {}) => ({
  summary: SUMMARIES[kind],
  description: `Tasks by their ids, or all of a batch or in some states to which this can be done; at most ${MAX_SELECTED} a call.`,
  tag: 'Tasks',
  answers: { 200: answer },
  examples: {
    'By their ids': { ids: ['oUzzB3uYNpU6kJQ8'], ...more },
    'In a state': { status: [kind === 'retry' ? 'error' : 'waiting'], ...more },
  },
})

async function select(
  ctx: V1Context,
  key: Parameters<typeof applyToSelection>[1],
  given: Body,
  action: SelectionAction,
) {
  const { next, ...result } = await applyToSelection(ctx, key, selectionOf(given), action)
  return { ...result, more: next !== null, next: toCursor(next) }
}

const selectionOf = ({ ids, batch, status, kind, cursor }: Body): Selection =>
  ids === undefined
    ? { batchId: batch ?? null, states: status ?? null, kinds: kind ?? null, before: cursor ?? null }
    : { ids }

const AUDITED: Readonly<Record<'cancel' | 'retry' | 'delete', AuditAction>> = {
  cancel: 'tasks.cancelled',
  retry: 'tasks.retried',
  delete: 'tasks.deleted',
}

const selectionRoute = (kind: 'cancel' | 'retry' | 'delete') =>
  defineRoute<V1Context, Body>({
    method: 'post',
    path: `/tasks/${kind}`,
    permission: null,
    counts: true,
    body,
    doc: docOf(kind),
    async handle(ctx, { key, input, req }) {
      const result = await select(ctx, key, input, { kind })
      if (result.changed > 0) await ctx.audit.record(key, req, AUDITED[kind], { detail: `${result.changed} tasks` })
      return result
    },
  })

const prioritiseTasks = defineRoute<V1Context, z.output<typeof bodyWithPriority>>({
  method: 'post',
  path: '/tasks/priority',
  permission: null,
  counts: true,
  body: bodyWithPriority,
  doc: docOf('priority', { priority: 10 }),
  handle: (ctx, { key, input }) => select(ctx, key, input, { kind: 'priority', priority: input.priority }),
})

/** What is done to several tasks. */
export const selectionRoutes: readonly AnyRoute<V1Context>[] = [
  selectionRoute('cancel'),
  selectionRoute('retry'),
  selectionRoute('delete'),
  prioritiseTasks,
]
