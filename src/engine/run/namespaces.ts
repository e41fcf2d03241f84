import { FORK_SERVER_PROGRAM } from './places.ts'

/** How far a fork server is cut off from the rest of the machine; the first that the machine allows is taken. */
export type Isolation = 'network' | 'processes' | 'none'

/** From the best to none. */
export const ISOLATIONS: readonly Isolation[] = ['network', 'processes', 'none']

/**
 * The command that starts a fork server. With namespaces it is process 1 of its own: its end, or that of the daemon, is
 * the end of everything in it, by the kernel's hand. 'network' adds a network that has nothing but a loopback device.
 */
export function serverCommand(python: string, isolation: Isolation): readonly string[] {
  const server = [python, '-s', '-B', FORK_SERVER_PROGRAM]
  if (isolation === 'none') return server
  const spaces = ['--user', '--map-root-user', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc', '--ipc']
  const network = isolation === 'network' ? ['--net'] : []
  return ['setpriv', '--pdeathsig', 'KILL', 'unshare', ...spaces, ...network, '--', ...server]
}
