import fc from 'fast-check'
import { fileTagOf, idOfJob, idPrefixOf, jobIdOf } from '../../../src/http/mezdia/job-id.ts'
import { ALPHABET, LENGTH, newTaskId } from '../../../src/tasks/task-id.ts'

const UUID_4 = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/
const ids = fc.string({ unit: fc.constantFrom(...Array.from(ALPHABET)), minLength: LENGTH, maxLength: LENGTH })

test('every id has a version 4 UUID that leads back to it, in any case of letters', () => {
  fc.assert(
    fc.property(ids, (id) => {
      const uuid = jobIdOf(id)
      expect(uuid).toMatch(UUID_4)
      expect(idOfJob(uuid)).toBe(id)
      expect(idOfJob(uuid.toUpperCase())).toBe(id)
    }),
  )
})

test('other texts stand for nothing', () => {
  const uuid = jobIdOf(newTaskId())
  const changed = uuid.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))
  const others = [
    changed,
    '550e8400-e29b-41d4-a716-446655440000',
    'ffffffff-ffff-4fff-bfff-ffffffffffff',
    newTaskId(),
    '',
  ]
  expect(others.map(idOfJob)).toEqual(others.map(() => null))
})

test('the name of a file leads to the beginning of its task’s id', () => {
  fc.assert(
    fc.property(ids, (id) => {
      expect(fileTagOf(id)).toMatch(/^[\da-f]{8}$/)
      expect(idPrefixOf(`${fileTagOf(id)}_A title.mp4`)).toBe(id.slice(0, 5))
    }),
  )
  expect(['title.mp4', 'ffffffff_title.mp4', '../etc/passwd', ''].map(idPrefixOf)).toEqual([null, null, null, null])
})
