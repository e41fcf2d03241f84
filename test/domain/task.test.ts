import { isFinal, TASK_STATES } from '../../src/domain/task.ts'

test('three of the states are final', () => {
  expect(TASK_STATES.filter(isFinal)).toEqual(['completed', 'error', 'cancelled'])
})
