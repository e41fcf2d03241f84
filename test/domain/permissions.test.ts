import { isPermission, missingFrom, permissionOf, PERMISSIONS } from '../../src/domain/permissions.ts'
import { TASK_KINDS } from '../../src/domain/task.ts'

test('every kind of task has a permission of its own, and every permission is known by its word', () => {
  const ofKinds = TASK_KINDS.map(permissionOf)
  expect(new Set(ofKinds).size).toBe(TASK_KINDS.length)
  for (const word of [...ofKinds, ...PERMISSIONS]) expect(isPermission(word)).toBe(true)
  for (const word of ['', 'admin', 'GET_VIDEO', 'get_video ', 'toString', '__proto__']) {
    expect(isPermission(word)).toBe(false)
  }
})

test('what is missing is what is wanted and not held', () => {
  expect(missingFrom(['get_video', 'get_info'], ['get_info'])).toEqual([])
  expect(missingFrom(['get_video'], ['get_info', 'get_video', 'nonsense'])).toEqual(['get_info', 'nonsense'])
  expect(missingFrom([], [])).toEqual([])
})
