import { STATUS_CODES } from 'node:http'
import { z } from 'zod'
import { REFUSAL_CODES } from '../../domain/errors.ts'
import type { ErrorBody } from '../errors.ts'

/** Every error of the native API. */
export const errorSchema = z
  .strictObject({
    error: z.strictObject({
      code: z.enum(REFUSAL_CODES).meta({ description: 'Stable; what a program goes by' }),
      message: z.string().meta({ description: 'For people' }),
      details: z
        .array(z.strictObject({ field: z.string(), message: z.string() }))
        .meta({ description: 'What is wrong with which field of the request; empty for other errors' }),
    }),
  })
  .meta({ id: 'Error', description: 'Why a call was refused' })

/** The same error as RFC 9457 has it, for clients that ask for `application/problem+json`. */
export const problemSchema = z
  .strictObject({
    type: z.literal('about:blank'),
    title: z.string().meta({ description: 'What the status means', example: 'Bad Request' }),
    status: z.int(),
    detail: z.string().meta({ description: 'What is wrong with this call' }),
    code: z.enum(REFUSAL_CODES),
    errors: z.array(z.strictObject({ field: z.string(), message: z.string() })),
  })
  .meta({ id: 'Problem', description: 'Why a call was refused, by RFC 9457' })

/** Answers in the shape the client asked for. */
export const v1ErrorBody: ErrorBody = ({ code, message, details }, { req, res, status }) => {
  if (req.accepts(['application/json', 'application/problem+json']) === 'application/problem+json') {
    res.type('application/problem+json')
    const title = STATUS_CODES[status] ?? 'Error'
    return { type: 'about:blank', title, status, detail: message, code, errors: [...details] } satisfies z.input<
      typeof problemSchema
    >
  }
  return { error: { code, message, details: [...details] } } satisfies z.input<typeof errorSchema>
}
