import { isTaskId } from '../../src/files/local.ts'
import { childTaskId, newTaskId } from '../../src/tasks/task-id.ts'

const entry = { nth: 0, id: 'a', url: 'https://video.example/a' }

describe('the id of a task that a playlist makes', () => {
  test('has the shape of any other', () => {
    expect(isTaskId(newTaskId())).toBe(true)
    for (let nth = 0; nth < 500; nth++) expect(isTaskId(childTaskId('parent', { ...entry, nth }))).toBe(true)
  })

  test('is the same for the same entry, and no other has it', () => {
    expect(childTaskId('parent', entry)).toBe(childTaskId('parent', { ...entry }))
    const ids = new Set([
      childTaskId('parent', entry),
      childTaskId('another', entry),
      childTaskId('parent', { ...entry, nth: 1 }),
      childTaskId('parent', { ...entry, id: 'b' }),
      childTaskId('parent', { ...entry, id: null }),
      childTaskId('parent', { ...entry, url: 'https://video.example/b' }),
    ])
    expect(ids.size).toBe(6)
  })
})
